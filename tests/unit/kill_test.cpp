// SPDX-License-Identifier: GPL-2.0-or-later
// Every verb, killed before and after every change it makes, then run again: nothing is suspended,
// and the second run finishes.
#include "fake_host.hpp"
#include "volume/operations.hpp"
#include "volume/uuid.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;

namespace
{

const dm::Table striped{{0, fake::disk_sectors, "striped", "2 128 8:0 0 8:48 0"}};
const dm::Table linear{{0, fake::disk_sectors, "linear", "8:0 2048"}};

struct Case {
	std::string name;
	std::function<void(fake::Host &)> prepare;
	std::function<Result<Outcome>(Context &)> run;
	std::string device; // to look at afterwards
	std::string live;   // its table then; empty: it is gone
	bool hidden;        // whether there is a hidden device then
	// A second run may answer this instead of success when the first one had got all the way.
	std::optional<Status> over = {};
};

void stack(fake::Host &host)
{
	host.mapper.add("x", "LVM-x", {253, 7}, striped).info.open_count = 1;
	ASSERT_TRUE(attach(host.context, {.device = "x"}, Run::doit));
}

// A volume v0 with a snapshot on b; and one that was taken away since.
void snapshot_taken(fake::Host &host)
{
	host.add_volume();
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, Run::doit));
}

void deactivated(fake::Host &host)
{
	snapshot_taken(host);
	ASSERT_TRUE(deactivate(host.context, "v0", Run::doit));
}

void stack_copied(fake::Host &host)
{
	stack(host);
	ASSERT_TRUE(copy(host.context, {.name = "x", .target = "/dev/sdb", .sync_none = true},
			 Run::doit));
}

