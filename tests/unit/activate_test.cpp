// SPDX-License-Identifier: GPL-2.0-or-later
// activate, deactivate and the tab: on a recorded host, with metadata in real files.
#include "base/files.hpp"
#include "fake_host.hpp"
#include "meta/superblock.hpp"
#include "report/report.hpp"
#include "tab/tab.hpp"
#include "volume/operations.hpp"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_a, fake::disk_b, fake::volume_number;

namespace
{

class Activate : public testing::Test
{
      protected:
	std::string live() { return host.mapper.named("v0")->live.at(0).str(); }
	std::string meta_file() { return host.context.state_dir + "/v0.meta"; }
	std::string tab() { return read_file(host.context.tab_file).value_or(""); }
	std::optional<tab::Entry> entry() { return tab::Tab::parse(tab()).find("v0"); }
	Result<Outcome> activate_v0(volume::Run run = volume::Run::doit)
	{
		return activate(host.context, {.what = "v0"}, run);
	}
	void take_snapshot(const std::string &store = "/dev/sdb")
	{
		const auto made =
			snapshot(host.context, {.name = "v0", .store = store}, volume::Run::doit);
		ASSERT_TRUE(made) << made.error().message();
	}
	void down()
	{
		const auto gone = deactivate(host.context, "v0", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		host.mapper.calls.clear();
	}
	// What the kernel would have written.
	void set_super(const std::function<void(meta::Superblock &)> &change)
	{
		const auto device = meta::open_device(meta_file(), meta::Access::write);
		ASSERT_TRUE(device);
		auto super = meta::read_superblock(**device);
		ASSERT_TRUE(super);
		change(*super);
		ASSERT_TRUE(meta::update_superblock(**device, *super));
	}
	void expect_refusal(Status status, const std::string &word, const std::string &what = "v0")
	{
		const auto result = activate(host.context, {.what = what}, volume::Run::doit);
		ASSERT_FALSE(result) << word;
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(word), std::string::npos)
			<< result.error().message();
		EXPECT_TRUE(host.mapper.calls.empty()) << host.mapper.calls.front();
		EXPECT_TRUE(host.probe.loop_devices.empty());
	}

	fake::Host host;
};

} // namespace

TEST_F(Activate, AnOverlayComesBack)
{
	host.add_volume();
	const auto uuid = host.mapper.named("v0")->info.uuid;
	EXPECT_FALSE(report::make_row(host.context, *find(host.context, "v0")).at_boot);
	take_snapshot();
	EXPECT_TRUE(report::make_row(host.context, *find(host.context, "v0")).at_boot);
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->layers, (std::vector<tab::Layer>{{0, meta_file()}}));
	EXPECT_TRUE(entry()->stamp);

	// Who is still there may be taken away by anybody.
	host.mapper.calls.clear();
	host.mapper.fail = "remove";
	EXPECT_FALSE(deactivate(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(host.mapper.calls, (std::vector<std::string>{"message 253:0 seal", "remove 253:0",
							       "message 253:0 unseal"}));
	host.mapper.fail.clear();

	host.mapper.calls.clear();
	const auto gone = deactivate(host.context, "v0", volume::Run::doit);
	ASSERT_TRUE(gone) << gone.error().message();
	EXPECT_EQ(host.mapper.calls,
		  (std::vector<std::string>{"message 253:0 seal", "remove 253:0"}));
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_TRUE(std::filesystem::exists(meta_file()));

	host.mapper.calls.clear();
	const auto dry = activate_v0(volume::Run::dry);
	ASSERT_TRUE(dry) << dry.error().message();
	EXPECT_EQ(dry->steps.size(), 6u);
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_TRUE(host.probe.loop_devices.empty());
	const auto back = activate_v0();
	ASSERT_TRUE(back) << back.error().message();
	EXPECT_EQ(live(), "0 131072 blkcopy overlay 8:0 0 8:16 0 7:0 128");
	EXPECT_EQ(host.mapper.named("v0")->info.uuid, uuid);
	const auto again = activate_v0();
	ASSERT_TRUE(again);
	EXPECT_TRUE(again->already);
	// From the metadata alone.
	down();
	std::filesystem::remove(host.context.tab_file);
	ASSERT_TRUE(activate(host.context, {.what = meta_file()}, volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy overlay 8:0 0 8:16 0 7:0 128");
	down();
	ASSERT_TRUE(activate_v0());
}

TEST_F(Activate, AViewComesBack)
{
	const ViewRequest request{
		.name = "v0", .view = "now", .store = "/dev/sdb", .persistent = true};
	host.add_volume();
	const auto plan = view(host.context, request, volume::Run::dry);
	ASSERT_TRUE(plan) << plan.error().message();
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_EQ(tab(), "");
	const auto made = view(host.context, request, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	const auto armed =
		"0 131072 blkcopy backup 8:0 0 8:16 0 7:0 128 2 paused backup_persistent";
	EXPECT_EQ(live(), armed);
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->layers, (std::vector<tab::Layer>{{0, meta_file()}}));
	set_super([](auto &super) {
		EXPECT_EQ(super.mode, meta::Mode::backup);
		EXPECT_EQ(super.phase, meta::Phase::preserving);
		EXPECT_EQ(super.legs[0].identity, "name:sda");
		EXPECT_EQ(super.legs[1].identity, "name:sdb");
	});

	// The view's device goes, what it is of stays.
	host.mapper.named("now")->info.open_count = 1;
	EXPECT_EQ(deactivate(host.context, "v0", volume::Run::doit).error().status, Status::busy);
	host.mapper.named("now")->info.open_count = 0;
	down();
	EXPECT_TRUE(host.mapper.devices.empty());
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), armed);
	ASSERT_TRUE(view(host.context, request, volume::Run::doit));
	EXPECT_EQ(live(), armed);
	EXPECT_NE(host.mapper.named("now"), nullptr);
	// One that was not made to survive a crash comes back as one.
	down();
	set_super([](auto &super) { super.unordered = true; });
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), "0 131072 blkcopy backup 8:0 0 8:16 0 7:0 128 1 paused");

	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
	EXPECT_FALSE(std::filesystem::exists(meta_file()));
	EXPECT_TRUE(host.probe.loop_devices.empty());
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->device, "name:sda");
}

