// SPDX-License-Identifier: GPL-2.0-or-later
// Devices of others that are taken over and given back, on a recorded host.
#include "verbs_fixture.hpp"

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_a;

using Attach = fake::VerbsTest;

TEST_F(Attach, AbsorbsOneLinearLine)
{
	auto &device = add_foreign({{0, 4096, "linear", "8:0 2048"}});
	device.info.read_only = true;
	device.info.open_count = 1;
	ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, Run::doit));
	EXPECT_EQ(live({253, 7}), "0 4096 blkcopy track 8:0 2048 - 0 - 128");
	EXPECT_TRUE(device.info.read_only);
	EXPECT_EQ(find(host.context, "vg-lv")->kind, Kind::absorbed);
	host.mapper.calls.clear();
	expect_refusal(attach(host.context, {.device = "vg-lv"}, Run::doit), Status::busy,
		       "already");
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv"}, Run::doit));
	EXPECT_EQ(live({253, 7}), "0 4096 linear 8:0 2048");
	EXPECT_TRUE(device.info.read_only);
}

TEST_F(Attach, DetachAfterAPivotMustBeAskedForTwice)
{
	auto &device = add_foreign({{0, 4096, "linear", "8:0 2048"}});
	ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, Run::doit));
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb", .sync_none = true},
			 Run::doit));
	ASSERT_TRUE(pivot(host.context, {.name = "vg-lv", .until_reboot = true}, Run::doit));
	host.mapper.calls.clear();
	expect_refusal(detach(host.context, {.name = "vg-lv"}, Run::doit), Status::usage,
		       "--to-copy");
	expect_refusal(detach(host.context, {.name = "vg-lv"}, Run::doit), Status::usage,
		       "from /dev/sda to /dev/sdb");
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv", .to_copy = true}, Run::doit));
	EXPECT_EQ(device.live[0].str(), "0 4096 linear 8:16 0");

	// An aborted copy moves nothing; what nobody remembers is not taken for granted.
	device.live = {{0, 4096, "linear", "8:0 2048"}};
	ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, Run::doit));
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb"}, Run::doit));
	ASSERT_TRUE(volume::abort(host.context, "vg-lv", Run::doit));
	const auto before = host.mapper.at({253, 7});
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv"}, Run::doit));
	EXPECT_EQ(device.live[0].str(), "0 4096 linear 8:0 2048");
	device = before;
	host.mapper.calls.clear();
	expect_refusal(detach(host.context, {.name = "vg-lv"}, Run::doit), Status::usage,
		       "not known");
}

TEST_F(Attach, StacksTheRest)
{
	const dm::Table tables[] = {
		{{0, 4096, "linear", "8:0 0"}, {4096, 4096, "linear", "8:16 0"}},
		{{0, 4096, "striped", "2 128 8:0 0 8:16 0"}},
		{{0, 4096, "crypt", "aes-xts-plain64 00ffee 0 8:0 0"}},
		{{0, 4096, "thin", "253:99 1"}},
	};
	for (const auto &table : tables) {
		auto &device = add_foreign(table);
		const auto plan = attach(host.context, {.device = "vg-lv"}, Run::dry);
		ASSERT_TRUE(plan) << plan.error().message();
		for (const auto &step : plan->steps)
			EXPECT_EQ(step.find("00ffee"), std::string::npos) << step;
		ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, Run::doit));
		auto *const hidden = host.mapper.named("vg-lv-blkreal");
		ASSERT_TRUE(hidden);
		EXPECT_EQ(hidden->live, table);
		EXPECT_EQ(find(host.context, "vg-lv")->kind, Kind::stacked);
		ASSERT_TRUE(detach(host.context, {.name = "vg-lv"}, Run::doit));
		EXPECT_EQ(device.live, table);
		EXPECT_FALSE(host.mapper.named("vg-lv-blkreal"));
	}
}

TEST_F(Attach, TheHiddenDeviceOfAStackIsNoVolume)
{
	for (const char *uuid : {"LVM-x", ""}) {
		host.mapper.devices.clear();
		add_foreign({{0, 4096, "striped", "2 128 8:0 0 8:16 0"}}, uuid);
		ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, Run::doit));
		host.mapper.calls.clear();
		expect_refusal(detach(host.context, {.name = "vg-lv-blkreal"}, Run::doit),
			       Status::usage, "the hidden device of the volume vg-lv");
		expect_refusal(remove(host.context, "vg-lv-blkreal", Run::doit), Status::usage,
			       "blkctl remove vg-lv");
	}
}

TEST_F(Attach, RefusesTheOthersWithReason)
{
	for (const char *type :
	     {"snapshot", "snapshot-origin", "thin-pool", "cache", "writecache", "era", "raid",
	      "mirror", "integrity", "verity", "multipath", "flakey"}) {
		add_foreign({{0, 4096, type, "8:0 0"}});
		expect_refusal(attach(host.context, {.device = "vg-lv"}, Run::doit), Status::failed,
			       type);
	}
	add_foreign({{0, 4096, "crypt", "aes-xts-plain64 :64:logon:cryptsetup:x-d0 0 8:0 32768"}});
	expect_refusal(attach(host.context, {.device = "vg-lv"}, Run::doit), Status::failed,
		       "cryptsetup refresh --disable-keyring vg-lv");
	auto &device = add_foreign({{0, 4096, "linear", "8:0 0"}});
	host.probe.signatures[{253, 7}] = {"LVM2_member", "raid"};
	expect_refusal(attach(host.context, {.device = "vg-lv"}, Run::doit), Status::busy, "LVM");
	host.probe.signatures.clear();
	device.info.suspended = true;
	expect_refusal(attach(host.context, {.device = "vg-lv"}, Run::doit), Status::busy,
		       "suspended");
	device.info.suspended = false;
	device.info.uuid = "LVM-" + std::string(64, 'x') + "-tdata";
	expect_refusal(attach(host.context, {.device = "vg-lv"}, Run::doit), Status::failed, "LVM");
	device.info.uuid = "";
	device.inactive = {{0, 8, "zero", ""}};
	expect_refusal(attach(host.context, {.device = "vg-lv"}, Run::doit), Status::busy,
		       "another tool");
	expect_refusal(attach(host.context, {.device = "/dev/sdb"}, Run::doit), Status::usage,
		       "blkctl create");
	host.probe.used[disk_a] = {{udev::Use::Kind::mounted, "/", {}, disk_a}};
	expect_refusal(attach(host.context, {.device = "/dev/sda"}, Run::doit), Status::busy,
		       "wrapped");
}

TEST_F(Attach, DetachAndRemoveKnowWhoseVolumeItIs)
{
	auto &device = host.add_volume();
	expect_refusal(detach(host.context, {.name = "v0"}, Run::doit), Status::usage, "remove");
	device.info.open_count = 1;
	expect_refusal(remove(host.context, "v0", Run::doit), Status::busy, "open");
	device.info.open_count = 0;
	host.add_copy(table::Phase::copying);
	expect_refusal(remove(host.context, "v0", Run::doit), Status::busy, "copy");
	device.info.uuid = "other";
	expect_refusal(detach(host.context, {.name = "v0"}, Run::doit), Status::busy, "copy");
	expect_refusal(remove(host.context, "v0", Run::doit), Status::usage, "detach");
}
