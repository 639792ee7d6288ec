// SPDX-License-Identifier: GPL-2.0-or-later
// Snapshots of snapshots: layers, their merges, and their way back; on a recorded host.
#include "base/files.hpp"
#include "fake_host.hpp"
#include "job/job.hpp"
#include "meta/superblock.hpp"
#include "tab/tab.hpp"
#include "volume/bitmaps.hpp"
#include "volume/boot.hpp"
#include "volume/chain.hpp"
#include "volume/operations.hpp"
#include <filesystem>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;

namespace
{

class Chain : public testing::Test
{
      protected:
	// Stores s1, s2, ...: 8:64, 8:80, ...
	void SetUp() override
	{
		host.add_volume();
		for (uint32_t n = 1; n <= 9; n++)
			host.probe.add({8, 48 + 16 * n}, "/dev/s" + std::to_string(n),
				       fake::disk_sectors);
	}
	void begin_anew()
	{
		fake::Host fresh;
		host.mapper.devices.clear();
		host.probe.loop_devices.clear();
		std::filesystem::remove_all(host.context.state_dir);
		std::filesystem::remove(host.context.tab_file);
		host.probe.devices = fresh.probe.devices;
		SetUp();
	}
	Result<Outcome> push(int n)
	{
		return snapshot(host.context, {.name = "v0", .store = "/dev/s" + std::to_string(n)},
				volume::Run::doit);
	}
	std::string live(const std::string &name)
	{
		const auto *const device = host.mapper.named(name);
		return device ? device->live.at(0).params : "";
	}
	std::optional<tab::Entry> entry()
	{
		return tab::Tab::parse(read_file(host.context.tab_file).value_or("")).find("v0");
	}
	std::vector<std::string> metas()
	{
		std::vector<std::string> found;
		const auto listed = entry();
		for (const auto &layer : listed ? listed->layers : std::vector<tab::Layer>())
			found.push_back(std::to_string(layer.number) + "=" +
					std::filesystem::path(layer.meta).filename().string());
		return found;
	}
	Result<Outcome> merge(std::optional<unsigned> layer = {})
	{
		return commit(host.context, {.name = "v0", .layer = layer}, volume::Run::doit);
	}
	// As after a boot: nothing but the tab and the metadata is left.
	void boot()
	{
		const auto gone = deactivate(host.context, "v0", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		ASSERT_TRUE(host.mapper.devices.empty());
		const auto back = activate(host.context, {.what = "v0"}, volume::Run::doit);
		ASSERT_TRUE(back) << back.error().message();
	}
	void set_phase(const std::string &name, table::Phase phase, meta::Phase on_disk,
		       const std::string &file)
	{
		host.mapper.named(name)->status.phase = phase;
		const auto device =
			meta::open_device(host.context.state_dir + "/" + file, meta::Access::write);
		ASSERT_TRUE(device);
		auto super = meta::read_superblock(**device);
		ASSERT_TRUE(super);
		super->phase = on_disk;
		super->mode =
			on_disk == meta::Phase::merged ? meta::Mode::commit : meta::Mode::stream;
		ASSERT_TRUE(meta::update_superblock(**device, *super));
	}

	using Words = std::vector<std::string>;
	fake::Host host;
};

} // namespace

TEST_F(Chain, ALayerOnALayer)
{
	ASSERT_TRUE(push(1));
	const auto second = push(2);
	ASSERT_TRUE(second) << second.error().message();
	EXPECT_EQ(live("v0-blk1"), "overlay 8:0 0 8:64 0 7:0 128");
	EXPECT_EQ(live("v0"), "overlay 253:1 0 8:80 0 7:1 128");
	ASSERT_TRUE(push(3));
	EXPECT_EQ(live("v0-blk2"), "overlay 253:1 0 8:80 0 7:1 128");
	EXPECT_EQ(live("v0"), "overlay 253:2 0 8:96 0 7:2 128");
	EXPECT_EQ(metas(), (Words{"1=v0.meta", "2=v0.2.meta", "0=v0.3.meta"}));
	const auto volume = find(host.context, "v0");
	EXPECT_EQ(volume->kind, Kind::created);
	EXPECT_EQ(layers_below(host.context, *volume)->size(), 2u);
	EXPECT_EQ(list(host.context)->volumes.size(), 1u);
	EXPECT_TRUE(push(3)->already);
	// A store that has a layer is no store for another.
	EXPECT_EQ(push(1).error().status, Status::usage);

	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	EXPECT_TRUE(host.mapper.devices.empty());
	EXPECT_TRUE(host.probe.loop_devices.empty());
	const auto back = activate(host.context, {.what = "v0"}, volume::Run::doit);
	ASSERT_TRUE(back) << back.error().message();
	EXPECT_EQ(live("v0-blk1"), "overlay 8:0 0 8:64 0 7:0 128");
	EXPECT_EQ(live("v0-blk2"), "overlay 253:0 0 8:80 0 7:1 128");
	EXPECT_EQ(live("v0"), "overlay 253:1 0 8:96 0 7:2 128");
}

TEST_F(Chain, IsEightDeep)
{
	for (int n = 1; n <= 8; n++) {
		const auto made = push(n);
		ASSERT_TRUE(made) << made.error().message();
	}
	const auto refused = push(9);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy);
	EXPECT_NE(refused.error().why.find("8 layers already"), std::string::npos);
}

