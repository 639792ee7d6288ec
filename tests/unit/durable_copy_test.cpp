// SPDX-License-Identifier: GPL-2.0-or-later
// copy --metadata: a mirror whose state is durable; on a recorded host.
#include "base/files.hpp"
#include "fake_host.hpp"
#include "meta/superblock.hpp"
#include "tab/tab.hpp"
#include "volume/boot.hpp"
#include "volume/operations.hpp"
#include <filesystem>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::volume_number;

namespace
{

class DurableCopy : public testing::Test
{
      protected:
	std::string file() { return host.run_dir + "/copy.meta"; }
	std::string live() { return host.mapper.named("v0")->live.at(0).params; }
	std::string tab() { return read_file(host.context.tab_file).value_or(""); }
	std::optional<tab::Entry> entry() { return tab::Tab::parse(tab()).find("v0"); }
	Result<Outcome> start()
	{
		return copy(host.context, {.name = "v0", .target = "/dev/sdb", .metadata = file()},
			    volume::Run::doit);
	}
	void boot()
	{
		const auto gone = deactivate(host.context, "v0", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		const auto back = activate(host.context, {.what = "v0"}, volume::Run::doit);
		ASSERT_TRUE(back) << back.error().message();
		host.mapper.calls.clear();
	}
	Result<Outcome> hold() { return pause(host.context, "v0", volume::Run::doit); }
	Result<Outcome> go_on() { return resume(host.context, "v0", volume::Run::doit); }
	Result<Outcome> tell(const Settings &settings)
	{
		return set(host.context, "v0", settings, volume::Run::doit);
	}
	void set_phase(meta::Phase phase)
	{
		const auto device = meta::open_device(file(), meta::Access::write);
		ASSERT_TRUE(device);
		auto super = meta::read_superblock(**device);
		ASSERT_TRUE(super);
		super->phase = phase;
		ASSERT_TRUE(meta::update_superblock(**device, *super));
	}

	fake::Host host;
};

} // namespace

TEST_F(DurableCopy, StartsAndIsPivoted)
{
	host.add_volume();
	const auto started = start();
	ASSERT_TRUE(started) << started.error().message();
	EXPECT_EQ(live(), "mirror 8:0 0 8:16 0 7:0 128");
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->layers, (std::vector<tab::Layer>{{0, file()}}));
	const auto super = meta::read_superblock(**meta::open_device(file(), meta::Access::read));
	ASSERT_TRUE(super);
	EXPECT_EQ(super->mode, meta::Mode::mirror);
	EXPECT_EQ(super->phase, meta::Phase::copying);
	EXPECT_TRUE(start()->already);
	EXPECT_EQ(start()->note, "");
	const CopyRequest late{
		.name = "v0", .target = "/dev/sdb", .metadata = file(), .boot = false};
	EXPECT_NE(copy(host.context, late, volume::Run::doit)->note.find("--no-boot"),
		  std::string::npos);

	host.mapper.at(volume_number).status.phase = table::Phase::synced;
	ASSERT_TRUE(pivot(host.context, {.name = "v0"}, volume::Run::doit));
	EXPECT_EQ(live(), "track 8:16 0 - 0 - 128");
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_TRUE(std::filesystem::exists(file())); // not in the state folder: the user's own
	EXPECT_EQ(entry()->device, "name:sdb");
}

TEST_F(DurableCopy, SaysIfNothingBringsItBack)
{
	host.add_volume().info.uuid = "LVM-x";
	const auto attached = start();
	ASSERT_TRUE(attached) << attached.error().message();
	EXPECT_NE(attached->note.find("v0 was attached"), std::string::npos) << attached->note;
	EXPECT_FALSE(entry());
}

TEST_F(DurableCopy, IsAborted)
{
	host.add_volume();
	ASSERT_TRUE(start());
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(live(), "track 8:0 0 - 0 - 128");
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_EQ(entry()->device, "name:sda");
}

// Of a copy that has failed; its metadata is its own to overwrite.
TEST_F(DurableCopy, BeginsAnewOrGoesWithTheVolume)
{
	host.add_volume();
	ASSERT_TRUE(start());
	const auto fail = [&] {
		host.mapper.at(volume_number).status.phase = table::Phase::aborted;
		host.mapper.at(volume_number).status.top_errors = 1;
		set_phase(meta::Phase::aborted);
	};
	fail();
	const auto again = start();
	ASSERT_TRUE(again) << again.error().message();
	EXPECT_EQ(live(), "mirror 8:0 0 8:16 0 7:0 128");
	fail();
	const auto in_memory =
		copy(host.context, {.name = "v0", .target = "/dev/sdb"}, volume::Run::doit);
	ASSERT_TRUE(in_memory) << in_memory.error().message();
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_EQ(start().error().status, Status::busy);

	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	set_phase(meta::Phase::aborted);
	ASSERT_TRUE(start());
	fail();
	ASSERT_TRUE(volume::remove(host.context, "v0", volume::Run::doit));
	EXPECT_TRUE(host.probe.loop_devices.empty());
}

