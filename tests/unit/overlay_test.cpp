// SPDX-License-Identifier: GPL-2.0-or-later
// snapshot, commit, stream and create --from: on a recorded host, with metadata in real files.
#include "base/files.hpp"
#include "fake_host.hpp"
#include "job/job.hpp"
#include "meta/superblock.hpp"
#include "report/report.hpp"
#include "volume/offline.hpp"
#include "volume/operations.hpp"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_a, fake::disk_b, fake::volume_number;

namespace
{

class Overlay : public testing::Test
{
      protected:
	std::string live() { return host.mapper.at(volume_number).live.at(0).str(); }
	std::string meta_file() { return host.context.state_dir + "/v0.meta"; }
	Checked checked()
	{
		return *check({.probe = host.probe, .open = host.context.open_meta},
			      {.meta = meta_file()});
	}
	void set_phase(table::Phase phase) { host.mapper.at(volume_number).status.phase = phase; }

	void expect_refusal(const Result<Outcome> &result, Status status, const std::string &word)
	{
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(word), std::string::npos)
			<< result.error().message();
		EXPECT_TRUE(host.mapper.calls.empty()) << host.mapper.calls.front();
		EXPECT_FALSE(std::filesystem::exists(meta_file()));
	}

	fake::Host host;
};

} // namespace

TEST_F(Overlay, ASnapshotOnADevice)
{
	host.add_volume();
	const SnapshotRequest request{.name = "v0", .store = "/dev/sdb"};
	const auto plan = snapshot(host.context, request, volume::Run::dry);
	ASSERT_TRUE(plan) << plan.error().message();
	EXPECT_FALSE(std::filesystem::exists(host.context.state_dir));
	EXPECT_EQ(plan->steps.size(), 8u);
	EXPECT_EQ(plan->steps[4], "load into v0 (253:0): 0 131072 blkcopy overlay 8:0 0 8:16 0 "
				  "(the loop device of " +
					  meta_file() + ") 128");

	const auto made = snapshot(host.context, request, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live(), "0 131072 blkcopy overlay 8:0 0 8:16 0 7:0 128");
	EXPECT_EQ(host.mapper.calls, (std::vector<std::string>{"load 253:0", "resume 253:0"}));
	const auto check = checked();
	EXPECT_TRUE(check.is_well());
	EXPECT_EQ(check.contents.super.name, "v0");
	EXPECT_EQ(check.contents.super.mode, meta::Mode::overlay);
	EXPECT_EQ(check.contents.super.phase, meta::Phase::idle);
	EXPECT_EQ(check.contents.super.legs[0].identity, "name:sda");
	EXPECT_EQ(check.contents.super.legs[1].identity, "name:sdb");
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::none);

	host.mapper.calls.clear();
	EXPECT_TRUE(snapshot(host.context, request, volume::Run::doit)->already);
	EXPECT_TRUE(host.mapper.calls.empty());
	// It is on two devices: nothing that would forget one of them.
	for (const auto &refused :
	     {copy(host.context, {.name = "v0", .target = "/dev/sdc"}, volume::Run::doit),
	      pivot(host.context, {.name = "v0"}, volume::Run::doit),
	      volume::abort(host.context, "v0", volume::Run::doit),
	      volume::remove(host.context, "v0", volume::Run::doit)}) {
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::busy);
		EXPECT_NE(refused.error().message().find("blkctl commit v0"), std::string::npos);
	}
	EXPECT_TRUE(host.mapper.calls.empty());
}

TEST_F(Overlay, ASnapshotOnAFile)
{
	host.add_volume();
	const auto store = host.run_dir + "/store";
	const SnapshotRequest request{.name = "v0", .store = store};
	ASSERT_TRUE(snapshot(host.context, request, volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy overlay 8:0 0 7:0 0 7:1 128");
	EXPECT_EQ(std::filesystem::file_size(store), fake::disk_sectors * 512);
	EXPECT_EQ(checked().contents.super.legs[1].identity, "file:" + store);
	EXPECT_TRUE(snapshot(host.context, request, volume::Run::doit)->already);

	// A commit lets go of the loop devices, and keeps the file that was named.
	ASSERT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit));
	set_phase(table::Phase::merged);
	ASSERT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit));
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_TRUE(std::filesystem::exists(store));
}

