// SPDX-License-Identifier: GPL-2.0-or-later
// What the verbs do and refuse, on a recorded host.
#include "verbs_fixture.hpp"
#include <filesystem>
#include <fstream>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_a, fake::disk_b, fake::disk_sectors, fake::disk_small, fake::volume_number;

using Verbs = fake::VerbsTest;

TEST_F(Verbs, CreateMakesATrackVolume)
{
	const auto made = create(host.context, {.name = "v0", .device = "/dev/sda"}, Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live(made->device), "0 131072 blkcopy track 8:0 0 - 0 - 128");
	const auto volume = find(host.context, "v0");
	ASSERT_TRUE(volume);
	EXPECT_EQ(volume->kind, Kind::created);
	EXPECT_EQ(volume->state(), JobState::none);

	host.mapper.calls.clear();
	const auto again = create(host.context, {.name = "v0", .device = "/dev/sda"}, Run::doit);
	ASSERT_TRUE(again);
	EXPECT_TRUE(again->already);
	EXPECT_TRUE(host.mapper.calls.empty());
	expect_refusal(create(host.context, {.name = "v0", .device = "/dev/sdb"}, Run::doit),
		       Status::busy, "name");
}

TEST_F(Verbs, CreateRefusesWhatIsInUse)
{
	host.probe.used[disk_a] = {{udev::Use::Kind::mounted, "/srv", {}, disk_a}};
	expect_refusal(create(host.context, {.name = "v0", .device = "/dev/sda"}, Run::doit),
		       Status::busy, "/dev/sda is mounted on /srv");
	expect_refusal(create(host.context, {.name = "v0", .device = "/dev/nope"}, Run::doit),
		       Status::not_found, "nope");
	for (const char *name : {"", "a/b", "a b", "-a", ".", "..", "control", "a=b", "8:0"})
		expect_refusal(
			create(host.context, {.name = name, .device = "/dev/sdb"}, Run::doit),
			Status::usage, "name");
	for (const uint32_t block : {0u, 4u, 100u, 4096u})
		expect_refusal(create(host.context,
				      {.name = "v0", .device = "/dev/sdb", .block_sectors = block},
				      Run::doit),
			       Status::usage, "block size");
}

TEST_F(Verbs, ADryRunChangesNothing)
{
	const auto plan = create(host.context, {.name = "v0", .device = "/dev/sda"}, Run::dry);
	ASSERT_TRUE(plan);
	EXPECT_EQ(plan->steps.size(), 4u);
	host.add_volume();
	const auto copied = copy(host.context, {.name = "v0", .target = "/dev/sdb"}, Run::dry);
	ASSERT_TRUE(copied);
	EXPECT_EQ(copied->steps[0],
		  "load into v0 (253:0): 0 131072 blkcopy mirror 8:0 0 8:16 0 - 128");
	EXPECT_TRUE(host.mapper.calls.empty());
}

