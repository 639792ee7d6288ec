// SPDX-License-Identifier: GPL-2.0-or-later
// Attached LVs that come back at boot: what LVM is told, what is written down, and that at no time
// both have one, or nobody, whenever blkctl is killed.
#include "base/files.hpp"
#include "fake_host.hpp"
#include "lvm/commands.hpp"
#include "meta/superblock.hpp"
#include "tab/tab.hpp"
#include "volume/operations.hpp"
#include <filesystem>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_pv, fake::disk_sectors;

namespace
{

class Lv : public testing::Test
{
      protected:
	std::string live()
	{
		auto *const device = host.mapper.named("vg-lv");
		return device && !device->live.empty() ? device->live.at(0).params : "";
	}
	std::optional<tab::Entry> entry()
	{
		return tab::Tab::parse(read_file(host.context.tab_file).value_or("")).find("vg-lv");
	}
	bool skipped() { return host.lvm.lvs.at(0).is_skipped; }
	void take_snapshot()
	{
		const auto made = snapshot(host.context, {.name = "vg-lv", .store = "/dev/sdb"},
					   volume::Run::doit);
		ASSERT_TRUE(made) << made.error().message();
		EXPECT_EQ(made->note.find("nothing brings it back"), std::string::npos);
	}
	void down()
	{
		const auto gone = deactivate(host.context, "vg-lv", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		host.mapper.calls.clear();
	}
	void set_phase(table::Phase phase) { host.mapper.named("vg-lv")->status.phase = phase; }
	void expect_up(const std::string &params)
	{
		const auto up = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
		ASSERT_TRUE(up) << up.error().message();
		EXPECT_EQ(live(), params);
		EXPECT_EQ(host.mapper.named("vg-lv")->info.uuid, "LVM-" + std::string(64, 'L'));
	}
	void expect_refusal(Status status, const std::string &word)
	{
		const auto result = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
		ASSERT_FALSE(result) << word;
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(word), std::string::npos)
			<< result.error().message();
		EXPECT_TRUE(host.mapper.calls.empty()) << host.mapper.calls.front();
	}

	fake::Host host;
};

constexpr const char *on_store = "overlay 8:48 2048 8:16 0 7:0 128";
constexpr const char *at_home = "track 8:48 2048 - 0 - 128";

} // namespace

TEST_F(Lv, ASnapshotComesBack)
{
	host.add_lv();
	take_snapshot();
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->lv, std::string(64, 'L'));
	EXPECT_TRUE(entry()->stamp);
	EXPECT_TRUE(skipped());
	down();
	EXPECT_TRUE(skipped());
	expect_up(on_store);
	// From the metadata alone.
	down();
	std::filesystem::remove(host.context.tab_file);
	ASSERT_TRUE(activate(host.context, {.what = host.context.state_dir + "/vg-lv.meta"},
			     volume::Run::doit));
	EXPECT_EQ(live(), on_store);
	EXPECT_EQ(host.mapper.named("vg-lv")->info.uuid, "LVM-" + std::string(64, 'L'));
}

TEST_F(Lv, ACommitGivesItBackToLvm)
{
	host.add_lv();
	take_snapshot();
	ASSERT_TRUE(commit(host.context, {.name = "vg-lv"}, volume::Run::doit));
	EXPECT_TRUE(skipped());
	set_phase(table::Phase::merged);
	ASSERT_TRUE(commit(host.context, {.name = "vg-lv"}, volume::Run::doit));
	EXPECT_EQ(live(), at_home);
	EXPECT_FALSE(skipped());
	EXPECT_FALSE(entry());
}

TEST_F(Lv, AStreamLeavesItOnItsStore)
{
	host.add_lv();
	take_snapshot();
	ASSERT_TRUE(stream(host.context, "vg-lv", volume::Run::doit));
	set_phase(table::Phase::streamed);
	ASSERT_TRUE(stream(host.context, "vg-lv", volume::Run::doit));
	EXPECT_EQ(live(), "track 8:16 0 - 0 - 128");
	EXPECT_TRUE(skipped());
	ASSERT_TRUE(entry());
	EXPECT_TRUE(entry()->layers.empty());
	down();
	expect_up("track 8:16 0 - 0 - 128");
	// Detached there it goes on coming back by us: LVM has the old place.
	ASSERT_FALSE(detach(host.context, {.name = "vg-lv"}, volume::Run::doit));
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv", .to_copy = true}, volume::Run::doit));
	EXPECT_TRUE(entry());
	EXPECT_TRUE(skipped());
}

