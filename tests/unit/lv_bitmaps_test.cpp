// SPDX-License-Identifier: GPL-2.0-or-later
// Bitmaps on metadata of an attached LV: it comes back with them, and LVM has it only once they are
// gone, or are known to have missed writes.
#include "base/files.hpp"
#include "fake_bitmaps.hpp"
#include "fake_host.hpp"
#include "tab/tab.hpp"
#include "volume/operations.hpp"
#include <filesystem>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_sectors;

namespace
{

class LvBitmaps : public testing::Test
{
      protected:
	LvBitmaps() { by_lvm(); }

	std::string file() { return host.context.state_dir + "/lv.bitmaps"; }
	// As LVM activates it.
	void by_lvm()
	{
		auto &device = host.add_lv();
		device.live = own;
		host.probe.identities[fake::disk_pv] = "id:pv";
	}
	dm::Target live() { return host.mapper.named("vg-lv")->live.at(0); }
	std::optional<tab::Entry> entry()
	{
		return tab::Tab::parse(read_file(host.context.tab_file).value_or("")).find("vg-lv");
	}
	bool skipped() { return host.lvm.lvs.at(0).is_skipped; }
	std::string loop()
	{
		for (const auto &each : host.probe.loop_devices)
			if (each.file == file())
				return each.devno.str();
		return "no loop device";
	}
	std::string with_bitmaps(const std::string &base = "8:48 2048")
	{
		return "track " + base + " - 0 " + loop() + " 128";
	}
	meta::Superblock super() { return kernel.super(); }
	AttachRequest request(uint32_t block_sectors = 128)
	{
		return {.device = "vg-lv", .block_sectors = block_sectors, .metadata = file()};
	}
	void take()
	{
		const auto taken = attach(host.context, request(), volume::Run::doit);
		ASSERT_TRUE(taken) << taken.error().message();
		EXPECT_EQ(taken->note, "");
	}
	void down()
	{
		host.mapper.calls.clear();
		const auto gone = deactivate(host.context, "vg-lv", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		EXPECT_EQ(gone->note, "");
		host.mapper.calls.clear();
	}
	void expect_home()
	{
		EXPECT_EQ(live().type, "linear");
		EXPECT_FALSE(entry());
		EXPECT_FALSE(skipped());
		EXPECT_FALSE(std::filesystem::exists(file()));
		EXPECT_TRUE(host.probe.loop_devices.empty());
	}
	void expect_refusal(const Result<Outcome> &result, Status status, const std::string &word)
	{
		ASSERT_FALSE(result) << word;
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(word), std::string::npos)
			<< result.error().message();
	}

	fake::Host host;
	fake::BitmapKernel kernel{host, file()};
	dm::Table own = {{0, disk_sectors, "linear", "8:48 2048"}};
};

} // namespace

TEST_F(LvBitmaps, ComeBackWithIt)
{
	ASSERT_TRUE(attach(host.context, request(), volume::Run::dry));
	EXPECT_FALSE(entry());
	EXPECT_FALSE(skipped());
	EXPECT_FALSE(std::filesystem::exists(file()));
	take();
	EXPECT_EQ(live().params, with_bitmaps());
	EXPECT_TRUE(skipped());
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->bitmaps, file());
	EXPECT_EQ(entry()->lv, std::string(64, 'L'));
	EXPECT_EQ(entry()->offset, 2048);
	EXPECT_FALSE(entry()->noauto);
	down();
	EXPECT_TRUE(super().legs[0].stamp);
	const auto back = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
	ASSERT_TRUE(back) << back.error().message();
	EXPECT_EQ(back->note, "");
	EXPECT_EQ(live().params, with_bitmaps());
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv"}, volume::Run::doit));
	expect_home();
}