// It is a job of the volume, too.
TEST_F(Chain, ACommitOfALayerIsWaitedFor)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	EXPECT_EQ(job::find_job(host.context, "v0").error().status, Status::not_found);
	ASSERT_TRUE(merge(1));
	const auto found = job::find_job(host.context, "v0");
	ASSERT_TRUE(found) << found.error().message();
	EXPECT_EQ(found->layer, 1u);
	EXPECT_EQ(found->copy.mode, table::Mode::commit);
	host.mapper.on_wait = [&] {
		host.mapper.named("v0-blk1")->status.phase = table::Phase::merged;
	};
	const auto waited = job::wait_ready(host.context, "v0", {});
	ASSERT_TRUE(waited) << waited.error().message();
	EXPECT_EQ(waited->job.state, JobState::ready);
	// Its end is one, for who was there before.
	host.mapper.on_wait = [&] { ASSERT_TRUE(merge(1)); };
	const auto gone = job::wait_gone(host.context, found->copy, {});
	ASSERT_TRUE(gone) << gone.error().message();
	EXPECT_EQ(gone->job.state, JobState::none);
	// Whoever comes first removes the layer.
	EXPECT_TRUE(host.probe.held.empty());
	EXPECT_EQ(job::find_job(host.context, "v0").error().status, Status::not_found);
}

TEST_F(Chain, TheTopIsCommitted)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(merge());
	EXPECT_EQ(live("v0"), "commit 253:1 0 8:80 0 7:1 128");
	EXPECT_EQ(push(3).error().status, Status::busy);
	set_phase("v0", table::Phase::merged, meta::Phase::merged, "v0.2.meta");
	ASSERT_TRUE(merge());
	EXPECT_EQ(live("v0"), "overlay 8:0 0 8:64 0 7:0 128");
	EXPECT_FALSE(host.mapper.named("v0-blk1"));
	EXPECT_EQ(metas(), (Words{"0=v0.meta"}));
	EXPECT_FALSE(std::filesystem::exists(host.context.state_dir + "/v0.2.meta"));
	EXPECT_EQ(host.probe.loop_devices.size(), 1u);
}

TEST_F(Chain, AMiddleLayerIsCommitted)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(push(3));
	EXPECT_EQ(merge(7).error().status, Status::not_found);
	ASSERT_TRUE(merge(2));
	EXPECT_EQ(live("v0-blk2"), "commit 253:1 0 8:80 0 7:1 128");
	EXPECT_EQ(live("v0"), "overlay 253:2 0 8:96 0 7:2 128");
	EXPECT_EQ(merge(1).error().status, Status::busy);
	EXPECT_EQ(merge().error().status, Status::busy);
	set_phase("v0-blk2", table::Phase::merged, meta::Phase::merged, "v0.2.meta");
	const auto done = merge(2);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(live("v0-blk2"), "overlay 8:0 0 8:64 0 7:0 128");
	EXPECT_EQ(live("v0"), "overlay 253:2 0 8:96 0 7:2 128");
	EXPECT_FALSE(host.mapper.named("v0-blk1"));
	EXPECT_EQ(metas(), (Words{"2=v0.meta", "0=v0.3.meta"}));
	// The next layer has a number of its own.
	ASSERT_TRUE(push(4));
	EXPECT_EQ(metas(), (Words{"2=v0.meta", "3=v0.3.meta", "0=v0.2.meta"}));
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::doit));
	EXPECT_EQ(live("v0-blk3"), "overlay 253:0 0 8:96 0 7:1 128");
}