TEST_F(Lv, APivotIsToSayWhereItIsAfterABoot)
{
	for (const auto &request : {PivotRequest{.name = "vg-lv", .persist = true},
				    PivotRequest{.name = "vg-lv", .until_reboot = true}}) {
		host.add_lv();
		ASSERT_TRUE(copy(host.context,
				 {.name = "vg-lv", .target = "/dev/sdb", .sync_none = true},
				 volume::Run::doit));
		EXPECT_FALSE(entry());
		EXPECT_FALSE(pivot(host.context, {.name = "vg-lv"}, volume::Run::doit));
		EXPECT_FALSE(skipped());
		ASSERT_TRUE(pivot(host.context, request, volume::Run::doit));
		EXPECT_EQ(live(), "track 8:16 0 - 0 - 128");
		EXPECT_EQ(skipped(), request.persist);
		EXPECT_EQ(entry().has_value(), request.persist);
		if (!request.persist)
			continue;
		down();
		expect_up("track 8:16 0 - 0 - 128");
		host.mapper.devices.clear();
		std::filesystem::remove(host.context.tab_file);
	}
	host.add_volume();
	EXPECT_EQ(pivot(host.context, {.name = "v0", .persist = true}, volume::Run::doit)
			  .error()
			  .status,
		  Status::not_found);
}

TEST_F(Lv, AnAbortedPersistentPivotGivesItBack)
{
	host.add_lv();
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb"}, volume::Run::doit));
	set_phase(table::Phase::synced);
	host.mapper.calls.clear();
	host.mapper.kill_before = 1; // after LVM was told
	EXPECT_THROW(
		(void)pivot(host.context, {.name = "vg-lv", .persist = true}, volume::Run::doit),
		fake::Killed);
	host.mapper.kill_before = -1;
	EXPECT_TRUE(skipped());
	EXPECT_TRUE(entry());
	ASSERT_TRUE(volume::abort(host.context, "vg-lv", volume::Run::doit));
	EXPECT_EQ(live(), at_home);
	EXPECT_FALSE(skipped());
	EXPECT_FALSE(entry());
}

// The kernel may still be there: LVM has the old extents.
TEST_F(Lv, APersistentPivotThatIsNotDoneInTimeKeepsLvmAway)
{
	host.add_lv();
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb"}, volume::Run::doit));
	set_phase(table::Phase::synced);
	host.mapper.pivot_at_once = false;
	host.mapper.on_wait = [] {};
	const PivotRequest request{
		.name = "vg-lv", .persist = true, .timeout = std::chrono::milliseconds(0)};
	EXPECT_EQ(pivot(host.context, request, volume::Run::doit).error().status,
		  Status::timed_out);
	ASSERT_TRUE(entry());
	EXPECT_NE(entry()->was, "");
	EXPECT_TRUE(skipped());
}