TEST_F(Verbs, CopyLoadsAMirror)
{
	host.add_volume();
	CopyRequest request{.name = "v0", .target = "/dev/sdb"};
	request.params.rate_kib = 1024;
	request.sync_none = true;
	ASSERT_TRUE(copy(host.context, request, Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy mirror 8:0 0 8:16 0 - 128 0 2 rate_kib 1024");
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::ready);
	EXPECT_EQ(last_switch(host.context, host.mapper.at(volume_number).info)->stall_ms, 5.0);

	// The same again is the same copy; another target is another one.
	host.mapper.calls.clear();
	EXPECT_TRUE(copy(host.context, request, Run::doit)->already);
	request.target = "/dev/sdc";
	expect_refusal(copy(host.context, request, Run::doit), Status::busy, "already");
}

TEST_F(Verbs, CopySaysWhatIsTooLateForOneThatRuns)
{
	host.add_copy(table::Phase::copying);
	host.mapper.calls.clear();
	CopyRequest request{.name = "v0", .target = "/dev/sdb"};
	EXPECT_EQ(copy(host.context, request, Run::doit)->note, "");
	request.detect_zeroes = request.sync_none = true;
	const auto late = copy(host.context, request, Run::doit);
	ASSERT_TRUE(late) << late.error().message();
	EXPECT_TRUE(late->already);
	for (const char *said : {"v0: the copy goes on without --detect-zeroes: ",
				 "blkctl abort v0", "what is not on both devices is copied"})
		EXPECT_NE(late->note.find(said), std::string::npos) << late->note;
	EXPECT_TRUE(host.mapper.calls.empty());
	// One in the background may have begun so: nothing to begin anew for.
	request.detect_zeroes = false;
	const auto dirty = copy(host.context, request, Run::doit);
	EXPECT_EQ(dirty->note.find("v0: what is not on both"), 0u) << dirty->note;
	EXPECT_EQ(dirty->note.find("abort"), std::string::npos) << dirty->note;

	ASSERT_TRUE(volume::abort(host.context, "v0", Run::doit));
	request.sync_none = false;
	request.detect_zeroes = true;
	ASSERT_TRUE(copy(host.context, request, Run::doit));
	EXPECT_EQ(copy(host.context, request, Run::doit)->note, "");
}

TEST_F(Verbs, CopyRefusesBadTargets)
{
	host.add_volume();
	const auto try_copy = [&](const char *target, bool force = false) {
		return copy(host.context, {.name = "v0", .target = target, .force = force},
			    Run::doit);
	};
	expect_refusal(try_copy("/dev/sda", true), Status::usage, "is the source");
	expect_refusal(try_copy("/dev/mapper/v0", true), Status::usage, "the volume itself");
	expect_refusal(try_copy("/dev/sdc", true), Status::usage, "smaller");
	expect_refusal(try_copy("/dev/nope", true), Status::not_found, "nope");
	host.probe.signatures[disk_b] = {"ext4", "filesystem"};
	expect_refusal(try_copy("/dev/sdb"), Status::busy, "ext4");
	host.probe.used[disk_b] = {{udev::Use::Kind::swap, "", {}, disk_b}};
	expect_refusal(try_copy("/dev/sdb", true), Status::busy, "swap");
	host.probe.used[disk_b] = {{udev::Use::Kind::held, "md0", {9, 0}, disk_b}};
	expect_refusal(try_copy("/dev/sdb", true), Status::busy, "held by md0");
	host.probe.used.clear();
	host.probe.devices[disk_b].read_only = true;
	expect_refusal(try_copy("/dev/sdb", true), Status::failed, "read-only");
	host.probe.devices[disk_b].read_only = false;
	EXPECT_TRUE(try_copy("/dev/sdb", true));
}

// --sync none to a mistyped target would write to it with every write of the volume.
TEST_F(Verbs, WhatIsSaidToBeEqualMustLookIt)
{
	host.add_volume();
	CopyRequest request{.name = "v0", .target = "/dev/sdb", .sync_none = true};
	const auto try_copy = [&] { return copy(host.context, request, Run::doit); };
	host.probe.signatures[volume_number] = {"ext4", "filesystem", "1-1"};
	expect_refusal(try_copy(), Status::busy, "no signature, the volume ext4");
	host.probe.signatures[disk_b] = {"xfs", "filesystem", "1-1"};
	expect_refusal(try_copy(), Status::busy, "carries xfs");
	host.probe.signatures[disk_b] = {"ext4", "filesystem", "2-2"};
	expect_refusal(try_copy(), Status::busy, "UUID 2-2");
	host.probe.signatures[disk_b] = host.probe.signatures[volume_number];
	EXPECT_TRUE(try_copy());
	ASSERT_TRUE(volume::abort(host.context, "v0", Run::doit));
	host.probe.signatures[disk_b].uuid = "2-2";
	request.force = true;
	EXPECT_TRUE(try_copy());
}

// Whoever opens a device without claiming it shows in its open count alone.
TEST_F(Verbs, ADmDeviceThatIsOpenIsNoTarget)
{
	auto &target = host.mapper.add("t", "", {253, 5}, {{0, disk_sectors, "linear", "8:16 0"}});
	host.add_volume();
	target.info.open_count = 1;
	expect_refusal(copy(host.context, {.name = "v0", .target = "/dev/mapper/t", .force = true},
			    Run::doit),
		       Status::busy, "/dev/mapper/t is in use");
	expect_refusal(create(host.context, {.name = "v1", .device = "/dev/mapper/t"}, Run::doit),
		       Status::busy, "/dev/mapper/t is in use");
	// What the copy itself opens does not count.
	target.info.open_count = 0;
	EXPECT_TRUE(copy(host.context, {.name = "v0", .target = "/dev/mapper/t"}, Run::doit));
}

TEST_F(Verbs, ARefusalSaysWhatToRunNext)
{
	auto &device = host.add_volume();
	const auto next = [](const Result<Outcome> &result) {
		return result ? "" : result.error().next;
	};
	const auto copy_to = [&](const char *target) {
		return copy(host.context, {.name = "v0", .target = target}, Run::doit);
	};
	host.probe.used[disk_b] = {{udev::Use::Kind::mounted, "/srv", {}, disk_b}};
	EXPECT_EQ(next(copy_to("/dev/sdb")), "umount /srv");
	EXPECT_EQ(next(create(host.context, {.name = "v1", .device = "/dev/sdb"}, Run::doit)),
		  "umount /srv");
	host.probe.used[disk_b] = {{udev::Use::Kind::swap, "", {}, disk_b}};
	EXPECT_EQ(next(copy_to("/dev/sdb")), "swapoff /dev/sdb");
	host.probe.used[disk_b] = {{udev::Use::Kind::held, "md0", {9, 0}, disk_b}};
	EXPECT_EQ(next(copy_to("/dev/sdb")), "lsblk /dev/sdb");
	host.probe.used.clear();
	EXPECT_NE(next(copy_to("/dev/sdc")), ""); // smaller
	device.info.open_count = 1;
	EXPECT_EQ(next(remove(host.context, "v0", Run::doit)), "fuser -v /dev/mapper/v0");
	host.mapper.add("h", "BLKCTL-00112233445566778899aabbccddee00-real", {253, 3},
			{{0, 8, "striped", "2 128 8:0 0 8:1 0"}});
	EXPECT_EQ(next(attach(host.context, {.device = "h"}, Run::doit)), "blkctl list");
}

TEST_F(Verbs, ASuspendedDeviceIsNotProbed)
{
	host.mapper.add("t", "", {253, 5}, {{0, disk_sectors, "linear", "8:16 0"}}).info.suspended =
		true;
	host.mapper.add("above", "", {253, 6}, {{0, disk_sectors, "linear", "253:5 0"}});
	host.add_volume();
	for (const char *target : {"/dev/mapper/t", "/dev/mapper/above"})
		expect_refusal(copy(host.context, {.name = "v0", .target = target, .force = true},
				    Run::doit),
			       Status::busy, "t is suspended");
	expect_refusal(attach(host.context, {.device = "above"}, Run::doit), Status::busy,
		       "t below it is suspended");
}

TEST_F(Verbs, CopySeesTheSourceThroughAStackAndPartitions)
{
	host.mapper.add("x-blkreal", "BLKCTL-00112233445566778899aabbccddee00-real", {253, 3},
			{{0, 1024, "striped", "2 128 8:0 0 8:1 0"}});
	host.mapper.add("x", "", {253, 4}, {{0, 1024, "blkcopy", "track 253:3 0 - 0 - 8"}});
	host.probe.add({8, 1}, "/dev/sda1", 4096);
	host.probe.devices[{8, 1}].whole_disk = disk_a;
	EXPECT_EQ(find(host.context, "x")->kind, Kind::stacked);
	for (const char *target : {"/dev/sda", "/dev/sda1", "/dev/mapper/x-blkreal"})
		expect_refusal(copy(host.context, {.name = "x", .target = target, .force = true},
				    Run::doit),
			       Status::usage, "is the source");
	// And a target that lies on the volume.
	host.mapper.add("y", "", {253, 5}, {{0, disk_sectors, "linear", "253:4 0"}});
	expect_refusal(copy(host.context, {.name = "x", .target = "/dev/mapper/y"}, Run::doit),
		       Status::usage, "on the volume itself");
}

// Whatever is between the two: the volume would wait for itself.
TEST_F(Verbs, AFileOnTheVolumeItselfIsNotTaken)
{
	const DevNo raid{9, 0}, loop{7, 9};
	const auto snapshot_at = [&](const std::string &meta) {
		return snapshot(host.context, {.name = "v0", .store = "/dev/sdb", .metadata = meta},
				Run::doit);
	};
	auto &probe = host.probe;
	host.add_volume();
	probe.add(raid, "/dev/md0", disk_sectors);
	probe.lower[raid] = {volume_number};
	probe.loop_devices.push_back({loop, "/lower/file"});
	probe.add(loop, "/dev/loop9", disk_sectors);
	probe.filesystems = {{"/lower", {raid}}, {"/upper", {disk_small, loop}}};
	for (const char *meta : {"/lower/meta", "/upper/not/yet/meta"})
		expect_refusal(snapshot_at(meta), Status::usage, "on the volume itself");
	probe.unknown = "/unknown";
	expect_refusal(snapshot_at("/unknown/meta"), Status::usage, "is not known");
	EXPECT_TRUE(host.mapper.calls.empty());
	// The usual place is a file like any other.
	probe.filesystems[host.context.state_dir] = {loop};
	expect_refusal(snapshot_at(""), Status::usage, "on the volume itself");
	probe.filesystems.clear();
	EXPECT_TRUE(snapshot_at(""));
}

TEST_F(Verbs, PivotNeedsAReadyCopy)
{
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::not_found, "v0");
	host.add_volume();
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::not_found,
		       "no copy");
	auto &device = host.add_copy(table::Phase::copying);
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::timed_out,
		       "64.00 MiB");
	device.live[0].params += " 1 paused";
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::timed_out, "paused");
	device.status.top_errors = 1;
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::needs_attention,
		       "1 of");
	device.status.phase = table::Phase::aborted;
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::failed, "failed");
	device.status.top_errors = 0;
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::aborted, "aborted");
}

