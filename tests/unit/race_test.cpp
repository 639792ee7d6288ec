// SPDX-License-Identifier: GPL-2.0-or-later
// What others do to the same devices while a verb is at work.
#include "base/files.hpp"
#include "fake_host.hpp"
#include "tab/tab.hpp"
#include "volume/operations.hpp"
#include "volume/volume.hpp"
#include <fstream>
#include <gtest/gtest.h>
#include <utility>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_a, fake::disk_b, fake::disk_sectors, fake::disk_small, fake::volume_number;

namespace
{

class Race : public testing::Test
{
      protected:
	std::string live() { return host.mapper.at(volume_number).live[0].str(); }

	void expect_refusal(const Result<Outcome> &result, Status status, const std::string &word)
	{
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(word), std::string::npos)
			<< result.error().message();
	}

	// Does it once, the next time a table is loaded.
	void when_loaded(const std::function<void()> &act)
	{
		host.mapper.on_load = [act, done = false]() mutable {
			if (!std::exchange(done, true))
				act();
		};
	}

	Result<Outcome> copy_to_b(bool force = false)
	{
		return copy(host.context, {.name = "v0", .target = "/dev/sdb", .force = force},
			    Run::doit);
	}

	// Another volume whose copy to b has got just as far.
	void add_rival()
	{
		host.mapper.add("rival", "", {253, 9}, {{0, 8, "blkcopy", "track 8:32 0 - 0 - 8"}})
			.inactive = {{0, 8, "blkcopy", "mirror 8:32 0 8:16 0 - 8"}};
	}

	std::vector<tab::Entry> entries()
	{
		return tab::Tab::parse(read_file(host.context.tab_file).value_or("")).entries();
	}

	// As lvrename does it, to an LV that may be active.
	void rename_lv(const std::string &name)
	{
		auto &lv = host.lvm.lvs.at(0);
		if (auto *const device = host.mapper.named(lv.mapper_name))
			device->info.name = "vg-" + name;
		lv.name = name;
		lv.mapper_name = "vg-" + name;
	}

	fake::Host host;
	const std::string on_a = "0 131072 blkcopy track 8:0 0 - 0 - 128";
};

} // namespace

TEST_F(Race, TwoCopiesDoNotTakeOneTarget)
{
	auto &device = host.add_volume();
	when_loaded([this] { add_rival(); });
	expect_refusal(copy_to_b(true), Status::busy, "held by /dev/mapper/rival");
	EXPECT_EQ(live(), on_a);
	EXPECT_TRUE(device.inactive.empty());
}

TEST_F(Race, ATargetThatWasFormattedMeanwhileIsLeftAlone)
{
	auto &device = host.add_volume();
	when_loaded([this] { host.probe.signatures[disk_b] = {"ext4", "filesystem"}; });
	expect_refusal(copy_to_b(), Status::busy, "ext4");
	EXPECT_EQ(live(), on_a);
	EXPECT_TRUE(device.inactive.empty());
}

TEST_F(Race, CreateGivesWayToo)
{
	when_loaded([this] { add_rival(); });
	expect_refusal(create(host.context, {.name = "v0", .device = "/dev/sdb"}, Run::doit),
		       Status::busy, "held by /dev/mapper/rival");
	EXPECT_FALSE(host.mapper.named("v0"));
}

TEST_F(Race, PivotEndsTheCopyThatWasMeantAndNoOther)
{
	host.add_volume();
	const auto started = copy_to_b();
	ASSERT_TRUE(started && started->copy);
	EXPECT_EQ(started->copy->base, (table::Leg{disk_a, 0}));
	EXPECT_EQ(started->copy->top, (table::Leg{disk_b, 0}));
	const auto try_pivot = [&](const char *table) {
		host.set_table(table);
		return pivot(host.context, {.name = "253:0", .only = started->copy}, Run::doit);
	};
	host.mapper.calls.clear();
	expect_refusal(try_pivot("track 8:0 0 - 0 - 128"), Status::aborted, "aborted");
	expect_refusal(try_pivot("mirror 8:0 0 8:32 0 - 128"), Status::aborted, "aborted");
	expect_refusal(try_pivot("mirror 8:32 0 8:16 0 - 128"), Status::failed, "another copy");
	EXPECT_TRUE(try_pivot("track 8:16 0 - 0 - 128")->already);
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_FALSE(try_pivot("mirror 8:0 0 8:16 0 - 128")->already);
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:16 0 - 0 - 128");
}