TEST_F(Lv, WithMetadataACopyAndAViewComeBackToo)
{
	host.add_lv();
	ASSERT_TRUE(copy(host.context,
			 {.name = "vg-lv",
			  .target = "/dev/sdb",
			  .metadata = host.context.state_dir + "/copy"},
			 volume::Run::doit));
	EXPECT_TRUE(skipped());
	EXPECT_TRUE(entry());
	ASSERT_TRUE(volume::abort(host.context, "vg-lv", volume::Run::doit));
	EXPECT_FALSE(skipped());
	EXPECT_FALSE(entry());
	const ViewRequest request{
		.name = "vg-lv", .view = "now", .store = "/dev/sdb", .persistent = true};
	const auto made = view(host.context, request, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_TRUE(skipped());
	EXPECT_TRUE(entry());
	ASSERT_TRUE(volume::abort(host.context, "vg-lv", volume::Run::doit));
	EXPECT_FALSE(skipped());
	EXPECT_FALSE(entry());
}

TEST_F(Lv, OneOfSeveralPiecesIsPutTogetherAsLvmHasIt)
{
	auto &device = host.add_lv();
	const auto half = disk_sectors / 2;
	const dm::Table table{{0, half, "linear", "8:48 2048"},
			      {half, half, "striped", "2 128 8:0 0 8:48 4096"}};
	host.lvm.lvs[0].segments = {
		{.type = "linear", .sectors = half, .stripes = {{"/dev/sdd", 2048}}},
		{.type = "striped",
		 .sectors = half,
		 .stripe_sectors = 128,
		 .stripes = {{"/dev/sda", 0}, {"/dev/sdd", 4096}}}};
	device.live = table;
	ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, volume::Run::doit));
	take_snapshot();
	EXPECT_TRUE(skipped());
	down();
	EXPECT_FALSE(host.mapper.named("vg-lv-blkreal"));
	const auto up = activate(host.context, {.what = "vg-lv"}, volume::Run::doit);
	ASSERT_TRUE(up) << up.error().message();
	ASSERT_TRUE(host.mapper.named("vg-lv-blkreal"));
	EXPECT_EQ(host.mapper.named("vg-lv-blkreal")->live, table);
	EXPECT_EQ(find(host.context, "vg-lv")->kind, Kind::stacked);
	down();
	host.lvm.lvs[0].segments[1].sectors += 8192;
	expect_refusal(Status::needs_attention, "LVM has made it");
	// What only LVM puts together is said not to come back.
	host.lvm.lvs[0].segments[1] = {.type = "raid1", .sectors = half};
	expect_refusal(Status::failed, "only LVM");
}

// What was written since the snapshot is in its store alone.
TEST_F(Lv, DetachOfASnapshotIsRefused)
{
	const auto refused = [&](bool to_copy) {
		const auto before = live();
		const auto result = detach(host.context, {.name = "vg-lv", .to_copy = to_copy},
					   volume::Run::doit);
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, Status::busy);
		EXPECT_EQ(live(), before);
		EXPECT_TRUE(skipped());
	};
	host.add_lv();
	take_snapshot();
	refused(false);
	refused(true);
	host.probe.add({8, 64}, "/dev/sde", disk_sectors);
	ASSERT_TRUE(
		snapshot(host.context, {.name = "vg-lv", .store = "/dev/sde"}, volume::Run::doit));
	refused(true);
	host.mapper.devices.clear();
	host.add_lv();
	host.mapper.named("vg-lv")->live = {{0, disk_sectors, "striped", "2 128 8:0 0 8:48 4096"}};
	ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, volume::Run::doit));
	ASSERT_TRUE(snapshot(host.context, {.name = "vg-lv", .store = "/dev/sdb", .boot = false},
			     volume::Run::doit));
	host.lvm.lvs[0].is_skipped = true;
	refused(false);
}

TEST_F(Lv, WhatLvmMayHaveHadDoesNotComeUp)
{
	host.add_lv();
	take_snapshot();
	down();
	host.lvm.lvs[0].is_skipped = false;
	expect_refusal(Status::needs_attention, "may have had it");
	// What is not there at all is nothing of LVM's, and it is told.
	host.lvm.lvs[0].is_skipped = true;
	expect_up(on_store);
	ASSERT_TRUE(stream(host.context, "vg-lv", volume::Run::doit));
	set_phase(table::Phase::streamed);
	ASSERT_TRUE(stream(host.context, "vg-lv", volume::Run::doit));
	down();
	host.lvm.lvs[0].is_skipped = false;
	expect_up("track 8:16 0 - 0 - 128");
	EXPECT_TRUE(skipped());
	down();
	host.lvm.lvs.clear();
	expect_up("track 8:16 0 - 0 - 128");
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv", .to_copy = true}, volume::Run::doit));
}