TEST_F(Verbs, PivotWaitsForTheKernel)
{
	auto &device = host.add_copy(table::Phase::synced);
	int waits = 0;
	host.mapper.pivot_at_once = false;
	host.mapper.on_wait = [&] {
		if (++waits == 1)
			device.status.phase = table::Phase::copying; // a leg failed: again
		else if (waits == 2)
			device.status.phase = table::Phase::synced;
		else
			device.status.phase = table::Phase::pivoted;
	};
	const auto done = pivot(host.context, {.name = "v0"}, Run::doit);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(waits, 3);
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:16 0 - 0 - 128");
	EXPECT_EQ(last_switch(host.context, device.info)->target, disk_b);
	// To be told of the same copy again is no error: it is done.
	EXPECT_TRUE(
		copy(host.context, {.name = "v0", .target = "/dev/sdb", .pivot = true}, Run::doit)
			->already);
	// But there is no mirror for who asks for one.
	host.mapper.calls.clear();
	expect_refusal(copy(host.context, {.name = "v0", .target = "/dev/sdb"}, Run::doit),
		       Status::usage, "is the source");
}

// It was ready when it was waited for, and a writer has touched it since.
TEST_F(Verbs, PivotCatchesUpWithABackgroundCopy)
{
	host.add_copy(table::Phase::copying);
	host.set_table("mirror 8:0 0 8:16 0 - 128 0 2 copy_mode background");
	host.mapper.at(volume_number).status.phase = table::Phase::copying;
	const auto id = copy_id(*find(host.context, "v0"));
	host.mapper.on_wait = [this] {
		auto &status = host.mapper.at(volume_number).status;
		status.both += status.base_only;
		status.base_only = 0;
		status.phase = table::Phase::synced;
	};
	EXPECT_EQ(pivot(host.context, {.name = "v0"}, volume::Run::doit).error().status,
		  Status::timed_out);
	const auto done = pivot(host.context, {.name = "v0", .only = id, .was_ready = true},
				volume::Run::doit);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(host.mapper.calls.front(), "message 253:0 set copy_mode dual");
	EXPECT_EQ(find(host.context, "v0")->table.base.device, disk_b);
}

