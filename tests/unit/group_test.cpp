// SPDX-License-Identifier: GPL-2.0-or-later
// Snapshots of several volumes at one instant, on a recorded host.
#include "base/files.hpp"
#include "fake_host.hpp"
#include "meta/superblock.hpp"
#include "tab/tab.hpp"
#include "volume/operations.hpp"
#include <filesystem>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_sectors;

namespace
{

class Group : public testing::Test
{
      protected:
	void SetUp() override
	{
		host.add_volume();
		set_second("track 8:32 0 - 0 - 128");
		host.probe.add({8, 64}, "/dev/sde", disk_sectors);
	}
	void set_second(const std::string &params)
	{
		host.mapper.add("v1", "BLKCTL-ffeeddccbbaa99887766554433221100-vol", {253, 5},
				{{0, disk_sectors / 2, "blkcopy", params}});
	}
	Result<Outcome> take(const std::string &first, const std::string &second,
			     volume::Run run = volume::Run::doit)
	{
		return snapshot_all(
			host.context,
			{{.name = "v0", .store = first}, {.name = "v1", .store = second}}, run);
	}
	std::string live(const std::string &name)
	{
		return host.mapper.named(name)->live.at(0).params;
	}
	void expect_untouched()
	{
		EXPECT_EQ(live("v0"), "track 8:0 0 - 0 - 128");
		EXPECT_EQ(live("v1"), "track 8:32 0 - 0 - 128");
		EXPECT_EQ(host.mapper.devices.size(), 2u);
		EXPECT_TRUE(host.mapper.named("v0")->inactive.empty());
		EXPECT_TRUE(host.mapper.named("v1")->inactive.empty());
		EXPECT_TRUE(host.probe.loop_devices.empty());
		EXPECT_EQ(read_file(host.context.tab_file).value_or("").find("v0"),
			  std::string::npos);
	}
	void expect_refusal(const Result<Outcome> &result, Status status, const std::string &word)
	{
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(word), std::string::npos)
			<< result.error().message();
		expect_untouched();
	}
	// v1 cannot switch.
	void expect_first_alone(bool by_target)
	{
		host.mapper.refused = {{253, 5}};
		host.mapper.refused_by_target = by_target;
		const auto failed = take("/dev/sdb", "/dev/sde");
		ASSERT_FALSE(failed);
		EXPECT_EQ(failed.error().status, Status::needs_attention);
		EXPECT_EQ(failed.error().device, "v1");
		EXPECT_EQ(failed.error().why, "refused by the target; v0 switched all the same, "
					      "and stays so; v1 did not");
		EXPECT_EQ(failed.error().next,
			  "blkctl commit of v0, or blkctl snapshot of v1 alone");
		EXPECT_EQ(live("v0"), "overlay 8:0 0 8:16 0 7:0 128");
		EXPECT_EQ(live("v1"), "track 8:32 0 - 0 - 128");
		EXPECT_FALSE(host.mapper.named("v1")->info.suspended);
		EXPECT_TRUE(host.mapper.named("v1")->inactive.empty());
		// What was there for the switch alone is gone; what v0 is on, and comes back by, is
		// not.
		EXPECT_EQ(host.mapper.devices.size(), 2u);
		EXPECT_EQ(host.probe.loop_devices.size(), 2u);
		EXPECT_TRUE(std::filesystem::exists(host.context.state_dir + "/v0.meta"));
		const auto tab = tab::Tab::parse(read_file(host.context.tab_file).value_or(""));
		const auto entry = tab.find("v0");
		ASSERT_TRUE(entry);
		EXPECT_EQ(entry->layers.size(), 1u);
		host.mapper.refused.clear();
	}

	fake::Host host;
};

} // namespace

TEST_F(Group, BothAtOneInstant)
{
	host.probe.used[{253, 5}] = {{udev::Use::Kind::mounted, "/srv", {}, {253, 5}}};
	ASSERT_TRUE(take("/dev/sdb", "/dev/sde", volume::Run::dry));
	expect_untouched();
	const auto made = take("/dev/sdb", "/dev/sde");
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live("v0"), "overlay 8:0 0 8:16 0 7:0 128");
	EXPECT_EQ(live("v1"), "overlay 8:32 0 8:64 0 7:1 128");
	EXPECT_EQ(host.mapper.devices.size(), 2u);
	EXPECT_EQ(made->stall_ms, 7.0);
	EXPECT_EQ(made->freeze_ms, 9.0);
	EXPECT_EQ(host.mapper.group.mounts, (std::vector<std::string>{"/srv"}));
	// The one without a filesystem that is seen is left to the kernel.
	EXPECT_EQ(host.mapper.group.lockfs, (std::vector<DevNo>{{253, 0}}));
	EXPECT_EQ(tab::Tab::parse(*read_file(host.context.tab_file)).entries().size(), 2u);
	EXPECT_TRUE(take("/dev/sdb", "/dev/sde")->already);
}