// Below a layer the lowest one has to stay, for the metadata above it names it.
TEST_F(Chain, TheLowestLayerIsCommittedUnderTheOthers)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(merge(1));
	set_phase("v0-blk1", table::Phase::merged, meta::Phase::merged, "v0.meta");
	ASSERT_TRUE(merge(1));
	EXPECT_EQ(live("v0-blk1"), "track 8:0 0 - 0 - 128");
	EXPECT_EQ(live("v0"), "overlay 253:1 0 8:80 0 7:1 128");
	EXPECT_EQ(metas(), (Words{"1=v0.meta", "0=v0.2.meta"}));
	// Its metadata says what it is over.
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::doit));
	EXPECT_EQ(live("v0-blk1"), "track 8:0 0 - 0 - 128");
	// A second time there is nothing to merge.
	EXPECT_EQ(merge(1).error().status, Status::not_found);
	ASSERT_TRUE(merge());
	set_phase("v0", table::Phase::merged, meta::Phase::merged, "v0.2.meta");
	const auto done = merge();
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(live("v0"), "track 8:0 0 - 0 - 128");
	EXPECT_EQ(host.mapper.devices.size(), 1u);
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_EQ(metas(), Words{});
	EXPECT_TRUE(std::filesystem::is_empty(host.context.state_dir));
}

// What happened to it would not be written down.
TEST_F(Chain, AHiddenLayerIsNoVolume)
{
	constexpr auto doit = volume::Run::doit;
	auto &context = host.context;
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(merge(1));
	// Its job is told what to do by its name.
	for (const auto &told : {pause(context, "v0-blk1", doit), resume(context, "v0-blk1", doit),
				 set(context, "v0-blk1", {{"rate", "1M"}}, doit)})
		EXPECT_TRUE(told) << told.error().message();
	set_phase("v0-blk1", table::Phase::merged, meta::Phase::merged, "v0.meta");
	ASSERT_TRUE(merge(1));
	ASSERT_EQ(live("v0-blk1"), "track 8:0 0 - 0 - 128");
	host.mapper.calls.clear();
	for (const auto &refused :
	     {commit(context, {.name = "v0-blk1"}, doit), stream(context, "v0-blk1", doit),
	      copy(context, {.name = "v0-blk1", .target = "/dev/s3"}, doit),
	      pivot(context, {.name = "v0-blk1"}, doit), volume::abort(context, "v0-blk1", doit),
	      snapshot(context, {.name = "v0-blk1", .store = "/dev/s3"}, doit),
	      snapshot_all(
		      context,
		      {{.name = "v0", .store = "/dev/s3"}, {.name = "253:1", .store = "/dev/s4"}},
		      doit),
	      view(context, {.name = "v0-blk1", .view = "now", .store = "/dev/s3"}, doit),
	      bitmap_add(context, "v0-blk1", "b", {}, doit), deactivate(context, "v0-blk1", doit),
	      seal(context, "v0-blk1", doit), detach(context, {.name = "v0-blk1"}, doit),
	      volume::remove(context, "v0-blk1", doit)}) {
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::usage) << refused.error().message();
		EXPECT_NE(refused.error().why.find("it is layer 1 of the volume v0"),
			  std::string::npos)
			<< refused.error().message();
		EXPECT_NE(refused.error().next.find("blkctl commit v0 --layer 1"),
			  std::string::npos);
	}
	EXPECT_TRUE(host.mapper.calls.empty()) << host.mapper.calls.front();
	// It is shown.
	EXPECT_TRUE(find(context, "v0-blk1"));
}

// The volume goes by its lower layer's metadata from its end on, and not before.
TEST_F(Chain, AMergedTopComesBackToItsEnd)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(merge());
	set_phase("v0", table::Phase::merged, meta::Phase::merged, "v0.2.meta");
	boot();
	EXPECT_EQ(live("v0-blk1"), "overlay 8:0 0 8:64 0 7:0 128");
	ASSERT_EQ(live("v0"), "commit 253:0 0 8:80 0 7:1 128");
	EXPECT_EQ(metas(), (Words{"1=v0.meta", "0=v0.2.meta"}));
	// As the kernel finds it.
	host.mapper.named("v0")->status.phase = table::Phase::merged;
	EXPECT_EQ(push(3).error().status, Status::busy);
	const auto done = merge();
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(live("v0"), "overlay 8:0 0 8:64 0 7:0 128");
	EXPECT_FALSE(host.mapper.named("v0-blk1"));
	EXPECT_EQ(metas(), (Words{"0=v0.meta"}));
	EXPECT_FALSE(std::filesystem::exists(host.context.state_dir + "/v0.2.meta"));
	boot();
	EXPECT_EQ(live("v0"), "overlay 8:0 0 8:64 0 7:0 128");
}