TEST_F(LvBitmaps, OfOneInSeveralPieces)
{
	const auto half = disk_sectors / 2;
	host.lvm.lvs[0].segments = {
		{.type = "linear", .sectors = half, .stripes = {{"/dev/sdd", 2048}}},
		{.type = "linear", .sectors = half, .stripes = {{"/dev/sda", 0}}}};
	own = {{0, half, "linear", "8:48 2048"}, {half, half, "linear", "8:0 0"}};
	host.mapper.named("vg-lv")->live = own;
	take();
	const auto hidden = host.mapper.named("vg-lv-blkreal")->info.devno.str();
	EXPECT_EQ(live().params, with_bitmaps(hidden + " 0"));
	down();
	EXPECT_FALSE(host.mapper.named("vg-lv-blkreal"));
	const auto back = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
	ASSERT_TRUE(back) << back.error().message();
	EXPECT_EQ(back->note, "");
	ASSERT_TRUE(host.mapper.named("vg-lv-blkreal"));
	EXPECT_EQ(host.mapper.named("vg-lv-blkreal")->live, own);
	// What a killed one has loaded is cleared away first, of the hidden device too.
	bool cleared = false, killed = true;
	for (int i = 0; killed; i++) {
		down();
		host.mapper.kill_before = i;
		killed = false;
		try {
			ASSERT_TRUE(activate(host.context, {.what = "vg-lv"}, volume::Run::doit));
		} catch (const fake::Killed &) {
			killed = true;
		}
		host.mapper.kill_before = -1;
		const auto *half = host.mapper.named("vg-lv-blkreal");
		const bool loaded = half && half->live.empty() && !half->inactive.empty();
		const auto number = half ? half->info.devno.str() : "";
		host.mapper.calls.clear();
		const auto again = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
		ASSERT_TRUE(again) << i << again.error().message();
		EXPECT_EQ(host.mapper.named("vg-lv-blkreal")->live, own) << i;
		for (const auto &call : host.mapper.calls)
			cleared |= loaded && call.find("clear " + number) != std::string::npos;
	}
	EXPECT_TRUE(cleared);
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv"}, volume::Run::doit));
	EXPECT_EQ(host.mapper.named("vg-lv")->live, own);
	expect_home();
}

// A snapshot, a copy or a view that is over gives an LV back to LVM: not one with bitmaps.
TEST_F(LvBitmaps, StayThroughJobs)
{
	take();
	const auto expect_taken = [&](const std::string &what, const std::string &base) {
		EXPECT_EQ(live().params, with_bitmaps(base)) << what;
		EXPECT_TRUE(skipped()) << what;
		ASSERT_TRUE(entry()) << what;
		EXPECT_EQ(entry()->bitmaps, file()) << what;
		EXPECT_TRUE(entry()->layers.empty()) << what;
	};
	ASSERT_TRUE(
		snapshot(host.context, {.name = "vg-lv", .store = "/dev/sdb"}, volume::Run::doit));
	EXPECT_EQ(entry()->bitmaps, file());
	EXPECT_EQ(entry()->layers.size(), 1);
	ASSERT_TRUE(commit(host.context, {.name = "vg-lv"}, volume::Run::doit));
	host.mapper.named("vg-lv")->status.phase = table::Phase::merged;
	ASSERT_TRUE(commit(host.context, {.name = "vg-lv"}, volume::Run::doit));
	expect_taken("a commit", "8:48 2048");
	ASSERT_TRUE(copy(host.context,
			 {.name = "vg-lv",
			  .target = "/dev/sdb",
			  .metadata = host.context.state_dir + "/copy"},
			 volume::Run::doit));
	ASSERT_TRUE(volume::abort(host.context, "vg-lv", volume::Run::doit));
	expect_taken("an abort", "8:48 2048");
	ASSERT_TRUE(view(host.context,
			 {.name = "vg-lv", .view = "now", .store = "/dev/sdb", .persistent = true},
			 volume::Run::doit));
	ASSERT_TRUE(volume::abort(host.context, "vg-lv", volume::Run::doit));
	expect_taken("a view", "8:48 2048");
	// LVM leaves it to us already: neither --persist nor --until-reboot is to be asked for.
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb", .sync_none = true},
			 volume::Run::doit));
	ASSERT_TRUE(pivot(host.context, {.name = "vg-lv"}, volume::Run::doit));
	expect_taken("a pivot", "8:16 0");
	EXPECT_EQ(entry()->offset, 0);
	// LVM has not got what is on there: it goes on coming back, without them.
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv", .to_copy = true}, volume::Run::doit));
	EXPECT_TRUE(skipped());
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->bitmaps, "");
	EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(LvBitmaps, OfOneThatLvmHasHadAreInconsistent)
{
	take();
	down();
	host.lvm.lvs[0].is_skipped = false;
	const auto back = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
	ASSERT_TRUE(back) << back.error().message();
	EXPECT_NE(back->note.find("LVM was not told"), std::string::npos) << back->note;
	EXPECT_TRUE(skipped());

	for (const bool held : {true, false}) {
		down();
		EXPECT_FALSE(super().unsealed);
		by_lvm();
		host.lvm.lvs[0].is_skipped = held;
		ASSERT_FALSE(activate(host.context, {.what = "vg-lv"}, volume::Run::dry));
		EXPECT_FALSE(super().unsealed);
		expect_refusal(activate(host.context, {.what = "vg-lv"}, volume::Run::doit),
			       Status::busy, "blkctl attach vg-lv");
		// LVM may be gone again before anybody looks.
		EXPECT_TRUE(super().unsealed);
		auto other = request();
		other.metadata += ".other";
		expect_refusal(attach(host.context, other, volume::Run::doit), Status::usage,
			       "already");
		other = request(8);
		expect_refusal(attach(host.context, other, volume::Run::doit), Status::usage,
			       "--block-size");
		kernel.change([](meta::Superblock &written) { written.unsealed = false; });
		bool unsealed = false;
		const auto opens = host.mapper.on_switch;
		host.mapper.on_switch = [&](fake::Device &device) {
			unsealed |= super().unsealed;
			opens(device);
		};
		const auto again = attach(host.context, {.device = "vg-lv"}, volume::Run::doit);
		host.mapper.on_switch = opens;
		ASSERT_TRUE(again) << again.error().message();
		EXPECT_NE(again->note.find("inconsistent"), std::string::npos) << again->note;
		EXPECT_EQ(live().params, with_bitmaps());
		EXPECT_TRUE(unsealed);
		EXPECT_TRUE(skipped());
	}
	down();
	by_lvm();
	host.lvm.lvs[0].segments[0].sectors = host.mapper.named("vg-lv")->live[0].length =
		disk_sectors - 8192;
	expect_refusal(attach(host.context, {.device = "vg-lv"}, volume::Run::doit),
		       Status::needs_attention, "sectors by now");
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv"}, volume::Run::doit));
	expect_home();
}