TEST_F(Group, WithoutAFreeze)
{
	host.probe.used[{253, 5}] = {{udev::Use::Kind::mounted, "/srv", {}, {253, 5}}};
	ASSERT_TRUE(snapshot_all(host.context,
				 {{.name = "v0", .store = "/dev/sdb", .no_freeze = true},
				  {.name = "v1", .store = "/dev/sde", .no_freeze = true}},
				 volume::Run::doit));
	EXPECT_TRUE(host.mapper.group.mounts.empty());
	EXPECT_TRUE(host.mapper.group.lockfs.empty());
}

// A filesystem further up is frozen from outside, of one volume too.
TEST_F(Group, AFilesystemAboveOneVolume)
{
	host.mapper.add("luks", "CRYPT-x", {253, 8}, {{0, 64, "crypt", "x 0 0 253:0 0"}});
	host.probe.used[{253, 8}] = {{udev::Use::Kind::mounted, "/home", {}, {253, 8}}};
	const auto made =
		snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(host.mapper.group.mounts, (std::vector<std::string>{"/home"}));
	EXPECT_EQ(live("v0"), "overlay 8:0 0 8:16 0 7:0 128");
}

TEST_F(Group, AllOrNone)
{
	for (const char *call : {"load", "create", "switch_all", "resume"}) {
		host.mapper.fail = call;
		const auto failed = take("/dev/sdb", "/dev/sde");
		ASSERT_FALSE(failed) << call;
		expect_untouched();
	}
	host.mapper.fail.clear();
	EXPECT_TRUE(take("/dev/sdb", "/dev/sde"));
}

// A table that is refused when it is resumed: the other volume writes to its store by then.
TEST_F(Group, WhoHasSwitchedStays)
{
	expect_first_alone(false);
	const auto alone =
		snapshot(host.context, {.name = "v1", .store = "/dev/sde"}, volume::Run::doit);
	ASSERT_TRUE(alone) << alone.error().message();
	EXPECT_EQ(live("v1"), "overlay 8:32 0 8:64 0 7:1 128");
}

// By its target: the new table is live by then, and the old one comes back.
TEST_F(Group, WhoHasSwitchedStaysWhenATargetRefuses)
{
	expect_first_alone(true);
	const auto merged = commit(host.context, {.name = "v0"}, volume::Run::doit);
	ASSERT_TRUE(merged) << merged.error().message();
}

TEST_F(Group, OneThatIsLeftSuspendedIsNamed)
{
	host.mapper.refused = {{253, 5}};
	host.mapper.refused_by_target = true;
	// The old table is refused as well.
	host.mapper.on_switch = [this](fake::Device &device) {
		if (device.info.name == "v0")
			host.mapper.fail = "load";
	};
	const auto failed = take("/dev/sdb", "/dev/sde");
	ASSERT_FALSE(failed);
	EXPECT_EQ(failed.error().status, Status::needs_attention);
	EXPECT_NE(failed.error().why.find("v1 is suspended, see dmsetup resume v1"),
		  std::string::npos)
		<< failed.error().message();
	EXPECT_EQ(failed.error().next, "blkctl commit of v0, v1");
	EXPECT_EQ(live("v1"), "overlay 8:32 0 8:64 0 7:1 128");
	EXPECT_TRUE(std::filesystem::exists(host.context.state_dir + "/v1.meta"));
}

TEST_F(Group, NoneThatHasSwitchedIsUndone)
{
	for (const bool by_target : {false, true}) {
		host.mapper.refused = {{253, 0}, {253, 5}};
		host.mapper.refused_by_target = by_target;
		expect_refusal(take("/dev/sdb", "/dev/sde"), Status::failed,
			       "refused by the target");
	}
}

TEST_F(Group, AViewThatIsArmedStays)
{
	const std::vector<ViewRequest> requests = {
		{.name = "v0", .view = "now0", .store = "/dev/sdb"},
		{.name = "v1", .view = "now1", .store = "/dev/sde"}};
	host.mapper.refused = {{253, 0}};
	const auto failed = view_all(host.context, requests, volume::Run::doit);
	ASSERT_FALSE(failed);
	EXPECT_EQ(failed.error().status, Status::needs_attention);
	EXPECT_EQ(failed.error().next, "blkctl abort of v1, and the same again");
	EXPECT_EQ(live("v0"), "track 8:0 0 - 0 - 128");
	EXPECT_EQ(live("v1"), "backup 8:32 0 8:64 0 - 128 1 paused");
	host.mapper.refused.clear();
	ASSERT_TRUE(volume::abort(host.context, "v1", volume::Run::doit));
	const auto again = view_all(host.context, requests, volume::Run::doit);
	ASSERT_TRUE(again) << again.error().message();
}

