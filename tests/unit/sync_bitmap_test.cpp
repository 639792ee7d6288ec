// SPDX-License-Identifier: GPL-2.0-or-later
// A copy that begins from a bitmap: what is asked for, refused and said.
#include "verbs_fixture.hpp"
#include "volume/bitmaps.hpp"

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_b, fake::volume_number;

namespace
{

constexpr uint64_t block_bytes = 65536;

class SyncBitmap : public fake::VerbsTest
{
      protected:
	void SetUp() override { host.add_volume().status.bitmaps = {{"nightly", 5, "recording"}}; }

	Result<Outcome> run(volume::Run how = Run::doit)
	{
		return copy(host.context, request, how);
	}
	void set_state(const std::string &state)
	{
		host.mapper.at(volume_number).status.bitmaps[0].state = state;
	}

	CopyRequest request{.name = "v0", .target = "/dev/sdb", .sync_bitmap = "nightly"};
};

} // namespace

TEST_F(SyncBitmap, IsInTheLineAndNotKept)
{
	const auto plan = run(Run::dry);
	ASSERT_TRUE(plan) << plan.error().message();
	EXPECT_EQ(plan->steps[0], "load into v0 (253:0): 0 131072 blkcopy mirror 8:0 0 8:16 0 - "
				  "128 0 2 sync nightly");
	EXPECT_EQ(plan->to_copy_bytes, 5 * block_bytes);
	EXPECT_EQ(plan->note, "");
	EXPECT_TRUE(host.mapper.calls.empty());

	const auto started = run();
	ASSERT_TRUE(started) << started.error().message();
	EXPECT_EQ(live(), "0 131072 blkcopy mirror 8:0 0 8:16 0 - 128");
	EXPECT_EQ(started->to_copy_bytes, 5 * block_bytes);
	EXPECT_EQ(started->note, "");
	const auto volume = find(host.context, "v0");
	ASSERT_TRUE(volume);
	EXPECT_EQ(volume->status.base_only, 5u);
	EXPECT_EQ(volume->state(), JobState::copying);
}

TEST_F(SyncBitmap, GoesWithBitmapsOnMetadata)
{
	host.set_table("track 8:0 0 - 0 8:32 128");
	request.params.rate_kib = 1;
	const auto plan = run(Run::dry);
	ASSERT_TRUE(plan) << plan.error().message();
	EXPECT_EQ(plan->steps[0], "load into v0 (253:0): 0 131072 blkcopy mirror 8:0 0 8:16 0 - "
				  "128 0 6 rate_kib 1 bitmaps 8:32 sync nightly");
}

TEST_F(SyncBitmap, TheSameCommandGoesOn)
{
	ASSERT_TRUE(run());
	host.mapper.calls.clear();
	// Whatever has become of the bitmap by now.
	for (const char *state : {"recording", "frozen", "disabled", "inconsistent"}) {
		set_state(state);
		const auto again = run();
		ASSERT_TRUE(again) << again.error().message();
		EXPECT_TRUE(again->already) << state;
		EXPECT_EQ(again->note, "");
		EXPECT_FALSE(again->to_copy_bytes);
	}
	host.mapper.at(volume_number).status.bitmaps.clear();
	EXPECT_TRUE(run()->already);
	EXPECT_TRUE(host.mapper.calls.empty());
	request.target = "/dev/sdc";
	expect_refusal(run(), Status::busy, "already");
}

TEST_F(SyncBitmap, BeginsAnewAfterAnAbort)
{
	ASSERT_TRUE(run());
	ASSERT_TRUE(volume::abort(host.context, "v0", Run::doit));
	host.mapper.at(volume_number).status.bitmaps[0].dirty_blocks = 7;
	const auto again = run();
	ASSERT_TRUE(again) << again.error().message();
	EXPECT_EQ(again->to_copy_bytes, 7 * block_bytes);
	EXPECT_EQ(find(host.context, "v0")->status.base_only, 7u);
}