TEST_F(LvBitmaps, AreForgottenWithOneThatIsNotActive)
{
	take();
	down();
	ASSERT_TRUE(volume::remove(host.context, "vg-lv", volume::Run::doit));
	EXPECT_FALSE(entry());
	EXPECT_FALSE(skipped());
	EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(LvBitmaps, NeedAnLvThatComesBack)
{
	host.lvm.lvs[0].segments[0].type = "raid1";
	expect_refusal(attach(host.context, request(), volume::Run::doit), Status::usage,
		       "only LVM");
	host.lvm.lvs[0].segments[0].type = "linear";
	host.probe.filesystems[host.context.state_dir] = {host.mapper.named("vg-lv")->info.devno};
	expect_refusal(attach(host.context, request(), volume::Run::doit), Status::usage,
		       "on the volume itself");
	host.lvm.lvs.clear();
	expect_refusal(attach(host.context, request(), volume::Run::doit), Status::usage,
		       "it is no LV");
	EXPECT_EQ(live().type, "linear");
	EXPECT_FALSE(entry());
}

// A boot may hang on it: by LVM's table it comes up all the same.
TEST_F(LvBitmaps, EndWhenLvmHasChangedIt)
{
	take();
	down();
	host.lvm.lvs[0].segments[0].sectors += 8192;
	const auto up = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
	ASSERT_TRUE(up) << up.error().message();
	EXPECT_NE(up->note.find("bitmaps are lost"), std::string::npos) << up->note;
	EXPECT_EQ(live().length, disk_sectors + 8192);
	EXPECT_EQ(host.mapper.named("vg-lv")->info.uuid, "LVM-" + std::string(64, 'L'));
	expect_home();

	host.mapper.devices.clear();
	by_lvm();
	take();
	down();
	host.lvm.lvs[0].segments[0].stripes[0].offset = 4096;
	ASSERT_TRUE(activate(host.context, {.what = "vg-lv"}, volume::Run::doit));
	EXPECT_EQ(live().params, "8:48 4096");
	expect_home();

	host.mapper.devices.clear();
	by_lvm();
	take();
	down();
	host.lvm.lvs[0].segments[0].type = "raid1";
	const auto theirs = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
	ASSERT_TRUE(theirs) << theirs.error().message();
	EXPECT_NE(theirs->note.find("lvchange -ay"), std::string::npos) << theirs->note;
	EXPECT_FALSE(entry());
	EXPECT_FALSE(skipped());

	// Of another name it is not known by whom it is used.
	host.mapper.devices.clear();
	by_lvm();
	take();
	down();
	host.lvm.lvs[0].mapper_name = "vg-other";
	expect_refusal(activate(host.context, {.what = "vg-lv"}, volume::Run::doit),
		       Status::needs_attention, "calls its LV");
	ASSERT_TRUE(volume::remove(host.context, "vg-lv", volume::Run::doit));
	EXPECT_FALSE(skipped());
}

// A guest has made a PV of its whole disk, which a pivot has moved: LVM's extents are stale.
TEST_F(LvBitmaps, WhatIsMovedIsNotLvmsWhateverItHolds)
{
	take();
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb", .sync_none = true},
			 volume::Run::doit));
	ASSERT_TRUE(pivot(host.context, {.name = "vg-lv"}, volume::Run::doit));
	host.probe.signatures[fake::disk_b] = host.probe.signatures[fake::disk_pv];
	down();
	expect_refusal(volume::remove(host.context, "vg-lv", volume::Run::doit), Status::usage,
		       "LVM leaves to blkctl");
	ASSERT_TRUE(activate(host.context, {.what = "vg-lv"}, volume::Run::doit));
	EXPECT_EQ(live().params, with_bitmaps("8:16 0"));
	EXPECT_TRUE(skipped());
	// Another tool has taken the flag off, and LVM has the old extents.
	down();
	by_lvm();
	EXPECT_FALSE(skipped());
	expect_refusal(activate(host.context, {.what = "vg-lv"}, volume::Run::doit), Status::busy,
		       "lvchange -an");
	expect_refusal(attach(host.context, {.device = "vg-lv"}, volume::Run::doit), Status::busy,
		       "not where LVM has it");
	EXPECT_TRUE(entry());
	EXPECT_TRUE(std::filesystem::exists(file()));
}