TEST_F(Activate, ABrokenViewIsNotWaitedFor)
{
	host.add_volume();
	ASSERT_TRUE(view(host.context,
			 {.name = "v0", .view = "now", .store = "/dev/sdb", .persistent = true},
			 volume::Run::doit));
	down();
	set_super([](auto &super) { super.phase = meta::Phase::broken; });
	host.probe.devices.erase(disk_b);
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
}

TEST_F(Activate, AViewIsGivenUp)
{
	const ActivateRequest broken{.what = "v0", .break_view = true};
	host.add_volume();
	EXPECT_EQ(activate(host.context, broken, volume::Run::doit).error().status,
		  Status::not_found);
	ASSERT_TRUE(view(host.context,
			 {.name = "v0", .view = "now", .store = "/dev/sdb", .persistent = true},
			 volume::Run::doit));
	EXPECT_EQ(activate(host.context, broken, volume::Run::doit).error().status, Status::busy);
	down();
	host.probe.devices.erase(disk_b);
	const auto refused = activate_v0();
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::not_found);
	EXPECT_NE(refused.error().next.find("--break-view"), std::string::npos);

	ASSERT_TRUE(activate(host.context, broken, volume::Run::dry));
	set_super([](auto &super) { EXPECT_EQ(super.phase, meta::Phase::preserving); });
	ASSERT_TRUE(activate(host.context, broken, volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
	set_super([](auto &super) { EXPECT_EQ(super.phase, meta::Phase::broken); });
	// For good, and once is enough.
	down();
	ASSERT_TRUE(activate(host.context, broken, volume::Run::doit));
	down();
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
}

TEST_F(Activate, AStoreInAFileComesBack)
{
	host.add_volume();
	const auto store = host.run_dir + "/store";
	take_snapshot(store);
	down();
	EXPECT_TRUE(host.probe.loop_devices.empty());
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), "0 131072 blkcopy overlay 8:0 0 7:1 0 7:0 128");
	down();
	std::filesystem::resize_file(store, 512);
	expect_refusal(Status::needs_attention, "is too small");
	std::filesystem::remove(store);
	expect_refusal(Status::not_found, "its top file:" + store + " is not there");
}