TEST_F(Race, ATableThatAnotherToolMadeLiveIsNotReverted)
{
	auto &device = host.add_volume();
	const dm::Table longer{{0, 2 * disk_sectors, "linear", "8:0 0"}};
	when_loaded([&] { device.live = longer; });
	expect_refusal(copy_to_b(), Status::busy, "replaced its table");
	EXPECT_EQ(device.live, longer);
	EXPECT_TRUE(device.inactive.empty());
}

TEST_F(Race, ATableThatAnotherToolLoadedDoesNotGoLive)
{
	auto &device = host.add_volume();
	const dm::Table other{{0, disk_sectors, "linear", "8:0 8"}};
	when_loaded([&] { device.inactive = other; });
	expect_refusal(copy_to_b(), Status::busy, "loaded a table");
	EXPECT_EQ(live(), on_a);
	EXPECT_EQ(device.inactive, other);
}

// LVM preloads tables; only what a killed command of ours loaded is cleared.
TEST_F(Race, ATableThatAnotherToolLoadedBeforeIsNotCleared)
{
	auto &device = host.add_volume();
	const dm::Table other{{0, 2 * disk_sectors, "linear", "8:0 0"}};
	device.inactive = other;
	expect_refusal(copy_to_b(), Status::busy, "loaded a table");
	EXPECT_EQ(device.inactive, other);
	EXPECT_TRUE(host.mapper.calls.empty());
	// The way out of a detach that was killed is ours.
	device.inactive = {{0, disk_sectors, "linear", "8:0 0"}};
	EXPECT_TRUE(copy_to_b());
}

TEST_F(Race, WhatAMessageChangesIsNoOtherTable)
{
	auto &device = host.add_copy(table::Phase::copying);
	when_loaded([&] { device.live[0].params += " 1 paused 2 rate_kib 8"; });
	EXPECT_TRUE(volume::abort(host.context, "v0", Run::doit));
	EXPECT_EQ(live(), on_a);
}

TEST_F(Race, ANumberThatAnotherDeviceHasGotIsLeftAlone)
{
	const auto swap_after_first_look = [this] {
		host.mapper.devices.clear();
		host.add_volume();
		host.mapper.on_info = [this, looks = 0]() mutable {
			if (++looks == 2)
				host.mapper.at(volume_number).info.uuid =
					"BLKCTL-ffffffffffffffffffffffffffffffff-vol";
		};
	};
	const auto verbs = {
		+[](Context &c) {
			return copy(c, {.name = "v0", .target = "/dev/sdb"}, Run::doit);
		},
		+[](Context &c) { return pivot(c, {.name = "v0"}, Run::doit); },
		+[](Context &c) { return volume::abort(c, "v0", Run::doit); },
		+[](Context &c) { return pause(c, "v0", Run::doit); },
		+[](Context &c) { return volume::remove(c, "v0", Run::doit); },
		+[](Context &c) { return attach(c, {.device = "v0"}, Run::doit); },
		+[](Context &c) { return detach(c, {.name = "v0"}, Run::doit); },
	};
	for (const auto verb : verbs) {
		swap_after_first_look();
		expect_refusal(verb(host.context), Status::busy, "has its number now");
		EXPECT_TRUE(host.mapper.calls.empty());
	}
}

// A hidden device keeps its name when its volume gets another one.
TEST_F(Race, TheHiddenDeviceOfARenamedVolumeIsNoLeftover)
{
	const dm::Table striped{{0, 4096, "striped", "2 128 8:0 0 8:48 0"}};
	host.mapper.add("x", "LVM-x", {253, 7}, striped);
	ASSERT_TRUE(attach(host.context, {.device = "x"}, Run::doit));
	host.mapper.at({253, 7}).info.name = "y";
	host.mapper.add("x", "LVM-z", {253, 8}, {{0, 4096, "linear", "8:32 0"}});
	const auto attached = attach(host.context, {.device = "x"}, Run::doit);
	ASSERT_TRUE(attached) << attached.error().message();
	ASSERT_TRUE(host.mapper.named("x-blkreal"));
	EXPECT_EQ(find(host.context, "y")->kind, Kind::stacked);
}