TEST_F(Overlay, AStreamLeavesTheBaseAlone)
{
	host.probe.loop_devices = {{disk_a, "/images/a"}};
	host.add_volume();
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit));
	ASSERT_TRUE(stream(host.context, "v0", volume::Run::doit));
	set_phase(table::Phase::streamed);
	ASSERT_TRUE(stream(host.context, "v0", volume::Run::doit));
	ASSERT_EQ(host.probe.loop_devices.size(), 1u);
	EXPECT_EQ(host.probe.loop_devices[0].devno, disk_a);
}

TEST_F(Overlay, ASnapshotThatFailsLeavesNothing)
{
	host.add_volume();
	const auto store = host.run_dir + "/store";
	host.mapper.fail = "resume";
	const auto failed =
		snapshot(host.context, {.name = "v0", .store = store}, volume::Run::doit);
	ASSERT_FALSE(failed);
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
	EXPECT_FALSE(std::filesystem::exists(meta_file()));
	EXPECT_FALSE(std::filesystem::exists(store));
	EXPECT_TRUE(host.probe.loop_devices.empty());
}

TEST_F(Overlay, ASnapshotRefusesBadInput)
{
	const auto try_it = [&](const std::string &store, const std::string &meta = "") {
		return snapshot(host.context, {.name = "v0", .store = store, .metadata = meta},
				volume::Run::doit);
	};
	expect_refusal(try_it("/dev/sdb"), Status::not_found, "v0");
	host.add_volume();
	expect_refusal(try_it("/dev/sda"), Status::usage, "is the source");
	expect_refusal(try_it("/dev/sdc"), Status::usage, "the store /dev/sdc is smaller");
	expect_refusal(try_it("/dev/nope"), Status::not_found, "nope");
	expect_refusal(try_it("store"), Status::not_found, "store");
	for (const char *leg : {"/dev/sda", "/dev/sdb"})
		expect_refusal(try_it("/dev/sdb", leg), Status::usage, "the volume is on it");
	host.probe.used[fake::disk_small] = {{udev::Use::Kind::swap, "", {}, fake::disk_small}};
	expect_refusal(try_it("/dev/sdb", "/dev/sdc"), Status::busy, "swap");
	host.probe.signatures[disk_b] = {"ext4", "filesystem"};
	expect_refusal(try_it("/dev/sdb"), Status::busy, "ext4");
	host.probe.signatures.clear();
	const auto file = host.run_dir + "/file";
	std::ofstream(file) << std::string(100000, 'x');
	expect_refusal(try_it("/dev/sdb", file), Status::busy, "holds something");
	expect_refusal(try_it(file), Status::usage, "it is too small: it has 100000 bytes");
	host.add_copy(table::Phase::copying);
	expect_refusal(try_it("/dev/sdb"), Status::busy, "a copy of it runs");
}

TEST_F(Overlay, ACommitRunsAndIsFinished)
{
	host.add_volume();
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit));
	const auto begun = commit(host.context, {.name = "v0"}, volume::Run::doit);
	ASSERT_TRUE(begun) << begun.error().message();
	EXPECT_EQ(live(), "0 131072 blkcopy commit 8:0 0 8:16 0 7:0 128");
	ASSERT_TRUE(begun->copy);
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::copying);
	// While it runs, and the other one.
	host.mapper.calls.clear();
	EXPECT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit)->already);
	EXPECT_EQ(stream(host.context, "v0", volume::Run::doit).error().status, Status::busy);
	EXPECT_TRUE(host.mapper.calls.empty());
	// Paused, it is asked for all the same.
	ASSERT_TRUE(pause(host.context, "v0", volume::Run::doit));
	const auto on = commit(host.context, {.name = "v0"}, volume::Run::doit);
	ASSERT_TRUE(on) << on.error().message();
	EXPECT_EQ(host.mapper.calls.back(), "message 253:0 copy resume");
	EXPECT_NE(on->note.find("paused"), std::string::npos) << on->note;
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::copying);
	ASSERT_TRUE(on->copy);
	host.mapper.calls.clear();

	auto &status = host.mapper.at(volume_number).status;
	status.base_only = 1000;
	status.top_only = 20;
	status.zero = 4;
	EXPECT_EQ(job::job_of(*find(host.context, "v0")).done_bytes, uint64_t{1000} * 65536);
	host.mapper.on_wait = [&] { set_phase(table::Phase::merged); };
	const auto waited = job::wait_ready(host.context, *begun->copy, {});
	ASSERT_TRUE(waited) << waited.error().message();
	const auto done = commit(host.context, {.name = "v0"}, volume::Run::doit);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_FALSE(done->copy);
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
	EXPECT_EQ(host.mapper.calls, (std::vector<std::string>{"message 253:0 phase finish",
							       "load 253:0", "resume 253:0"}));
	EXPECT_FALSE(std::filesystem::exists(meta_file()));
	EXPECT_TRUE(host.probe.loop_devices.empty());
	// Who waited meanwhile hears that it is over.
	EXPECT_EQ(fate(*begun->copy, *find(host.context, "v0")), Fate::pivoted);
	host.mapper.calls.clear();
	expect_refusal(commit(host.context, {.name = "v0"}, volume::Run::doit), Status::not_found,
		       "no overlay");
}