TEST_F(Activate, EveryEndOfAJobComesBackAsOneDevice)
{
	host.add_volume();
	take_snapshot();
	down();
	set_super([](auto &super) {
		super.mode = meta::Mode::commit;
		super.phase = meta::Phase::merging;
		super.base_mixed = true;
	});
	host.probe.content[disk_a] = 1; // it is merged into
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), "0 131072 blkcopy commit 8:0 0 8:16 0 7:0 128");
	down();
	set_super([](auto &super) { super.phase = meta::Phase::merged; });
	const auto b = host.probe.devices.at(disk_b);
	host.probe.devices.erase(disk_b); // nobody needs it
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
	down();
	host.probe.devices[disk_b] = b;
	set_super([](auto &super) {
		super.mode = meta::Mode::stream;
		super.phase = meta::Phase::streamed;
	});
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:16 0 - 0 - 128");
}

TEST_F(Activate, ASnapshotGoesOnAsItWasTold)
{
	const auto tell = [&](const std::string &policy) {
		ASSERT_TRUE(set(host.context, "v0", {{"on_top_error", policy}}, volume::Run::doit));
		down();
		ASSERT_TRUE(activate_v0());
	};
	const std::string overlay = "0 131072 blkcopy overlay 8:0 0 8:16 0 7:0 128";
	host.add_volume();
	take_snapshot();
	tell("stop");
	EXPECT_EQ(live(), overlay + " 0 2 on_top_error stop");
	tell("report");
	EXPECT_EQ(live(), overlay);
	// The kernel would not take what is for a job.
	down();
	std::ofstream(host.context.tab_file)
		<< "v0 - " << meta_file()
		<< " paused,copy_on_read,detect_zeroes,no_discard_passdown,rate_kib=1,"
		   "wait_for_space\n";
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), overlay + " 1 no_discard_passdown 2 on_top_error enospc");

	// A commit has more, and takes it with it.
	ASSERT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit));
	ASSERT_TRUE(pause(host.context, "v0", volume::Run::doit));
	ASSERT_TRUE(set(host.context, "v0", {{"rate", "2M"}}, volume::Run::doit));
	EXPECT_TRUE(entry()->features.paused);
	EXPECT_EQ(entry()->params.rate_kib, 2048u);
	const auto commit_told = live();
	down();
	set_super([](auto &super) {
		super.mode = meta::Mode::commit;
		super.phase = meta::Phase::merging;
		super.base_mixed = true;
	});
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), commit_told);
	host.mapper.named("v0")->status.phase = table::Phase::merged;
	ASSERT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit));
	EXPECT_EQ(entry()->device, "name:sda");
	EXPECT_EQ(entry()->features, table::Features());
	EXPECT_EQ(entry()->params, table::Params());
}

TEST_F(Activate, AStreamGoesOnAsItWasTold)
{
	const auto made = create_from(host.context,
				      {.name = "v0",
				       .device = "/dev/sdb",
				       .base = "/dev/sda",
				       .copy_on_read = true,
				       .no_hydrate = true,
				       .waits_for_space = true},
				      volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	const auto told = live();
	EXPECT_TRUE(told.ends_with(" 2 paused copy_on_read 2 on_top_error enospc")) << told;
	down();
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), told);
	ASSERT_TRUE(resume(host.context, "v0", volume::Run::doit));
	down();
	ASSERT_TRUE(activate_v0());
	EXPECT_TRUE(live().ends_with(" 1 copy_on_read 2 on_top_error enospc")) << live();
}

// A view comes back with what was kept, and fills its store no further by itself.
TEST_F(Activate, AViewGoesOnAsItWasTold)
{
	host.add_volume();
	ASSERT_TRUE(view(host.context,
			 {.name = "v0", .view = "now", .store = "/dev/sdb", .persistent = true},
			 volume::Run::doit));
	const auto before = tab();
	EXPECT_FALSE(resume(host.context, "v0", volume::Run::doit)) << "there is no fill";
	EXPECT_EQ(tab(), before);
	ASSERT_TRUE(set(host.context, "v0", {{"on_top_error", "stop"}}, volume::Run::doit));
	down();
	ASSERT_TRUE(activate_v0());
	EXPECT_TRUE(live().ends_with(" 2 paused backup_persistent 2 on_top_error stop")) << live();
}