TEST_F(Chain, AMergedMiddleLayerComesBackToItsEnd)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(push(3));
	ASSERT_TRUE(merge(2));
	set_phase("v0-blk2", table::Phase::merged, meta::Phase::merged, "v0.2.meta");
	boot();
	ASSERT_EQ(live("v0-blk2"), "commit 253:0 0 8:80 0 7:1 128");
	EXPECT_EQ(live("v0"), "overlay 253:1 0 8:96 0 7:2 128");
	host.mapper.named("v0-blk2")->status.phase = table::Phase::merged;
	const auto done = merge(2);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(live("v0-blk2"), "overlay 8:0 0 8:64 0 7:0 128");
	EXPECT_EQ(metas(), (Words{"2=v0.meta", "0=v0.3.meta"}));
	boot();
	EXPECT_EQ(live("v0-blk2"), "overlay 8:0 0 8:64 0 7:0 128");
	EXPECT_EQ(live("v0"), "overlay 253:0 0 8:96 0 7:1 128");
}

TEST_F(Chain, AMergedTopNeedsItsStoreUntilItsEnd)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(merge());
	set_phase("v0", table::Phase::merged, meta::Phase::merged, "v0.2.meta");
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	host.probe.devices.erase({8, 80});
	const auto refused = activate(host.context, {.what = "v0"}, volume::Run::doit);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::not_found);
	EXPECT_NE(refused.error().why.find("its top name:s2 is not there"), std::string::npos)
		<< refused.error().message();
}

// An earlier version brought it back on its layer alone: what its end needs is kept for it.
TEST_F(Chain, AMergedTopThatCameBackWithoutItsMetadataKeepsIt)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(merge());
	set_phase("v0", table::Phase::merged, meta::Phase::merged, "v0.2.meta");
	boot();
	auto &device = *host.mapper.named("v0");
	device.live[0].params = "track 253:0 0 - 0 - 128";
	device.status.mode = table::Mode::track;
	device.status.phase = table::Phase::idle;
	host.mapper.calls.clear();
	for (const auto &refused :
	     {merge(), push(3),
	      copy(host.context, {.name = "v0", .target = "/dev/s3"}, volume::Run::doit),
	      view(host.context, {.name = "v0", .view = "now", .store = "/dev/s3"},
		   volume::Run::doit)}) {
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::needs_attention)
			<< refused.error().message();
		EXPECT_NE(refused.error().next.find("blkctl activate v0"), std::string::npos);
	}
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_EQ(metas(), (Words{"1=v0.meta", "0=v0.2.meta"}));
	EXPECT_TRUE(std::filesystem::exists(host.context.state_dir + "/v0.2.meta"));
	// Nor is it written down as being on a device that no boot makes.
	const auto volume = find(host.context, "v0");
	ASSERT_TRUE(volume) << volume.error().message();
	const auto now = entry_of(host.context, *volume, entry());
	ASSERT_TRUE(now) << now.error().message();
	EXPECT_EQ(now->layers, entry()->layers);
	EXPECT_EQ(now->device, "");
	EXPECT_FALSE(entry_of(host.context, *volume, std::nullopt));
	boot();
	ASSERT_EQ(live("v0"), "commit 253:0 0 8:80 0 7:1 128");
	host.mapper.named("v0")->status.phase = table::Phase::merged;
	ASSERT_TRUE(merge());
	EXPECT_EQ(metas(), (Words{"0=v0.meta"}));
}