// Neither LVM nor we would bring it back once the snapshot is merged.
TEST_F(LvBitmaps, ASnapshotComesBackToo)
{
	take();
	const SnapshotRequest request{.name = "vg-lv", .store = "/dev/sdb", .boot = false};
	expect_refusal(snapshot(host.context, request, volume::Run::doit), Status::usage,
		       "--no-boot");
}

// Whenever attach is killed: LVM's table or ours is live, and the same again ends it.
TEST_F(LvBitmaps, AKilledAttachIsFinished)
{
	bool killed = true;
	for (int i = 0; killed; i++) {
		fake::Host fresh;
		auto &device = fresh.add_lv();
		device.live = own;
		const AttachRequest asked{.device = "vg-lv",
					  .metadata = fresh.context.state_dir + "/lv.bitmaps"};
		fresh.mapper.kill_before = i;
		killed = false;
		try {
			ASSERT_TRUE(attach(fresh.context, asked, volume::Run::doit));
		} catch (const fake::Killed &) {
			killed = true;
		}
		fresh.mapper.kill_before = -1;
		if (fresh.mapper.named("vg-lv")->live.at(0).type == "linear") {
			const auto again = attach(fresh.context, asked, volume::Run::doit);
			ASSERT_TRUE(again) << i << again.error().message();
		}
		EXPECT_TRUE(fresh.lvm.lvs.at(0).is_skipped) << i;
		EXPECT_NE(fresh.mapper.named("vg-lv")->live.at(0).params.find("track 8:48 2048"),
			  std::string::npos)
			<< i;
		const auto volume = find(fresh.context, "vg-lv");
		ASSERT_TRUE(volume) << i;
		EXPECT_TRUE(volume->table.bitmaps) << i;
		const auto written = tab::Tab::parse(read_file(fresh.context.tab_file).value_or(""))
					     .find("vg-lv");
		ASSERT_TRUE(written) << i;
		EXPECT_EQ(written->bitmaps, asked.metadata) << i;
	}
}