TEST_F(Activate, RefusesLegsThatAreNotTheOnes)
{
	host.probe.identities = {{disk_a, "id:a"}, {disk_b, "id:b"}};
	host.add_volume();
	take_snapshot();
	down();
	const auto devices = host.probe.devices;
	const auto restore = [&] {
		host.probe.devices = devices;
		host.probe.identities = {{disk_a, "id:a"}, {disk_b, "id:b"}};
	};

	host.probe.identities.erase(disk_a);
	expect_refusal(Status::not_found, "its base id:a is not there");
	restore();
	host.probe.identities.erase(disk_b);
	expect_refusal(Status::not_found, "its top id:b is not there");
	restore();
	host.probe.devices[disk_b].sectors = 100;
	expect_refusal(Status::needs_attention, "it is too small: it has 100 sectors");
	restore();
	host.probe.devices[disk_a].sectors++;
	expect_refusal(Status::needs_attention, "behind the volume's back: it has 131073");
	restore();
	host.probe.content[disk_a] = 3;
	expect_refusal(Status::needs_attention, "it was written to");
	host.probe.content.clear();
	host.probe.used[disk_a] = {{udev::Use::Kind::mounted, "/srv", {}, disk_a}};
	expect_refusal(Status::busy, "/dev/sda is mounted on /srv");
	host.probe.used.clear();
	host.mapper.add("v0", "LVM-x", {253, 9}, {{0, 8, "linear", "8:0 0"}});
	expect_refusal(Status::busy, "another device of this name");
	host.mapper.devices.clear();
	host.mapper.fail = "resume";
	EXPECT_FALSE(activate_v0());
	EXPECT_TRUE(host.mapper.devices.empty());
	EXPECT_TRUE(host.probe.loop_devices.empty());
	host.mapper.fail.clear();
	EXPECT_TRUE(activate_v0());
}

// What the tab said of it is gone, and it has never been activated.
TEST_F(Activate, ABaseIsKnownByItsContentFromTheFirstDeactivationOn)
{
	host.add_volume();
	take_snapshot();
	down();
	std::ofstream(host.context.tab_file) << "";
	host.probe.content[disk_a] = 3;
	expect_refusal(Status::needs_attention, "it was written to", meta_file());
	host.probe.content.clear();
	EXPECT_TRUE(activate(host.context, {.what = meta_file()}, volume::Run::doit));
}

TEST_F(Activate, RefusesWhatIsNoMetadata)
{
	expect_refusal(Status::not_found, "there is no " + meta_file());
	expect_refusal(Status::not_found, "/dev/nope", "/dev/nope");
	host.add_volume();
	take_snapshot();
	down();
	std::ofstream(host.context.tab_file) << "v1 - " << meta_file() << "\n";
	expect_refusal(Status::needs_attention, "is that of 'v0'", "v1");
	std::ofstream(host.context.tab_file)
		<< "v0 - 1=" << meta_file() << "," << meta_file() << "\n";
	expect_refusal(Status::needs_attention, "is not over layer 1");
	std::ofstream(host.context.tab_file) << "v0 - /nowhere/meta\n";
	expect_refusal(Status::not_found, "its metadata /nowhere/meta is not there");
	std::ofstream(host.context.tab_file) << "";
	std::ofstream(meta_file()) << std::string(100000, 'x');
	const auto bad = activate_v0();
	ASSERT_FALSE(bad);
	EXPECT_TRUE(host.mapper.calls.empty());
}