TEST_F(Chain, TheTopIsStreamed)
{
	ASSERT_TRUE(push(1));
	ASSERT_TRUE(push(2));
	ASSERT_TRUE(push(3));
	ASSERT_TRUE(stream(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(live("v0"), "stream 253:2 0 8:96 0 7:2 128");
	set_phase("v0", table::Phase::streamed, meta::Phase::streamed, "v0.3.meta");
	const auto done = stream(host.context, "v0", volume::Run::doit);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(live("v0"), "track 8:96 0 - 0 - 128");
	EXPECT_EQ(host.mapper.devices.size(), 1u);
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_TRUE(std::filesystem::is_empty(host.context.state_dir));
	EXPECT_EQ(metas(), Words{});
}

// Wherever it was killed, a second snapshot is no hindrance to the end of the first, and nothing
// that it has loaded is left to go live.
TEST_F(Chain, ACommitClearsASnapshotThatWasKilledAway)
{
	for (const auto mode : {table::Mode::commit, table::Mode::stream})
		for (int at = 0; at <= 5; at++) {
			SCOPED_TRACE(std::string(word(mode)) + ", at " + std::to_string(at));
			begin_anew();
			const auto end = [&](volume::Run run) {
				return mode == table::Mode::commit
					       ? commit(host.context, {.name = "v0"}, run)
					       : stream(host.context, "v0", run);
			};
			ASSERT_TRUE(push(1));
			host.mapper.calls.clear();
			// create, load, resume; metadata; load, resume
			(at < 5 ? host.mapper.kill_before : host.mapper.kill_after) =
				at < 5 ? at : 2;
			EXPECT_THROW((void)push(2), fake::Killed);
			host.mapper.kill_before = host.mapper.kill_after = -1;
			const auto plan = end(volume::Run::dry);
			ASSERT_TRUE(plan) << plan.error().message();
			EXPECT_EQ(plan->steps.front().starts_with("clear the table"), at == 4)
				<< plan->steps.front();
			const auto begun = end(volume::Run::doit);
			ASSERT_TRUE(begun) << begun.error().message();
			// A layer that came up may as well be what an end has left.
			EXPECT_EQ(begun->copy.has_value(), at < 5);
			EXPECT_EQ(begun->note.empty(), at < 5) << begun->note;
			if (!begun->copy) {
				ASSERT_TRUE(end(volume::Run::doit));
			}
			EXPECT_EQ(live("v0"), std::string(word(mode)) + " 8:0 0 8:64 0 7:0 128");
			EXPECT_TRUE(host.mapper.named("v0")->inactive.empty());
			EXPECT_EQ(host.mapper.devices.size(), 1u);
			EXPECT_EQ(host.probe.loop_devices.size(), 1u);
			EXPECT_EQ(metas(), (Words{"0=v0.meta"}));
			EXPECT_FALSE(
				std::filesystem::exists(host.context.state_dir + "/v0.2.meta"));
		}
}

// The table that the first one has loaded names metadata that is gone then.
TEST_F(Chain, WhatAFirstSnapshotHasLoadedGoesWithItsMetadata)
{
	for (const bool aborted : {false, true}) {
		SCOPED_TRACE(aborted);
		begin_anew();
		host.mapper.calls.clear();
		host.mapper.kill_before = 1; // load, resume
		EXPECT_THROW((void)push(1), fake::Killed);
		host.mapper.kill_before = -1;
		ASSERT_FALSE(host.mapper.named("v0")->inactive.empty());
		const auto done =
			aborted ? volume::abort(host.context, "v0", volume::Run::doit) : merge();
		ASSERT_TRUE(done) << done.error().message();
		EXPECT_EQ(live("v0"), "track 8:0 0 - 0 - 128");
		EXPECT_TRUE(host.mapper.named("v0")->inactive.empty());
		EXPECT_FALSE(std::filesystem::exists(host.context.state_dir + "/v0.meta"));
		EXPECT_EQ(metas(), Words{});
	}
}

// Killed before and after every change of the end of each job, and run again.
TEST_F(Chain, AnEndThatIsKilledIsFinished)
{
	const auto end = [&](int which) {
		if (which == 0)
			return merge();
		return which == 1 ? merge(1) : stream(host.context, "v0", volume::Run::doit);
	};
	for (int which = 0; which < 3; which++) {
		for (int at = 0; at < 12; at++) {
			SCOPED_TRACE(std::to_string(which) + ", at " + std::to_string(at));
			begin_anew();
			ASSERT_TRUE(push(1));
			ASSERT_TRUE(push(2));
			ASSERT_TRUE(end(which));
			set_phase(which == 1 ? "v0-blk1" : "v0",
				  which == 2 ? table::Phase::streamed : table::Phase::merged,
				  which == 2 ? meta::Phase::streamed : meta::Phase::merged,
				  which == 1 ? "v0.meta" : "v0.2.meta");
			host.mapper.calls.clear();
			host.context.knob = {.at = 0};
			host.mapper.kill_after = at;
			bool killed = false;
			try {
				ASSERT_TRUE(end(which));
			} catch (const fake::Killed &) {
				killed = true;
			}
			host.mapper.kill_after = -1;
			if (!killed)
				break;
			const auto again = end(which);
			if (!again) {
				EXPECT_EQ(again.error().status, Status::not_found)
					<< again.error().message();
			}
			if (which == 0) {
				// That may have been the whole of it; then the next job began.
				EXPECT_FALSE(host.mapper.named("v0-blk1"));
				EXPECT_EQ(metas(), (Words{"0=v0.meta"}));
				EXPECT_EQ(host.probe.loop_devices.size(), 1u);
			} else if (which == 1) {
				EXPECT_EQ(live("v0-blk1"), "track 8:0 0 - 0 - 128");
			} else {
				EXPECT_EQ(host.mapper.devices.size(), 1u);
				EXPECT_TRUE(host.probe.loop_devices.empty());
				EXPECT_TRUE(std::filesystem::is_empty(host.context.state_dir));
			}
		}
	}
}