// What a killed command left is found under the new name too.
TEST_F(Race, TheLeftoverOfARenamedVolumeIsItsOwn)
{
	const dm::Table striped{{0, disk_sectors, "striped", "2 128 8:0 0 8:48 0"}};
	host.mapper.add("x", "LVM-x", {253, 7}, striped);
	ASSERT_TRUE(attach(host.context, {.device = "x"}, Run::doit));
	ASSERT_TRUE(copy(host.context, {.name = "x", .target = "/dev/sdb", .sync_none = true},
			 Run::doit));
	host.mapper.calls.clear();
	host.mapper.kill_before = 3; // phase pivot, load, resume, remove
	EXPECT_THROW((void)pivot(host.context, {.name = "x", .until_reboot = true}, Run::doit),
		     fake::Killed);
	host.mapper.kill_before = -1;
	host.mapper.at({253, 7}).info.name = "y";
	ASSERT_TRUE(host.mapper.named("x-blkreal"));
	ASSERT_TRUE(pivot(host.context, {.name = "y", .until_reboot = true}, Run::doit));
	EXPECT_FALSE(host.mapper.named("x-blkreal"));
}

// Two entries of one volume are two places of it: an LV keeps one, under the name that LVM has.
TEST_F(Race, AnLvThatIsRenamedHasOneEntry)
{
	const auto is_at = [&](const std::string &name) {
		const auto all = entries();
		ASSERT_EQ(all.size(), 1u);
		EXPECT_EQ(all[0].name, name);
		EXPECT_EQ(all[0].lv, std::string(64, 'L'));
	};
	const auto move = [&](const std::string &name, const std::string &target) {
		ASSERT_TRUE(copy(host.context, {.name = name, .target = target, .sync_none = true},
				 Run::doit));
		const auto done = pivot(host.context, {.name = name, .persist = true}, Run::doit);
		ASSERT_TRUE(done) << done.error().message();
	};
	host.add_lv();
	host.probe.add({8, 64}, "/dev/sde", disk_sectors);
	host.probe.add({8, 80}, "/dev/sdf", disk_sectors);
	move("vg-lv", "/dev/sdb");
	is_at("vg-lv");
	rename_lv("new");
	move("vg-new", "/dev/sde");
	is_at("vg-new");
	EXPECT_EQ(entries()[0].device, "name:sde");
	rename_lv("newer");
	const auto taken =
		snapshot(host.context, {.name = "vg-newer", .store = "/dev/sdf"}, Run::doit);
	ASSERT_TRUE(taken) << taken.error().message();
	is_at("vg-newer");
	EXPECT_EQ(entries()[0].layers.size(), 1u);
	ASSERT_TRUE(deactivate(host.context, "vg-newer", Run::doit));
	const auto back = activate(host.context, {.what = "vg-newer"}, Run::doit);
	ASSERT_TRUE(back) << back.error().message();
	EXPECT_EQ(host.mapper.named("vg-newer")->live.at(0).params,
		  "overlay 8:64 0 8:80 0 7:0 128");
	// Back with LVM, there is none.
	ASSERT_TRUE(commit(host.context, {.name = "vg-newer"}, Run::doit));
	host.mapper.named("vg-newer")->status.phase = table::Phase::merged;
	ASSERT_TRUE(commit(host.context, {.name = "vg-newer"}, Run::doit));
	rename_lv("lv");
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb", .sync_none = true},
			 Run::doit));
	const auto left = pivot(host.context, {.name = "vg-lv", .until_reboot = true}, Run::doit);
	ASSERT_TRUE(left) << left.error().message();
	EXPECT_TRUE(entries().empty());
}

// Wherever it is: nobody would look for it by the other name.
TEST_F(Race, AnLvDoesNotComeUpByANameThatLvmHasNotForIt)
{
	host.add_lv();
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb", .sync_none = true},
			 Run::doit));
	ASSERT_TRUE(pivot(host.context, {.name = "vg-lv", .persist = true}, Run::doit));
	host.probe.add({8, 64}, "/dev/sde", disk_sectors);
	for (const bool layered : {false, true}) {
		if (layered) {
			ASSERT_TRUE(snapshot(host.context, {.name = "vg-lv", .store = "/dev/sde"},
					     Run::doit));
		}
		rename_lv("new");
		const auto gone = deactivate(host.context, "vg-new", Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		EXPECT_EQ(gone->brought_back_by, "vg-lv");
		host.mapper.calls.clear();
		expect_refusal(activate(host.context, {.what = "vg-lv"}, Run::doit),
			       Status::needs_attention, "LVM calls its LV vg/new by now");
		EXPECT_TRUE(host.mapper.calls.empty());
		rename_lv("lv");
		ASSERT_TRUE(activate(host.context, {.what = "vg-lv"}, Run::doit));
	}
}