TEST_F(Activate, APlainVolumeComesBack)
{
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   volume::Run::doit));
	const auto uuid = host.mapper.named("v0")->info.uuid;
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->device, "name:sda");
	down();
	ASSERT_TRUE(activate_v0());
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 - 128");
	EXPECT_EQ(host.mapper.named("v0")->info.uuid, uuid);
	EXPECT_TRUE(activate_v0()->already);

	// The entry goes where the volume goes, also one that is written while a copy runs.
	std::filesystem::remove(host.context.tab_file);
	ASSERT_TRUE(copy(host.context, {.name = "v0", .target = "/dev/sdb"}, volume::Run::doit));
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   volume::Run::doit));
	EXPECT_EQ(entry()->device, "name:sda");
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(entry()->device, "name:sda");
	std::filesystem::remove(host.context.tab_file);
	ASSERT_TRUE(view(host.context, {.name = "v0", .view = "see", .store = "/dev/sdb"},
			 volume::Run::doit));
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   volume::Run::doit));
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->device, "name:sda");
	ASSERT_TRUE(volume::remove(host.context, "see", volume::Run::doit));
	ASSERT_TRUE(copy(host.context,
			 {.name = "v0", .target = "/dev/sdb", .sync_none = true, .pivot = true},
			 volume::Run::doit));
	EXPECT_EQ(deactivate(host.context, "v0", volume::Run::doit).error().status, Status::busy);
	ASSERT_TRUE(pivot(host.context, {.name = "v0"}, volume::Run::doit));
	EXPECT_EQ(entry()->device, "name:sdb");
	take_snapshot("/dev/sda");
	EXPECT_EQ(entry()->layers.size(), 1u);
	ASSERT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit));
	host.mapper.named("v0")->status.phase = table::Phase::merged;
	ASSERT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit));
	EXPECT_EQ(entry()->device, "name:sdb");
	ASSERT_TRUE(volume::remove(host.context, "v0", volume::Run::doit));
	EXPECT_FALSE(entry());
}

// Until the kernel has pivoted the source goes on, and the target may fail: neither is to come back
// without question.
TEST_F(Activate, AfterAKilledPivotNeitherComesBackUnasked)
{
	const auto killed_pivot = [&] {
		host.mapper.calls.clear();
		host.mapper.kill_before = 0; // phase pivot
		EXPECT_THROW((void)pivot(host.context, {.name = "v0"}, volume::Run::doit),
			     fake::Killed);
		host.mapper.kill_before = -1;
	};
	const auto expect_undecided = [&] {
		ASSERT_TRUE(entry());
		EXPECT_EQ(entry()->device, "name:sdb");
		EXPECT_EQ(entry()->was, "name:sda");
		EXPECT_FALSE(report::make_row(host.context, *find(host.context, "v0")).at_boot);
	};
	const auto copy_to_b = [&] {
		return copy(host.context, {.name = "v0", .target = "/dev/sdb", .sync_none = true},
			    volume::Run::doit);
	};
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   volume::Run::doit));
	ASSERT_TRUE(copy_to_b());
	killed_pivot();
	expect_undecided();
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(entry()->device, "name:sda");
	EXPECT_EQ(entry()->was, "");

	// Not pivoted in time, and it may still be.
	ASSERT_TRUE(copy_to_b());
	host.mapper.pivot_at_once = false;
	host.mapper.on_wait = [] {};
	EXPECT_EQ(pivot(host.context, {.name = "v0", .timeout = std::chrono::milliseconds(0)},
			volume::Run::doit)
			  .error()
			  .status,
		  Status::timed_out);
	host.mapper.pivot_at_once = true;
	expect_undecided();
	const auto by_create =
		create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
		       volume::Run::doit);
	ASSERT_FALSE(by_create);
	EXPECT_EQ(by_create.error().status, Status::busy);
	expect_undecided();
	killed_pivot();
	expect_undecided();

	// The machine is booted.
	const auto was = tab();
	const auto devices = host.mapper.devices;
	host.mapper.devices.clear();
	host.mapper.calls.clear();
	expect_refusal(Status::needs_attention, "from name:sda to name:sdb was not finished");

	// It goes on instead: whoever finds the kernel there says so.
	host.mapper.devices = devices;
	EXPECT_EQ(tab(), was);
	ASSERT_TRUE(pivot(host.context, {.name = "v0"}, volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:16 0 - 0 - 128");
	EXPECT_EQ(entry()->device, "name:sdb");
	EXPECT_EQ(entry()->was, "");
	down();
	ASSERT_TRUE(activate_v0());
}

// The kernel has pivoted, and nobody was there to say so.
TEST_F(Activate, APivotThatWasKilledOnceItHadBeenIsWrittenDownByTheNextOne)
{
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   volume::Run::doit));
	ASSERT_TRUE(copy(host.context, {.name = "v0", .target = "/dev/sdb", .sync_none = true},
			 volume::Run::doit));
	host.mapper.calls.clear();
	host.mapper.kill_after = 0; // phase pivot
	EXPECT_THROW((void)pivot(host.context, {.name = "v0"}, volume::Run::doit), fake::Killed);
	host.mapper.kill_after = -1;
	EXPECT_EQ(entry()->was, "name:sda");
	EXPECT_FALSE(volume::abort(host.context, "v0", volume::Run::doit));
	ASSERT_TRUE(pivot(host.context, {.name = "v0"}, volume::Run::doit));
	EXPECT_EQ(entry()->device, "name:sdb");
	EXPECT_EQ(entry()->was, "");
}