TEST_F(DurableCopy, ComesBackInEveryPhase)
{
	host.add_volume();
	ASSERT_TRUE(start());
	const std::pair<meta::Phase, std::string> phases[] = {
		{meta::Phase::copying, "mirror 8:0 0 8:16 0 7:0 128"},
		{meta::Phase::synced, "mirror 8:0 0 8:16 0 7:0 128"},
		{meta::Phase::pivoted, "track 8:16 0 - 0 - 128"},
		{meta::Phase::aborted, "track 8:0 0 - 0 - 128"},
	};
	for (const auto &[phase, wanted] : phases) {
		ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
		EXPECT_TRUE(host.probe.loop_devices.empty());
		set_phase(phase);
		const auto back = activate(host.context, {.what = "v0"}, volume::Run::doit);
		ASSERT_TRUE(back) << back.error().message();
		EXPECT_EQ(live(), wanted);
	}
}

TEST_F(DurableCopy, ComesBackAsItWasTold)
{
	host.add_volume();
	const CopyRequest request{.name = "v0",
				  .target = "/dev/sdb",
				  .params = {.rate_kib = 1024,
					     .inflight_kib = 64,
					     .run_kib = 4,
					     .copy_mode = table::CopyMode::background,
					     .on_base_error = table::Policy::ignore,
					     .on_top_error = table::Policy::stop},
				  .detect_zeroes = true,
				  .no_discard_passdown = true,
				  .metadata = file()};
	const auto started = copy(host.context, request, volume::Run::doit);
	ASSERT_TRUE(started) << started.error().message();
	const auto told = live();
	EXPECT_EQ(told, "mirror 8:0 0 8:16 0 7:0 128 2 no_discard_passdown detect_zeroes 12 "
			"rate_kib 1024 inflight_kib 64 run_kib 4 copy_mode background "
			"on_base_error ignore on_top_error stop");
	boot();
	EXPECT_EQ(live(), told);
	// It goes with the copy.
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(entry()->device, "name:sda");
	EXPECT_EQ(entry()->features, table::Features());
	EXPECT_EQ(entry()->params, table::Params());
}

TEST_F(DurableCopy, IsNotToldWhatTheKernelDoesAnyway)
{
	host.add_volume();
	const CopyRequest request{.name = "v0",
				  .target = "/dev/sdb",
				  .params = {.rate_kib = 0,
					     .inflight_kib = 2048,
					     .run_kib = 512,
					     .segment_mib = 64,
					     .copy_mode = table::CopyMode::dual,
					     .on_base_error = table::Policy::report,
					     .on_top_error = table::Policy::report},
				  .metadata = file()};
	const auto started = copy(host.context, request, volume::Run::doit);
	ASSERT_TRUE(started) << started.error().message();
	EXPECT_EQ(entry()->params, table::Params());
	boot();
	EXPECT_EQ(live(), "mirror 8:0 0 8:16 0 7:0 128");
}

TEST_F(DurableCopy, StaysPausedUntilItIsResumed)
{
	host.add_volume();
	ASSERT_TRUE(start());
	const auto planned = pause(host.context, "v0", volume::Run::dry);
	ASSERT_TRUE(planned);
	EXPECT_EQ(planned->steps.size(), 2u);
	EXPECT_FALSE(entry()->features.paused);
	ASSERT_TRUE(hold());
	EXPECT_TRUE(entry()->features.paused);
	boot();
	EXPECT_EQ(live(), "mirror 8:0 0 8:16 0 7:0 128 1 paused");
	EXPECT_TRUE(hold()->already);
	ASSERT_TRUE(go_on());
	EXPECT_FALSE(entry()->features.paused);
	boot();
	EXPECT_EQ(live(), "mirror 8:0 0 8:16 0 7:0 128");
	EXPECT_TRUE(go_on()->already);
}

TEST_F(DurableCopy, GoesOnWithWhatWasSet)
{
	host.add_volume();
	ASSERT_TRUE(start());
	ASSERT_TRUE(hold());
	ASSERT_TRUE(tell({{"rate", "1M"}, {"copy_mode", "background"}, {"on_top_error", "stop"}}));
	boot();
	EXPECT_EQ(live(), "mirror 8:0 0 8:16 0 7:0 128 1 paused "
			  "6 rate_kib 1024 copy_mode background on_top_error stop");
	ASSERT_TRUE(tell({{"rate", "none"}, {"on_top_error", "report"}}));
	boot();
	EXPECT_EQ(live(), "mirror 8:0 0 8:16 0 7:0 128 1 paused 2 copy_mode background");
}