// No verb about the job gets one on whose metadata cannot be read.
TEST_F(Overlay, ADamagedJobIsMendedOffline)
{
	host.add_volume();
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit));
	auto &status = host.mapper.at(volume_number).status;
	status.health = table::Health::fail;
	const auto none = commit(host.context, {.name = "v0"}, volume::Run::doit);
	ASSERT_FALSE(none);
	EXPECT_EQ(none.error().status, Status::needs_attention) << none.error().message();
	status.health = table::Health::rw;
	ASSERT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit));
	status.health = table::Health::fail;
	const auto mend = "blkctl deactivate v0, then blkctl check " + meta_file() +
			  " and blkctl repair " + meta_file();
	EXPECT_EQ(report::make_row(host.context, *find(host.context, "v0")).to_mend, mend);
	const auto says = [&](const auto &refused) {
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::needs_attention);
		EXPECT_EQ(refused.error().next, mend) << refused.error().message();
	};
	says(commit(host.context, {.name = "v0"}, volume::Run::doit));
	for (const auto phase : {table::Phase::merged, table::Phase::merging}) {
		status.phase = phase;
		says(commit(host.context, {.name = "v0"}, volume::Run::doit));
	}
	says(resume(host.context, "v0", volume::Run::doit));
	says(job::wait_ready(host.context, "v0", {}));
	const auto aborted = volume::abort(host.context, "v0", volume::Run::doit);
	ASSERT_FALSE(aborted);
	EXPECT_NE(aborted.error().next.find("blkctl show v0"), std::string::npos);
	// And it does what it says.
	const auto gone = deactivate(host.context, "v0", volume::Run::doit);
	ASSERT_TRUE(gone) << gone.error().message();
	const Offline offline{.probe = host.probe, .open = host.context.open_meta};
	EXPECT_TRUE(check(offline, {.meta = meta_file()}));
	EXPECT_TRUE(repair(offline, meta_file(), meta::Older::never, volume::Run::doit));
}

// What is said to overwrite other metadata does.
TEST_F(Overlay, MetadataOfAnotherVolume)
{
	const auto file = host.run_dir + "/meta";
	const Offline offline{.probe = host.probe, .open = host.context.open_meta};
	const SnapshotRequest request{
		.name = "v0", .store = "/dev/sdb", .metadata = "/dev/loop0", .force = true};

	host.add_volume();
	ASSERT_TRUE(host.loops.make(file, 1 << 20));
	ASSERT_TRUE(host.loops.attach(file));
	ASSERT_TRUE(format(offline, {.meta = "/dev/loop0", .sectors = 8192, .name = "other"},
			   volume::Run::doit));
	{
		const auto device = meta::open_device(file, meta::Access::write);
		ASSERT_TRUE(device);
		auto super = meta::read_superblock(**device);
		ASSERT_TRUE(super);
		ASSERT_TRUE(meta::update_superblock(**device, *super)); // it was in use
	}
	const auto refused = snapshot(host.context, request, volume::Run::doit);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy);
	EXPECT_NE(refused.error().next.find("blkctl format " + file + " --size SIZE --force"),
		  std::string::npos)
		<< refused.error().message();
	ASSERT_TRUE(format(offline,
			   {.meta = "/dev/loop0", .sectors = fake::disk_sectors, .force = true},
			   volume::Run::doit));
	const auto made = snapshot(host.context, request, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
}