TEST_F(Verbs, PivotGivesUpInTime)
{
	host.add_copy(table::Phase::synced);
	host.mapper.pivot_at_once = false;
	host.mapper.on_wait = [] {};
	PivotRequest request{.name = "v0"};
	request.timeout = std::chrono::milliseconds(20);
	const auto result = pivot(host.context, request, Run::doit);
	ASSERT_FALSE(result);
	EXPECT_EQ(result.error().status, Status::timed_out);
	EXPECT_EQ(live(), "0 131072 blkcopy mirror 8:0 0 8:16 0 - 128");
}

TEST_F(Verbs, PivotOfAnLvMustBeAskedForTwice)
{
	host.add_copy(table::Phase::synced).info.uuid = "LVM-abc";
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::usage,
		       "until-reboot");
	EXPECT_TRUE(pivot(host.context, {.name = "v0", .until_reboot = true}, Run::doit));
}

// Another volume comes back where it is written down, whatever is agreed to.
TEST_F(Verbs, PivotAgreesOnTheRebootOfAnLvAlone)
{
	host.add_copy(table::Phase::synced);
	expect_refusal(pivot(host.context, {.name = "v0", .persist = true}, Run::doit),
		       Status::usage, "no LV");
	std::ofstream(host.context.tab_file) << "v0 name:sda -\n";
	expect_refusal(pivot(host.context, {.name = "v0", .until_reboot = true}, Run::doit),
		       Status::usage, "no LV");
	std::ofstream(host.context.tab_file) << "";
	EXPECT_TRUE(pivot(host.context, {.name = "v0", .until_reboot = true}, Run::doit));
}