TEST_F(DurableCopy, WhatTheKernelRefusesIsNotWrittenDown)
{
	host.add_volume();
	ASSERT_TRUE(start());
	ASSERT_TRUE(tell({{"rate", "1M"}}));
	const auto before = tab();
	// The host of the tests does not know the second.
	EXPECT_FALSE(tell({{"rate", "2M"}, {"run_kib", "64"}}));
	EXPECT_EQ(tab(), before);
	EXPECT_EQ(live(), "mirror 8:0 0 8:16 0 7:0 128 0 2 rate_kib 1024");
	host.mapper.fail = "message";
	EXPECT_FALSE(hold());
	EXPECT_FALSE(tell({{"rate", "2M"}}));
	EXPECT_EQ(tab(), before);
}

TEST_F(DurableCopy, APauseThatWasKilledIsFinished)
{
	host.add_volume();
	ASSERT_TRUE(start());
	const auto killed = [&](const std::function<void()> &verb) {
		host.mapper.calls.clear();
		host.mapper.kill_before = 0; // the message
		EXPECT_THROW(verb(), fake::Killed);
		host.mapper.kill_before = -1;
	};
	killed([&] { (void)hold(); });
	EXPECT_TRUE(entry()->features.paused);
	EXPECT_FALSE(hold()->already);
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::paused);
	// Or taken back, of which the kernel knows nothing.
	ASSERT_TRUE(go_on());
	killed([&] { (void)hold(); });
	EXPECT_FALSE(go_on()->already);
	EXPECT_FALSE(entry()->features.paused);
}

// What an error has stopped tries again after a boot, unless a person says otherwise.
TEST_F(DurableCopy, WhoeverPausedItIsTold)
{
	auto &device = host.add_volume();
	ASSERT_TRUE(start());
	device.live[0].params += " 1 paused";
	device.status.top_errors = 1;
	device.status.cause = table::Cause::policy;
	const auto stopped = find(host.context, "v0");
	ASSERT_TRUE(stopped);
	EXPECT_EQ(stopped->state(), JobState::needs_attention);
	const auto now = entry_of(host.context, *stopped, entry());
	ASSERT_TRUE(now) << now.error().message();
	EXPECT_EQ(*now, *entry());
	ASSERT_TRUE(tell({{"rate", "1M"}}));
	EXPECT_FALSE(entry()->features.paused);

	host.mapper.calls.clear();
	ASSERT_TRUE(hold());
	EXPECT_TRUE(entry()->features.paused);
	EXPECT_TRUE(host.mapper.calls.empty());
}

TEST_F(DurableCopy, WhatDoesNotComeBackIsNotWrittenDown)
{
	const auto told = [&] {
		ASSERT_TRUE(hold());
		ASSERT_TRUE(tell({{"rate", "1M"}}));
		ASSERT_TRUE(go_on());
	};
	host.add_volume();
	host.add_copy(table::Phase::copying); // in memory
	told();
	EXPECT_FALSE(std::filesystem::exists(host.context.tab_file));
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	const CopyRequest unlisted{
		.name = "v0", .target = "/dev/sdb", .metadata = file(), .boot = false};
	ASSERT_TRUE(copy(host.context, unlisted, volume::Run::doit));
	told();
	EXPECT_FALSE(std::filesystem::exists(host.context.tab_file));
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	// The volume does, and its copy does not.
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   volume::Run::doit));
	ASSERT_TRUE(copy(host.context, {.name = "v0", .target = "/dev/sdb"}, volume::Run::doit));
	const auto before = tab();
	told();
	EXPECT_EQ(tab(), before);
}

TEST_F(DurableCopy, IsRefused)
{
	host.add_volume();
	const auto equal =
		copy(host.context,
		     {.name = "v0", .target = "/dev/sdb", .sync_none = true, .metadata = file()},
		     volume::Run::doit);
	ASSERT_FALSE(equal);
	EXPECT_EQ(equal.error().status, Status::usage);
	const auto on_leg =
		copy(host.context, {.name = "v0", .target = "/dev/sdb", .metadata = "/dev/sdb"},
		     volume::Run::doit);
	ASSERT_FALSE(on_leg);
	EXPECT_EQ(on_leg.error().status, Status::usage);
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_FALSE(std::filesystem::exists(file()));
}