const Case cases[] = {
	{"create", [](fake::Host &) {},
	 [](Context &c) { return create(c, {.name = "v0", .device = "/dev/sda"}, Run::doit); },
	 "v0", "0 131072 blkcopy track 8:0 0 - 0 - 128", false},
	{"remove", [](fake::Host &h) { h.add_volume(); },
	 [](Context &c) { return volume::remove(c, "v0", Run::doit); }, "v0", "", false,
	 Status::not_found},
	{"absorb",
	 [](fake::Host &h) {
		 h.mapper.add("x", "LVM-x", {253, 7}, linear);
	 },
	 [](Context &c) { return attach(c, {.device = "x"}, Run::doit); }, "x",
	 "0 131072 blkcopy track 8:0 2048 - 0 - 128", false, Status::busy},
	{"stack",
	 [](fake::Host &h) {
		 h.mapper.add("x", "LVM-x", {253, 7}, striped).info.open_count = 1;
	 },
	 [](Context &c) { return attach(c, {.device = "x"}, Run::doit); }, "x",
	 "0 131072 blkcopy track 253:0 0 - 0 - 128", true, Status::busy},
	{"detach", stack, [](Context &c) { return detach(c, {.name = "x"}, Run::doit); }, "x",
	 striped[0].str(), false, Status::not_found},
	{"copy", [](fake::Host &h) { h.add_volume(); },
	 [](Context &c) { return copy(c, {.name = "v0", .target = "/dev/sdb"}, Run::doit); }, "v0",
	 "0 131072 blkcopy mirror 8:0 0 8:16 0 - 128", false},
	{"copy after a failed one",
	 [](fake::Host &h) { h.add_copy(table::Phase::aborted).status.top_errors = 1; },
	 [](Context &c) { return copy(c, {.name = "v0", .target = "/dev/sdb"}, Run::doit); }, "v0",
	 "0 131072 blkcopy mirror 8:0 0 8:16 0 - 128", false},
	{"abort", [](fake::Host &h) { h.add_copy(table::Phase::copying); },
	 [](Context &c) { return volume::abort(c, "v0", Run::doit); }, "v0",
	 "0 131072 blkcopy track 8:0 0 - 0 - 128", false, Status::not_found},
	{"pivot", [](fake::Host &h) { h.add_copy(table::Phase::synced); },
	 [](Context &c) { return pivot(c, {.name = "v0"}, Run::doit); }, "v0",
	 "0 131072 blkcopy track 8:16 0 - 0 - 128", false, Status::not_found},
	{"pivot of a stack", stack_copied,
	 [](Context &c) { return pivot(c, {.name = "x", .until_reboot = true}, Run::doit); }, "x",
	 "0 131072 blkcopy track 8:16 0 - 0 - 128", false, Status::not_found},
	{"snapshot", [](fake::Host &h) { h.add_volume(); },
	 [](Context &c) { return snapshot(c, {.name = "v0", .store = "/dev/sdb"}, Run::doit); },
	 "v0", "0 131072 blkcopy overlay 8:0 0 8:16 0 7:0 128", false},
	{"a second snapshot", snapshot_taken,
	 [](Context &c) { return snapshot(c, {.name = "v0", .store = "/dev/sde"}, Run::doit); },
	 "v0", "0 131072 blkcopy overlay 253:1 0 8:64 0 7:1 128", false},
	{"snapshots of two",
	 [](fake::Host &h) {
		 h.add_volume();
		 h.mapper.add("v1", "BLKCTL-ffeeddccbbaa99887766554433221100-vol", {253, 5},
			      {{0, fake::disk_sectors / 2, "blkcopy", "track 8:32 0 - 0 - 128"}});
	 },
	 [](Context &c) {
		 return snapshot_all(
			 c,
			 {{.name = "v1", .store = "/dev/sde"}, {.name = "v0", .store = "/dev/sdb"}},
			 Run::doit);
	 },
	 "v0", "0 131072 blkcopy overlay 8:0 0 8:16 0 7:1 128", false},
	{"activate", deactivated, [](Context &c) { return activate(c, {.what = "v0"}, Run::doit); },
	 "v0", "0 131072 blkcopy overlay 8:0 0 8:16 0 7:0 128", false},
	{"deactivate", snapshot_taken, [](Context &c) { return deactivate(c, "v0", Run::doit); },
	 "v0", "", false},
	{"copy with metadata", [](fake::Host &h) { h.add_volume(); },
	 [](Context &c) {
		 return copy(
			 c,
			 {.name = "v0", .target = "/dev/sdb", .metadata = c.state_dir + "/v0.copy"},
			 Run::doit);
	 },
	 "v0", "0 131072 blkcopy mirror 8:0 0 8:16 0 7:0 128", false},
	{"commit, begun", [](fake::Host &h) { h.add_overlay("overlay"); },
	 [](Context &c) { return commit(c, {.name = "v0"}, Run::doit); }, "v0",
	 "0 131072 blkcopy commit 8:0 0 8:16 0 8:32 128", false},
	{"commit, finished",
	 [](fake::Host &h) { h.add_overlay("commit").status.phase = table::Phase::merged; },
	 [](Context &c) { return commit(c, {.name = "v0"}, Run::doit); }, "v0",
	 "0 131072 blkcopy track 8:0 0 - 0 - 128", false, Status::not_found},
	{"stream, finished",
	 [](fake::Host &h) { h.add_overlay("stream").status.phase = table::Phase::streamed; },
	 [](Context &c) { return stream(c, "v0", Run::doit); }, "v0",
	 "0 131072 blkcopy track 8:16 0 - 0 - 128", false, Status::not_found},
	{"create from", [](fake::Host &) {},
	 [](Context &c) {
		 return create_from(c, {.name = "v0", .device = "/dev/sdb", .base = "/dev/sda"},
				    Run::doit);
	 },
	 "v0", "0 131072 blkcopy stream 8:0 0 8:16 0 7:0 128", false},
	{"pause", [](fake::Host &h) { h.add_copy(table::Phase::copying); },
	 [](Context &c) { return pause(c, "v0", Run::doit); }, "v0",
	 "0 131072 blkcopy mirror 8:0 0 8:16 0 - 128 1 paused", false},
};

bool has_hidden(const fake::Mapper &mapper)
{
	for (const auto &[devno, device] : mapper.devices)
		if (is_hidden_uuid(device.info.uuid))
			return true;
	return false;
}