TEST_F(Activate, AllIsWhatTheTabNames)
{
	std::ofstream(host.context.tab_file)
		<< "v0 /dev/sda -\nv1 /dev/sdb - noauto\nbroken\nv2 /dev/sdb -\n";
	const auto wanted = to_activate(host.context);
	ASSERT_TRUE(wanted);
	EXPECT_EQ(wanted->names, (std::vector<std::string>{"v0", "v2"}));
	ASSERT_EQ(wanted->bad.size(), 1u);
	EXPECT_NE(wanted->bad[0].message().find("line 3"), std::string::npos);
}

// What is written down nowhere would be gone.
TEST_F(Activate, OnlyWhatComesBackIsTakenAway)
{
	auto &device = host.add_volume();
	const auto refused = deactivate(host.context, "v0", volume::Run::doit);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::usage);
	EXPECT_NE(refused.error().message().find("blkctl remove v0"), std::string::npos)
		<< refused.error().message();
	EXPECT_FALSE(can_go(host.context, *find(host.context, "v0")));
	EXPECT_TRUE(host.mapper.calls.empty());

	std::ofstream(host.context.tab_file)
		<< "v0 name:sda - uuid=" << device.info.uuid.substr(7, 32) << "\n";
	EXPECT_TRUE(can_go(host.context, *find(host.context, "v0")));
	device.status.bitmaps = {{"b", 3, "recording"}};
	const auto gone = deactivate(host.context, "v0", volume::Run::doit);
	ASSERT_TRUE(gone) << gone.error().message();
	EXPECT_EQ(gone->brought_back_by, "v0");
	EXPECT_NE(gone->note.find("bitmaps are in memory"), std::string::npos);
	ASSERT_TRUE(activate_v0());
}

TEST_F(Activate, WhatBringsItBackIsNamed)
{
	// With metadata of its own the tab is not needed.
	for (const bool usual : {true, false}) {
		fake::Host fresh;
		fresh.add_volume();
		const auto meta = usual ? "" : fresh.run_dir + "/elsewhere";
		ASSERT_TRUE(snapshot(
			fresh.context,
			{.name = "v0", .store = "/dev/sdb", .metadata = meta, .boot = false},
			volume::Run::doit));
		EXPECT_FALSE(std::filesystem::exists(fresh.context.tab_file));
		const auto gone = deactivate(fresh.context, "v0", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		EXPECT_EQ(gone->brought_back_by, usual ? "v0" : meta);
		const auto back =
			activate(fresh.context, {.what = gone->brought_back_by}, volume::Run::doit);
		ASSERT_TRUE(back) << back.error().message();
	}
	// Of layers the metadata of one does not say where the others' is.
	fake::Host fresh;
	fresh.add_volume();
	fresh.probe.add({8, 64}, "/dev/sde", fake::disk_sectors);
	for (const char *store : {"/dev/sdb", "/dev/sde"})
		ASSERT_TRUE(snapshot(fresh.context, {.name = "v0", .store = store, .boot = false},
				     volume::Run::doit));
	const auto refused = deactivate(fresh.context, "v0", volume::Run::doit);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::usage);
	EXPECT_NE(refused.error().next.find("blkctl commit v0"), std::string::npos);
}

TEST_F(Activate, ADeactivateThatIsRefused)
{
	EXPECT_EQ(deactivate(host.context, "v0", volume::Run::doit).error().status,
		  Status::not_found);
	host.add_volume();
	std::ofstream(host.context.tab_file) << "v0 name:sda -\n";
	host.mapper.at(volume_number).info.open_count = 1;
	EXPECT_EQ(deactivate(host.context, "v0", volume::Run::doit).error().status, Status::busy);
	host.mapper.add("lv", "LVM-x", {253, 9}, {{0, 64, "blkcopy", "track 8:16 0 - 0 - 128"}});
	EXPECT_EQ(deactivate(host.context, "lv", volume::Run::doit).error().status, Status::usage);
	EXPECT_TRUE(host.mapper.calls.empty());
}