TEST_F(Group, RefusesBadInput)
{
	expect_refusal(take("/dev/sdb", "/dev/sdb"), Status::usage, "the store of two volumes");
	expect_refusal(take("/dev/sdb", "/dev/nope"), Status::not_found, "nope");
	expect_refusal(take("/dev/sdb", "/dev/sda"), Status::busy, "/dev/sda");
	expect_refusal(snapshot_all(host.context,
				    {{.name = "v0", .store = "/dev/sdb"},
				     {.name = "v0", .store = "/dev/sde"}},
				    volume::Run::doit),
		       Status::usage, "named twice");
	host.probe.used[{8, 64}] = {{udev::Use::Kind::swap, "", {}, {8, 64}}};
	expect_refusal(take("/dev/sdb", "/dev/sde"), Status::busy, "swap");
	host.probe.used.clear();
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit));
	EXPECT_EQ(take("/dev/sdb", "/dev/sde").error().status, Status::busy);
}

// What is frozen first would hold up the freeze of the other, and that its thaw.
TEST_F(Group, NoneIsOnAnother)
{
	const auto expect_apart = [&](const std::string &params, const std::string &part) {
		set_second(params);
		const ViewRequest one{.name = "v0", .view = "now0", .store = "/dev/sdb"};
		const ViewRequest two{.name = "v1", .view = "now1", .store = "/dev/sde"};
		for (const auto &result : {take("/dev/sdb", "/dev/sde"),
					   snapshot_all(host.context,
							{{.name = "v1", .store = "/dev/sde"},
							 {.name = "v0", .store = "/dev/sdb"}},
							volume::Run::doit),
					   view_all(host.context, {one, two}, volume::Run::doit),
					   view_all(host.context, {two, one}, volume::Run::dry)}) {
			ASSERT_FALSE(result) << params;
			EXPECT_EQ(result.error().status, Status::usage) << result.error().message();
			EXPECT_EQ(result.error().device, "v1");
			EXPECT_EQ(result.error().why,
				  part + " is on v0, and both cannot change at one instant");
		}
		EXPECT_TRUE(host.mapper.calls.empty());
	};

	host.probe.add({7, 9}, "/dev/loop9", disk_sectors);
	host.probe.loop_devices = {{{7, 9}, "/srv/v0/file"}};
	host.probe.filesystems["/srv/v0"] = {{253, 0}};
	expect_apart("track 7:9 0 - 0 - 128", "it");
	expect_apart("track 8:32 0 - 0 7:9 128", "its metadata /srv/v0/file");
	expect_apart("overlay 8:32 0 7:9 0 8:80 128", "its store /srv/v0/file");
	expect_apart("overlay 8:32 0 8:80 0 7:9 128", "its metadata /srv/v0/file");
	expect_apart("overlay 8:32 0 8:80 0 8:96 128 0 2 bitmaps 7:9", "its metadata /srv/v0/file");
	// Further down, through a device between.
	host.mapper.add("between", "LVM-x", {253, 8}, {{0, 64, "linear", "7:9 0"}});
	expect_apart("overlay 253:8 0 8:80 0 8:96 128", "it");
	host.mapper.devices.erase({253, 8});
	set_second("track 8:32 0 - 0 - 128");
	host.probe.filesystems["/srv/v0"] = {};
	EXPECT_TRUE(take("/dev/sdb", "/dev/sde"));
}

TEST_F(Group, NoStoreOrMetadataIsOnAnother)
{
	const auto folder = host.run_dir + "/on-v0";

	host.probe.filesystems[folder] = {{253, 0}};
	expect_refusal(take("/dev/sdb", folder + "/store"), Status::usage,
		       "the file " + folder + "/store is on v0, and both");
	expect_refusal(view_all(host.context,
				{{.name = "v0", .view = "now0", .store = "/dev/sdb"},
				 {.name = "v1", .view = "now1", .store = folder + "/store"}},
				volume::Run::doit),
		       Status::usage, "the file " + folder + "/store is on v0, and both");
	expect_refusal(view_all(host.context,
				{{.name = "v0", .view = "now0", .store = "/dev/sdb"},
				 {.name = "v1",
				  .view = "now1",
				  .store = "/dev/sde",
				  .persistent = true,
				  .metadata = folder + "/meta"}},
				volume::Run::doit),
		       Status::usage, "the file " + folder + "/meta is on v0, and both");
	EXPECT_FALSE(std::filesystem::exists(folder));
	host.mapper.add("above", "LVM-x", {253, 8}, {{0, disk_sectors, "linear", "253:0 0"}});
	const auto device = take("/dev/sdb", "/dev/mapper/above");
	ASSERT_FALSE(device);
	EXPECT_EQ(device.error().status, Status::usage);
	EXPECT_NE(device.error().why.find("/dev/mapper/above is on v0, and both"),
		  std::string::npos)
		<< device.error().message();
	host.mapper.devices.erase({253, 8});
	// Of one alone it is as good as any.
	ASSERT_TRUE(snapshot(host.context, {.name = "v1", .store = folder + "/store"},
			     volume::Run::doit));
}