void expect_done(fake::Host &host, const Case &test)
{
	auto *const device = host.mapper.named(test.device);

	for (const auto &[devno, each] : host.mapper.devices)
		EXPECT_TRUE(each.inactive.empty()) << each.info.name;
	EXPECT_EQ(has_hidden(host.mapper), test.hidden);
	if (test.live.empty()) {
		EXPECT_FALSE(device);
	} else {
		ASSERT_TRUE(device);
		ASSERT_EQ(device->live.size(), 1u);
		EXPECT_EQ(device->live[0].str(), test.live);
	}
}

// False if the verb was through before it could be killed there.
bool kill_and_run_again(const Case &test, int at, bool before)
{
	fake::Host host;
	bool killed = false;

	host.probe.add({8, 64}, "/dev/sde", fake::disk_sectors);
	test.prepare(host);
	host.mapper.calls.clear();
	(before ? host.mapper.kill_before : host.mapper.kill_after) = at;
	try {
		const auto result = test.run(host.context);
		EXPECT_TRUE(result) << result.error().message();
	} catch (const fake::Killed &) {
		killed = true;
	}
	if (killed) {
		host.mapper.kill_before = host.mapper.kill_after = -1;
		const auto again = test.run(host.context);
		if (!again) {
			EXPECT_TRUE(test.over && again.error().status == *test.over)
				<< again.error().message();
		}
	}
	expect_done(host, test);
	return killed;
}

} // namespace

TEST(Kill, AtEveryChangeOfEveryVerb)
{
	for (const auto &test : cases) {
		for (const bool before : {true, false}) {
			int at = 0;
			for (;; at++) {
				SCOPED_TRACE(test.name +
					     (before ? ", killed before change "
						     : ", killed after change ") +
					     std::to_string(at));
				if (!kill_and_run_again(test, at, before) ||
				    testing::Test::HasFailure())
					break;
			}
			EXPECT_GT(at, 0) << test.name;
		}
	}
}

TEST(Kill, AbortUndoesAKilledCopy)
{
	for (int at = 0; at < 2; at++) {
		fake::Host host;
		host.add_volume();
		host.mapper.kill_after = at;
		EXPECT_THROW(
			(void)copy(host.context, {.name = "v0", .target = "/dev/sdb"}, Run::doit),
			fake::Killed);
		host.mapper.kill_after = -1;
		const auto aborted = volume::abort(host.context, "v0", Run::doit);
		EXPECT_TRUE(aborted) << aborted.error().message();
		EXPECT_TRUE(host.mapper.named("v0")->inactive.empty());
		EXPECT_EQ(host.mapper.named("v0")->live[0].str(),
			  "0 131072 blkcopy track 8:0 0 - 0 - 128");
	}
}

// The switch is done, and nothing says by whom: the volume is where the copy was to take it.
TEST(Kill, ACopyWhosePivotWasKilledInItsSwitchIsDone)
{
	fake::Host host;
	host.add_volume();
	const CopyRequest request{
		.name = "v0", .target = "/dev/sdb", .sync_none = true, .pivot = true};
	ASSERT_TRUE(copy(host.context, request, Run::doit));
	host.mapper.calls.clear();
	host.mapper.kill_after = 2; // phase pivot, load, resume
	EXPECT_THROW((void)pivot(host.context, {.name = "v0"}, Run::doit), fake::Killed);
	host.mapper.kill_after = -1;
	ASSERT_EQ(host.mapper.named("v0")->live[0].str(),
		  "0 131072 blkcopy track 8:16 0 - 0 - 128");
	const auto again = copy(host.context, request, Run::doit);
	ASSERT_TRUE(again) << again.error().message();
	EXPECT_TRUE(again->already);

	// A copy that was aborted leaves the volume where it was: its source is no target of it.
	ASSERT_TRUE(copy(host.context, {.name = "v0", .target = "/dev/sda"}, Run::doit));
	ASSERT_TRUE(volume::abort(host.context, "v0", Run::doit));
	EXPECT_FALSE(copy(host.context, request, Run::doit));
}