TEST_F(Verbs, PivotDoesNotRaiseTheSectorSizeUnderUsers)
{
	auto &device = host.add_copy(table::Phase::synced);
	host.probe.devices[disk_b].logical_block = 4096;
	device.info.open_count = 1;
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::failed, "4096");
	device.info.open_count = 0;
	EXPECT_TRUE(pivot(host.context, {.name = "v0"}, Run::doit));
}

// Not after all of it was copied.
TEST_F(Verbs, ACopyThatCouldNotPivotIsRefusedAtOnce)
{
	auto &device = host.add_volume();
	CopyRequest request{.name = "v0", .target = "/dev/sdb", .pivot = true};
	host.probe.devices[disk_b].logical_block = 4096;
	device.info.open_count = 1;
	expect_refusal(copy(host.context, request, Run::doit), Status::failed, "4096");
	request.pivot = false;
	EXPECT_TRUE(copy(host.context, request, Run::doit));
}

TEST_F(Verbs, AbortGoesBackToTheSource)
{
	host.add_volume();
	expect_refusal(volume::abort(host.context, "v0", Run::doit), Status::not_found, "no copy");
	// What somebody else has loaded is no copy of ours.
	host.mapper.at(volume_number).inactive = {{0, 8, "linear", "8:0 0"}};
	expect_refusal(volume::abort(host.context, "v0", Run::doit), Status::not_found, "no copy");
	host.mapper.at(volume_number).inactive.clear();
	host.add_copy(table::Phase::pivoted);
	expect_refusal(volume::abort(host.context, "v0", Run::doit), Status::failed, "pivoted");
	host.add_copy(table::Phase::copying);
	ASSERT_TRUE(volume::abort(host.context, "v0", Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
}

// A switch would hold every user of the volume until the target answers.
TEST_F(Verbs, AbortDoesNotSwitchWhileTheTargetHangs)
{
	host.add_copy(table::Phase::copying);
	host.context.patience = std::chrono::milliseconds(30);
	host.mapper.answers = false;
	for (int i = 0; i < 2; i++) {
		const auto result = volume::abort(host.context, "v0", Run::doit);
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, Status::timed_out);
		EXPECT_NE(result.error().message().find("is aborted already"), std::string::npos);
		EXPECT_NE(result.error().next.find("blkctl abort v0"), std::string::npos);
		EXPECT_EQ(find(host.context, "v0")->state(), JobState::aborted);
		EXPECT_EQ(host.mapper.calls, std::vector<std::string>{"message 253:0 phase abort"});
	}
	// Nor does a copy that clears it away first.
	const auto again = copy(host.context, {.name = "v0", .target = "/dev/sdb"}, Run::doit);
	ASSERT_FALSE(again);
	EXPECT_EQ(again.error().status, Status::timed_out);
	host.mapper.answers = true;
	ASSERT_TRUE(volume::abort(host.context, "v0", Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
}

TEST_F(Verbs, PauseResumeAndSet)
{
	host.add_volume();
	expect_refusal(pause(host.context, "v0", Run::doit), Status::not_found, "no copy");
	expect_refusal(set(host.context, "v0", {{"rate", "1M"}}, Run::doit), Status::not_found,
		       "no copy");
	auto &device = host.add_copy(table::Phase::copying);
	for (const auto &[key, value] : Settings{{"rate", "fast"},
						 {"rate_kib", "-1"},
						 {"run_kib", "2"},
						 {"inflight_kib", "1e3"},
						 {"copy_mode", "x"},
						 {"on_top_error", "x"},
						 {"segment_mib", "1"},
						 {"", ""}})
		expect_refusal(set(host.context, "v0", {{"rate", "1M"}, {key, value}}, Run::doit),
			       Status::usage, key + "");
	expect_refusal(set(host.context, "v0", {}, Run::doit), Status::usage, "nothing");
	EXPECT_TRUE(resume(host.context, "v0", Run::doit)->already);
	EXPECT_FALSE(pause(host.context, "v0", Run::doit)->already);
	EXPECT_TRUE(pause(host.context, "v0", Run::doit)->already);
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::paused);
	EXPECT_FALSE(resume(host.context, "v0", Run::doit)->already);
	EXPECT_TRUE(
		set(host.context, "v0", {{"rate", "1M"}, {"copy_mode", "background"}}, Run::doit));
	EXPECT_NE(device.live[0].params.find("rate_kib 1024 copy_mode background"),
		  std::string::npos);
	// What is refused half-way is taken back.
	const auto half = set(host.context, "v0", {{"rate", "2M"}, {"run_kib", "64"}}, Run::doit);
	EXPECT_FALSE(half);
	EXPECT_NE(device.live[0].params.find("rate_kib 1024"), std::string::npos);
}

// What is written down may bring back another place than the one a verb leaves the volume on.
TEST_F(Verbs, ATabThatCannotBeReadIsNoTabWithoutTheVolume)
{
	const std::string tab = host.context.tab_file;
	std::filesystem::create_directory(tab);
	host.add_volume();
	for (const bool boot : {false, true})
		expect_refusal(snapshot(host.context,
					{.name = "v0", .store = "/dev/sdb", .boot = boot},
					Run::doit),
			       Status::failed, tab);
	expect_refusal(
		view(host.context, {.name = "v0", .view = "now", .store = "/dev/sdb"}, Run::doit),
		Status::failed, tab);
	expect_refusal(copy(host.context, {.name = "v0", .target = "/dev/sdb"}, Run::doit),
		       Status::failed, tab);
	expect_refusal(commit(host.context, {.name = "v0"}, Run::doit), Status::failed, tab);
	expect_refusal(deactivate(host.context, "v0", Run::doit), Status::failed, tab);
	expect_refusal(volume::remove(host.context, "v0", Run::doit), Status::failed, tab);
	expect_refusal(create(host.context, {.name = "v1", .device = "/dev/sdb"}, Run::doit),
		       Status::failed, tab);
	expect_refusal(activate(host.context, {.what = "v1"}, Run::doit), Status::failed, tab);
	host.add_copy(table::Phase::synced);
	expect_refusal(pivot(host.context, {.name = "v0"}, Run::doit), Status::failed, tab);
	// Who lets go of a disk that fails cannot wait until /etc can be read.
	for (const auto &done :
	     {pause(host.context, "v0", Run::doit), volume::abort(host.context, "v0", Run::doit)}) {
		ASSERT_TRUE(done) << done.error().message();
		EXPECT_FALSE(done->note.empty());
	}
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
}

TEST_F(Verbs, AFailedSwitchIsUndone)
{
	host.add_volume();
	host.mapper.fail = "resume";
	ASSERT_FALSE(copy(host.context, {.name = "v0", .target = "/dev/sdb"}, Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
	EXPECT_TRUE(host.mapper.at(volume_number).inactive.empty());

	const dm::Table striped{{0, 4096, "striped", "2 128 8:0 0 8:16 0"}};
	add_foreign(striped);
	host.mapper.fail = "load";
	ASSERT_FALSE(attach(host.context, {.device = "vg-lv"}, Run::doit));
	EXPECT_FALSE(host.mapper.named("vg-lv-blkreal"));
	EXPECT_EQ(host.mapper.at({253, 7}).live, striped);
}

TEST_F(Verbs, ASwitchThatLeavesTheDeviceSuspendedGoesBackAtOnce)
{
	auto &device = host.add_volume();
	const auto before = live();
	host.mapper.suspend_in_resume = true;
	const auto result = copy(host.context, {.name = "v0", .target = "/dev/sdb"}, Run::doit);
	ASSERT_FALSE(result);
	EXPECT_NE(result.error().why.find("the old table is back"), std::string::npos);
	EXPECT_FALSE(device.info.suspended);
	EXPECT_EQ(live(), before);
	EXPECT_TRUE(device.inactive.empty());
}

TEST_F(Verbs, WithoutTheModuleThePlanLoadsIt)
{
	host.mapper.module = false;
	const auto plan = create(host.context, {.name = "v0", .device = "/dev/sda"}, Run::dry);
	ASSERT_TRUE(plan);
	EXPECT_EQ(plan->steps[0], "load the module dm-blkcopy");
}
