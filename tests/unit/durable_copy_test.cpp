// SPDX-License-Identifier: GPL-2.0-or-later
// copy --metadata: a mirror whose state is durable; on a recorded host.
#include "base/files.hpp"
#include "fake_host.hpp"
#include "meta/superblock.hpp"
#include "tab/tab.hpp"
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
	std::optional<tab::Entry> entry()
	{
		return tab::Tab::parse(read_file(host.context.tab_file).value_or("")).find("v0");
	}
	Result<Outcome> start()
	{
		return copy(host.context, {.name = "v0", .target = "/dev/sdb", .metadata = file()},
			    volume::Run::doit);
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