// What the layer below it holds is in a store.
TEST_F(Lv, ASnapshotWhoseOwnMergeIsOverIsNotLvms)
{
	host.add_lv();
	take_snapshot();
	host.probe.add({8, 64}, "/dev/sde", disk_sectors);
	ASSERT_TRUE(
		snapshot(host.context, {.name = "vg-lv", .store = "/dev/sde"}, volume::Run::doit));
	ASSERT_TRUE(commit(host.context, {.name = "vg-lv"}, volume::Run::doit));
	{
		const auto device = meta::open_device(host.context.state_dir + "/vg-lv.2.meta",
						      meta::Access::write);
		ASSERT_TRUE(device);
		auto super = meta::read_superblock(**device);
		ASSERT_TRUE(super);
		super->mode = meta::Mode::commit;
		super->phase = meta::Phase::merged;
		ASSERT_TRUE(meta::update_superblock(**device, *super));
	}
	down();
	host.lvm.lvs[0].is_skipped = false;
	expect_refusal(Status::needs_attention, "may have had it");
	host.lvm.lvs[0].is_skipped = true;
	expect_up("commit 253:0 0 8:64 0 7:1 128");
}

TEST_F(Lv, WhatAKillHasLeftIsClearedAway)
{
	host.add_lv();
	take_snapshot();
	// Given back, and the entry is still there.
	auto &device = *host.mapper.named("vg-lv");
	const auto own = dm::Table{{0, disk_sectors, "linear", "8:48 2048"}};
	device.live = own;
	host.lvm.lvs[0].is_skipped = false;
	ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, volume::Run::doit));
	EXPECT_FALSE(entry());
	EXPECT_EQ(live(), at_home);

	// A copy that never began, and is given up.
	const CopyRequest request{.name = "vg-lv",
				  .target = "/dev/sdb",
				  .metadata = host.context.state_dir + "/vg-lv.meta"};
	host.mapper.calls.clear();
	host.mapper.kill_before = 1; // its table
	EXPECT_THROW((void)copy(host.context, request, volume::Run::doit), fake::Killed);
	host.mapper.kill_before = -1;
	EXPECT_TRUE(entry());
	EXPECT_TRUE(skipped());
	ASSERT_TRUE(volume::abort(host.context, "vg-lv", volume::Run::doit));
	EXPECT_FALSE(entry());
	EXPECT_FALSE(skipped());
	EXPECT_FALSE(std::filesystem::exists(request.metadata));

	// A detach between its switch and its end.
	ASSERT_TRUE(copy(host.context, request, volume::Run::doit));
	device.live = own;
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv"}, volume::Run::doit));
	EXPECT_FALSE(entry());
	EXPECT_FALSE(skipped());
}

TEST_F(Lv, AnEntryOfOneThatIsElsewhereIsNotForgotten)
{
	host.add_lv();
	ASSERT_TRUE(copy(host.context, {.name = "vg-lv", .target = "/dev/sdb", .sync_none = true},
			 volume::Run::doit));
	ASSERT_TRUE(pivot(host.context, {.name = "vg-lv", .persist = true}, volume::Run::doit));
	// Detached where it is, it can be attached there.
	ASSERT_TRUE(detach(host.context, {.name = "vg-lv", .to_copy = true}, volume::Run::doit));
	ASSERT_TRUE(attach(host.context, {.device = "vg-lv"}, volume::Run::doit));
	EXPECT_TRUE(entry());
	down();
	const auto gone = volume::remove(host.context, "vg-lv", volume::Run::doit);
	ASSERT_FALSE(gone);
	EXPECT_NE(gone.error().next.find("--setactivationskip n"), std::string::npos);
	EXPECT_TRUE(entry());
	host.lvm.lvs[0].is_skipped = false;
	EXPECT_TRUE(volume::remove(host.context, "vg-lv", volume::Run::doit));
	EXPECT_FALSE(entry());
}

TEST_F(Lv, APvMayGrow)
{
	host.add_lv();
	take_snapshot();
	down();
	host.probe.devices[disk_pv].sectors += 8192;
	expect_up(on_store);
}

TEST_F(Lv, LvmThatDoesNotAnswerIsNoLvmWithoutLvs)
{
	host.add_lv();
	take_snapshot();
	down();
	host.lvm.fails = true;
	expect_refusal(Status::failed, "lvm");
	std::filesystem::remove(host.context.tab_file);
	expect_refusal(Status::failed, "lvm");
}