TEST_F(Overlay, AStreamEndsOnTheTop)
{
	host.add_volume();
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit));
	const auto begun = stream(host.context, "v0", volume::Run::doit);
	ASSERT_TRUE(begun);
	EXPECT_EQ(live(), "0 131072 blkcopy stream 8:0 0 8:16 0 7:0 128");
	set_phase(table::Phase::streamed);
	ASSERT_TRUE(stream(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:16 0 - 0 - 128");
	EXPECT_EQ(fate(*begun->copy, *find(host.context, "v0")), Fate::pivoted);
	EXPECT_FALSE(std::filesystem::exists(meta_file()));
}

TEST_F(Overlay, WaitsForSpaceWhenToldTo)
{
	host.add_volume();
	const SnapshotRequest request{.name = "v0", .store = "/dev/sdb", .waits_for_space = true};
	const auto made = snapshot(host.context, request, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_TRUE(live().ends_with(" 128 0 2 on_top_error enospc")) << live();
	host.mapper.calls.clear();
	EXPECT_TRUE(snapshot(host.context, request, volume::Run::doit)->already);
	EXPECT_EQ(set(host.context, "v0", {{"rate_kib", "1"}}, volume::Run::doit).error().status,
		  Status::not_found);
	EXPECT_EQ(pause(host.context, "v0", volume::Run::doit).error().status, Status::not_found);
	EXPECT_TRUE(host.mapper.calls.empty());
	for (const auto &done :
	     {set(host.context, "v0", {{"on_top_error", "report"}}, volume::Run::doit),
	      resume(host.context, "v0", volume::Run::doit)})
		EXPECT_TRUE(done) << done.error().message();
	EXPECT_EQ(host.mapper.calls,
		  (std::vector<std::string>{"message 253:0 set on_top_error report",
					    "message 253:0 copy resume"}));
	const auto fails = snapshot(host.context, request, volume::Run::doit);
	ASSERT_FALSE(fails);
	EXPECT_EQ(fails.error().next, "blkctl set v0 on-top-error=enospc");
}

TEST_F(Overlay, ASnapshotIsAsItWasTaken)
{
	host.add_volume();
	SnapshotRequest request{.name = "v0", .store = "/dev/sdb"};
	ASSERT_TRUE(snapshot(host.context, request, volume::Run::doit));
	request.metadata = meta_file();
	EXPECT_TRUE(snapshot(host.context, request, volume::Run::doit)->already);
	host.mapper.calls.clear();
	for (const auto &other :
	     {SnapshotRequest{
		      .name = "v0", .store = "/dev/sdb", .metadata = host.run_dir + "/other"},
	      SnapshotRequest{.name = "v0", .store = "/dev/sdb", .boot = false}}) {
		const auto refused = snapshot(host.context, other, volume::Run::doit);
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	}
	EXPECT_TRUE(host.mapper.calls.empty());
}

TEST_F(Overlay, CreateFromStreams)
{
	CreateFromRequest request{.name = "v0", .device = "/dev/sdb", .base = "/dev/sda"};
	request.copy_on_read = request.no_hydrate = true;
	const auto made = create_from(host.context, request, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live(), "0 131072 blkcopy stream 8:0 0 8:16 0 7:0 128 2 paused copy_on_read");
	const auto volume = find(host.context, "v0");
	EXPECT_EQ(volume->state(), JobState::paused);
	const auto check = checked();
	EXPECT_EQ(check.contents.super.phase, meta::Phase::streaming);
	EXPECT_TRUE(check.contents.super.legs[0].stamp);
	EXPECT_EQ(volume->info.uuid, "BLKCTL-" + meta::hex(check.contents.super.uuid) + "-vol");
	EXPECT_TRUE(create_from(host.context, request, volume::Run::doit)->already);
	for (const auto change : std::initializer_list<void (*)(CreateFromRequest &)>{
		     [](auto &other) { other.boot = false; },
		     [](auto &other) { other.waits_for_space = true; },
		     [](auto &other) { other.block_sectors = 8; },
		     [](auto &other) { other.metadata = "/dev/sdc"; }}) {
		auto other = request;
		change(other);
		EXPECT_EQ(create_from(host.context, other, volume::Run::doit).error().status,
			  Status::busy);
	}
	request.device = "/dev/sdc";
	EXPECT_EQ(create_from(host.context, request, volume::Run::doit).error().status,
		  Status::busy);
}

// What is written down of it is all that is known of where it is.
TEST_F(Overlay, CreateFromLeavesAnInactiveVolumeOfTheTabAlone)
{
	const auto tab = [&] { return read_file(host.context.tab_file).value_or(""); };
	CreateFromRequest request{.name = "v0", .device = "/dev/sdb", .base = "/dev/sda"};
	std::ofstream(host.context.tab_file)
		<< "v0 name:sdc - uuid=" << std::string(32, '0') << ",bitmaps=/meta,was=name:sda\n";
	auto before = tab();
	for (const bool boot : {true, false}) {
		request.boot = boot;
		const auto refused = create_from(host.context, request, volume::Run::doit);
		expect_refusal(refused, Status::busy, "already, and not active");
		EXPECT_NE(refused.error().next.find("blkctl remove v0"), std::string::npos);
		EXPECT_EQ(tab(), before);
	}
	std::filesystem::remove(host.context.tab_file);

	// One that has been active, by other metadata.
	request.boot = true;
	ASSERT_TRUE(create_from(host.context, request, volume::Run::doit));
	{
		const auto device = meta::open_device(meta_file(), meta::Access::write);
		ASSERT_TRUE(device);
		const auto super = meta::read_superblock(**device);
		ASSERT_TRUE(super);
		ASSERT_TRUE(meta::update_superblock(**device, *super)); // by the kernel
	}
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	before = tab();
	const auto refuses = [&](const Result<Outcome> &result) {
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, Status::busy) << result.error().message();
		EXPECT_NE(result.error().next.find("take its line out"), std::string::npos)
			<< result.error().message();
		EXPECT_EQ(tab(), before);
	};
	request.metadata = host.run_dir + "/other";
	refuses(create_from(host.context, request, volume::Run::doit));
	// Nor once an activation was killed that had made its device.
	host.mapper.calls.clear();
	host.mapper.kill_before = 1;
	EXPECT_THROW((void)activate(host.context, {.what = "v0"}, volume::Run::doit), fake::Killed);
	host.mapper.kill_before = -1;
	ASSERT_TRUE(host.mapper.named("v0"));
	refuses(create_from(host.context, request, volume::Run::doit));
	refuses(create(host.context, {.name = "v0", .device = "/dev/sdc", .boot = true},
		       volume::Run::doit));
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy stream 8:0 0 8:16 0 7:0 128");
}

// Its own entry is no other volume's: that of one that nobody has used.
TEST_F(Overlay, AKilledCreateFromGoesOn)
{
	const CreateFromRequest request{.name = "v0",
					.device = "/dev/sdb",
					.base = "/dev/sda",
					.metadata = host.run_dir + "/own"};
	for (const int at : {0, 1, 1}) { // create, load; load, resume of what is half made
		host.mapper.calls.clear();
		host.mapper.kill_before = at;
		EXPECT_THROW((void)create_from(host.context, request, volume::Run::doit),
			     fake::Killed);
		host.mapper.kill_before = -1;
		ASSERT_NE(read_file(host.context.tab_file).value_or("").find("v0 - "),
			  std::string::npos);
	}
	const auto done = create_from(host.context, request, volume::Run::doit);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(live().starts_with("0 131072 blkcopy stream 8:0 0 8:16 0 7:")) << live();
}

TEST_F(Overlay, CreateFromRefusesBadInput)
{
	const auto try_it = [&](const std::string &device, const std::string &base) {
		return create_from(host.context, {.name = "v0", .device = device, .base = base},
				   volume::Run::doit);
	};
	expect_refusal(try_it("/dev/sda", "/dev/sda"), Status::usage, "the same");
	expect_refusal(try_it("/dev/sdc", "/dev/sda"), Status::usage, "/dev/sdc is smaller");
	expect_refusal(try_it("/dev/sdb", "/dev/nope"), Status::not_found, "nope");
	host.probe.used[disk_a] = {{udev::Use::Kind::mounted, "/srv", {}, disk_a}};
	expect_refusal(try_it("/dev/sdb", "/dev/sda"), Status::busy, "mounted on /srv");
	host.probe.used.clear();
	host.probe.signatures[disk_b] = {"xfs", "filesystem"};
	expect_refusal(try_it("/dev/sdb", "/dev/sda"), Status::busy, "xfs");
}