TEST_F(SyncBitmap, RefusesABitmapThatDoesNotSay)
{
	const auto next_of = [&] { return run().error().next; };

	request.sync_bitmap = "weekly";
	expect_refusal(run(), Status::not_found, "no bitmap \"weekly\"");
	EXPECT_EQ(next_of(), "blkctl bitmap list v0");
	request.sync_bitmap = "a b 1 nosync";
	expect_refusal(run(), Status::not_found, "no bitmap \"a b 1 nosync\"");
	request.sync_bitmap = "nightly";

	set_state("frozen");
	expect_refusal(run(), Status::busy, "bitmap \"nightly\" is frozen");
	EXPECT_EQ(next_of().find("blkctl bitmap thaw v0 nightly"), 0u) << next_of();
	for (const auto &[state, status] :
	     {std::pair("disabled", Status::busy), {"inconsistent", Status::needs_attention}}) {
		set_state(state);
		expect_refusal(run(), status, "bitmap \"nightly\"");
		expect_refusal(run(Run::dry), status, "bitmap \"nightly\"");
		EXPECT_EQ(next_of().find("blkctl copy v0 /dev/sdb,"), 0u) << next_of();
	}
}

TEST_F(SyncBitmap, RefusesMetadataAsSyncNoneDoes)
{
	request.metadata = host.run_dir + "/meta";
	expect_refusal(run(), Status::usage, "what it holds already");
	request.sync_bitmap.clear();
	request.sync_none = true;
	expect_refusal(run(), Status::usage, "what it holds already");
}

TEST_F(SyncBitmap, ATargetMustLookLikeTheVolume)
{
	host.probe.signatures[volume_number] = {"ext4", "filesystem", "1-1"};
	host.probe.signatures[disk_b] = {"ext4", "filesystem", "2-2"};
	expect_refusal(run(), Status::busy, "UUID 2-2");
	host.probe.signatures[disk_b] = host.probe.signatures[volume_number];
	EXPECT_TRUE(run(Run::dry));
	host.probe.signatures.erase(disk_b);
	expect_refusal(run(), Status::busy, "no signature");
	request.force = true;
	EXPECT_TRUE(run());
}

// What the CLI cannot see: that it was disabled for a while, or is frozen since it was looked at.
TEST_F(SyncBitmap, SaysWhenTheKernelCopiesEverything)
{
	host.mapper.on_load = [this] { set_state("disabled"); };
	const auto started = run();
	ASSERT_TRUE(started) << started.error().message();
	EXPECT_EQ(started->to_copy_bytes, 1024 * block_bytes);
	EXPECT_NE(started->note.find("v0: bitmap nightly may not have all"), std::string::npos)
		<< started->note;
}

TEST_F(SyncBitmap, KilledAnywhereTheSameCommandGoesOn)
{
	size_t killed = 0;

	for (int call = 0; call < 10; call++)
		for (const bool after : {false, true}) {
			fake::Host other;
			other.add_volume().status.bitmaps = {{"nightly", 5, "recording"}};
			(after ? other.mapper.kill_after : other.mapper.kill_before) = call;
			try {
				(void)copy(other.context, request, Run::doit);
			} catch (const fake::Killed &) {
				killed++;
			}
			other.mapper.kill_after = other.mapper.kill_before = -1;
			const auto again = copy(other.context, request, Run::doit);
			ASSERT_TRUE(again) << again.error().message();
			const auto &volume = other.mapper.at(volume_number);
			EXPECT_EQ(volume.live[0].str(),
				  "0 131072 blkcopy mirror 8:0 0 8:16 0 - 128");
			EXPECT_EQ(volume.status.base_only, 5u) << call;
			EXPECT_TRUE(volume.inactive.empty());
		}
	EXPECT_GE(killed, 4u);
}

// All has changed: nothing is odd about copying it.
TEST_F(SyncBitmap, MayHaveEverything)
{
	host.mapper.at(volume_number).status.bitmaps[0].dirty_blocks = 1024;
	const auto started = run();
	ASSERT_TRUE(started) << started.error().message();
	EXPECT_EQ(started->to_copy_bytes, 1024 * block_bytes);
	EXPECT_EQ(started->note, "");
}