TEST_F(Lv, WhatIsNotAsRecordedIsRefused)
{
	host.add_lv();
	take_snapshot();
	// LVM was made to activate it all the same.
	auto &device = *host.mapper.named("vg-lv");
	const auto before = device.live;
	host.mapper.calls.clear();
	device.live = {{0, disk_sectors, "linear", "8:48 2048"}};
	expect_refusal(Status::busy, "LVM has activated it");
	const auto attached = attach(host.context, {.device = "vg-lv"}, volume::Run::doit);
	ASSERT_FALSE(attached);
	EXPECT_EQ(attached.error().status, Status::busy);
	device.live = before;
	down();

	auto &lv = host.lvm.lvs[0];
	const auto as_it_was = lv;
	lv.mapper_name = "vg-other";
	expect_refusal(Status::needs_attention, "vg-lv");
	lv = as_it_was;
	lv.segments[0].stripes[0].offset = 4096;
	expect_refusal(Status::needs_attention, "moved");
	lv = as_it_was;
	lv.segments[0].sectors += 8192;
	expect_refusal(Status::needs_attention, "LVM has made it");
	host.lvm.lvs.clear();
	expect_refusal(Status::not_found, "no LV");
	host.lvm.lvs = {as_it_was};
	expect_up(on_store);
}

/*
 * Killed anywhere: while something of it is on the store LVM leaves it alone, and while LVM leaves
 * it alone it is written down where all of it is. Run again, each verb gets to its end.
 */
TEST(LvKill, NeverBothAndNeverNobody)
{
	struct Case {
		std::string name;
		std::function<void(fake::Host &)> prepare;
		std::function<Result<Outcome>(Context &)> run;
		bool skipped; // in the end
		std::optional<Status> over = {};
	};
	const auto snapshot_of = [](Context &c) {
		return snapshot(c, {.name = "vg-lv", .store = "/dev/sdb"}, volume::Run::doit);
	};
	const auto commit_of = [](Context &c) {
		return commit(c, {.name = "vg-lv"}, volume::Run::doit);
	};
	const Case cases[] = {
		{"snapshot", [](fake::Host &h) { h.add_lv(); }, snapshot_of, true},
		{"commit, finished",
		 [&](fake::Host &h) {
			 h.add_lv();
			 ASSERT_TRUE(snapshot_of(h.context));
			 ASSERT_TRUE(commit_of(h.context));
			 h.mapper.named("vg-lv")->status.phase = table::Phase::merged;
		 },
		 commit_of, false, Status::not_found},
		{"pivot that persists",
		 [](fake::Host &h) {
			 h.add_lv();
			 ASSERT_TRUE(
				 copy(h.context,
				      {.name = "vg-lv", .target = "/dev/sdb", .sync_none = true},
				      volume::Run::doit));
		 },
		 [](Context &c) {
			 return pivot(c, {.name = "vg-lv", .persist = true}, volume::Run::doit);
		 },
		 true, Status::not_found},
	};
	const auto check = [](fake::Host &host, const std::string &when) {
		const auto entry = tab::Tab::parse(read_file(host.context.tab_file).value_or(""))
					   .find("vg-lv");
		const auto &table = host.mapper.named("vg-lv")->live.at(0).params;
		const bool skipped = host.lvm.lvs[0].is_skipped;
		EXPECT_TRUE(!skipped || entry) << when;
		if (table.starts_with("mirror") &&
		    host.mapper.named("vg-lv")->status.phase == table::Phase::pivoted) {
			EXPECT_TRUE(skipped && entry && entry->device.ends_with("sdb")) << when;
		}
		if (table.starts_with("overlay") || table.starts_with("track 8:16")) {
			EXPECT_TRUE(skipped && entry) << when;
		}
	};

	// False if it was through before it could be killed there.
	const auto kill = [&](const Case &test, int step, bool before) {
		fake::Host host;
		bool killed = false;
		const auto when =
			test.name + (before ? ", before " : ", after ") + std::to_string(step);
		test.prepare(host);
		host.mapper.calls.clear();
		(before ? host.mapper.kill_before : host.mapper.kill_after) = step;
		try {
			EXPECT_TRUE(test.run(host.context)) << when;
		} catch (const fake::Killed &) {
			killed = true;
		}
		host.mapper.kill_before = host.mapper.kill_after = -1;
		check(host, when);
		const auto again = test.run(host.context);
		EXPECT_TRUE(again || (test.over && again.error().status == *test.over))
			<< when << ": " << again.error().message();
		check(host, when + ", again");
		EXPECT_EQ(host.lvm.lvs[0].is_skipped, test.skipped) << when;
		return killed;
	};

	for (const auto &test : cases)
		for (const bool before : {true, false}) {
			int step = 0;
			while (kill(test, step, before))
				ASSERT_LT(++step, 30);
			EXPECT_GT(step, 2) << test.name;
		}
}