TEST_F(Race, ACreatedVolumeThatIsRenamedHasOneEntry)
{
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   Run::doit));
	host.mapper.named("v0")->info.name = "v9";
	ASSERT_TRUE(copy(host.context, {.name = "v9", .target = "/dev/sdb", .sync_none = true},
			 Run::doit));
	ASSERT_TRUE(pivot(host.context, {.name = "v9"}, Run::doit));
	ASSERT_EQ(entries().size(), 1u);
	EXPECT_EQ(entries()[0].name, "v9");
	EXPECT_EQ(entries()[0].device, "name:sdb");
	host.mapper.named("v9")->info.name = "v8";
	host.mapper.fail = "resume";
	EXPECT_FALSE(snapshot(host.context, {.name = "v8", .store = "/dev/sda"}, Run::doit));
	host.mapper.fail.clear();
	ASSERT_EQ(entries().size(), 1u);
	EXPECT_EQ(entries()[0].name, "v9");
	ASSERT_TRUE(snapshot(host.context, {.name = "v8", .store = "/dev/sda"}, Run::doit));
	ASSERT_EQ(entries().size(), 1u);
	EXPECT_EQ(entries()[0].name, "v8");
	ASSERT_TRUE(deactivate(host.context, "v8", Run::doit));
	ASSERT_TRUE(activate(host.context, {.what = "v8"}, Run::doit));
	host.mapper.named("v8")->info.name = "v7";
	ASSERT_TRUE(deactivate(host.context, "v7", Run::doit));
	EXPECT_EQ(entries()[0].name, "v8");
}

// Its metadata goes by the name it was made with, and so it comes back by that.
TEST_F(Race, ARenamedVolumeWithMetadataIsRenamedBackFirst)
{
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   Run::doit));
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, Run::doit));
	host.probe.add({8, 64}, "/dev/sde", disk_sectors);
	host.mapper.named("v0")->info.name = "v9";
	host.mapper.calls.clear();
	const auto before = entries();
	const auto another = snapshot(host.context, {.name = "v9", .store = "/dev/sde"}, Run::doit);
	expect_refusal(another, Status::needs_attention, "its metadata goes by v0");
	EXPECT_EQ(another.error().next, "dmsetup rename v9 v0");
	EXPECT_TRUE(host.mapper.calls.empty());
	ASSERT_TRUE(commit(host.context, {.name = "v9"}, Run::doit));
	// What its job is told goes where it is written down.
	ASSERT_TRUE(pause(host.context, "v9", Run::doit));
	ASSERT_EQ(entries().size(), 1u);
	EXPECT_EQ(entries()[0].name, "v0");
	EXPECT_TRUE(entries()[0].features.paused);
	ASSERT_TRUE(resume(host.context, "v9", Run::doit));
	EXPECT_EQ(entries(), before);
	host.mapper.named("v9")->status.phase = table::Phase::merged;
	host.mapper.calls.clear();
	expect_refusal(commit(host.context, {.name = "v9"}, Run::doit), Status::needs_attention,
		       "its metadata goes by v0");
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_EQ(entries(), before);
	const auto gone = deactivate(host.context, "v9", Run::doit);
	ASSERT_TRUE(gone) << gone.error().message();
	EXPECT_EQ(gone->brought_back_by, "v0");
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, Run::doit));
}

// The other one's place would be written over.
TEST_F(Race, ANameThatAnotherVolumeOfTheTabHasIsNotTaken)
{
	host.add_volume();
	std::ofstream(host.context.tab_file)
		<< "v0 name:sdc - uuid=" << std::string(32, 'f') << "\n";
	const auto before = entries();
	expect_refusal(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, Run::doit),
		       Status::busy, "has another volume of this name");
	EXPECT_EQ(entries(), before);
	EXPECT_EQ(live(), on_a);
}

TEST_F(Race, TableAndStatusAreOfOneMoment)
{
	host.add_volume();
	host.mapper.on_status = [this, done = false]() mutable {
		if (!std::exchange(done, true))
			host.add_copy(table::Phase::synced);
	};
	const auto volume = find(host.context, "v0");
	ASSERT_TRUE(volume) << volume.error().message();
	EXPECT_EQ(volume->state(), JobState::ready);

	host.mapper.on_status = [this] {
		auto &mode = host.mapper.at(volume_number).status.mode;
		mode = table::Mode::track;
	};
	EXPECT_EQ(find(host.context, "v0").error().status, Status::busy);
}