TEST(LvReport, IsRead)
{
	const std::string lv = R"("vg_uuid":"9tJTD4-sndg-Ckno-CYTW-D2aK-Uqhu-Gec7rZ",
		"lv_uuid":"7Xs254-6OY0-WFc0-QprE-gl0f-zb5O-dVRsu5", "vg_name":"vg0",
		"lv_name":"da-ta", "lv_dm_path":"/dev/mapper/vg0-da--ta",
		"lv_skip_activation":"1", "vg_extent_size":"8192")";
	const auto segment = [&](const std::string &type, const std::string &size,
				 const std::string &stripe, const std::string &devices) {
		return "{" + lv + ",\"segtype\":\"" + type + "\",\"seg_size\":\"" + size +
		       "\",\"stripe_size\":\"" + stripe + "\",\"devices\":\"" + devices + "\"}";
	};
	const auto report = [](const std::string &rows) {
		return "{\"report\": [{\"seg\": [" + rows + "]}]}";
	};
	const auto good = report(segment("linear", "32768", "0", "/dev/vda(0)") + "," +
				 segment("striped", "16384", "128", "/dev/vda(8),/dev/vdb(1)") +
				 "," + segment("thin", "8192", "0", ""));
	const std::string pvs = R"({"report": [{"pv": [
		{"pv_name":"/dev/vda", "pe_start":"2048"}, {"pv_name":"/dev/vdb", "pe_start":"4096"},
		{"pv_name":"/dev/vdc", "pe_start":""}]}]})";
	const auto all = lvm::parse_report(good, pvs);
	ASSERT_TRUE(all) << all.error().message();
	ASSERT_EQ(all->size(), 1u);
	const lvm::LogicalVolume want{
		.id = "9tJTD4sndgCknoCYTWD2aKUqhuGec7rZ7Xs2546OY0WFc0QprEgl0fzb5OdVRsu5",
		.group = "vg0",
		.name = "da-ta",
		.mapper_name = "vg0-da--ta",
		.is_skipped = true,
		.segments = {{"linear", 32768, 0, {{"/dev/vda", 2048}}},
			     {"striped", 16384, 128, {{"/dev/vda", 67584}, {"/dev/vdb", 12288}}},
			     {"thin", 8192, 0, {}}}};
	EXPECT_EQ(all->at(0), want);
	EXPECT_EQ(want.sectors(), 57344u);

	for (const auto &bad :
	     {std::string("x"), std::string("{}"), report("1"), report("{}"),
	      report("{" + lv + "}"), report(segment("linear", "", "0", "/dev/vda(0)"))})
		EXPECT_FALSE(lvm::parse_report(bad, pvs)) << bad;
	EXPECT_FALSE(lvm::parse_report(good, "{}"));
	auto said = good;
	said.replace(said.find("\"1\""), 3, "\"skip activation\"");
	EXPECT_FALSE(lvm::parse_report(said, pvs));
	// One that is on its way elsewhere keeps no other from being known.
	for (const auto *place : {"/dev/vdz(0)", "/dev/vda(x)", "/dev/vda", "pvmove0(0)"}) {
		const auto moved =
			lvm::parse_report(report(segment("linear", "1", "0", place)), pvs);
		ASSERT_TRUE(moved);
		EXPECT_TRUE(moved->at(0).segments.at(0).stripes.empty()) << place;
	}
}
