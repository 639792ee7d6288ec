// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_host.hpp"
#include "job/catch_up.hpp"
#include "job/job.hpp"
#include "job/watcher.hpp"
#include "volume/operations.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::job;
using std::chrono::milliseconds, std::chrono::seconds;

TEST(Job, CountsBytesAndNeverRoundsUpToDone)
{
	fake::Host host;
	auto &device = host.add_copy(table::Phase::copying);
	device.status.base_only = 1;
	device.status.both = device.status.total - 1;
	device.live[0].length = fake::disk_sectors - 1; // the last block is a part of one
	const auto job = job_of(*volume::find(host.context, "v0"));
	EXPECT_EQ(job.total_bytes, (fake::disk_sectors - 1) * 512);
	EXPECT_EQ(job.done_bytes, job.total_bytes - 65536);
	EXPECT_LT(job.percent(), 100.0);
	EXPECT_EQ(job.target, fake::disk_b);
	EXPECT_EQ((Job{.total_bytes = uint64_t(1) << 60, .done_bytes = (uint64_t(1) << 60) - 1}
			   .percent()),
		  99.99);
}

TEST(Job, StateIsWhatTableAndStatusSay)
{
	using table::Phase;
	const struct {
		Phase phase;
		bool paused;
		uint64_t errors;
		State state;
		std::optional<table::Cause> cause = {};
	} all[] = {
		{Phase::copying, false, 0, State::copying},
		{Phase::copying, false, 3, State::copying},
		{Phase::copying, true, 0, State::paused},
		{Phase::copying, true, 1, State::needs_attention},
		{Phase::synced, false, 0, State::ready},
		{Phase::pivoted, false, 0, State::pivoted},
		{Phase::aborted, false, 0, State::aborted},
		{Phase::aborted, false, 1, State::failed},
		// A module that says who did it: errors are no reason then.
		{Phase::copying, true, 1, State::paused, table::Cause::user},
		{Phase::copying, true, 1, State::needs_attention, table::Cause::policy},
		{Phase::aborted, false, 1, State::aborted, table::Cause::user},
		{Phase::aborted, false, 0, State::failed, table::Cause::policy},
		{Phase::copying, false, 1, State::copying, table::Cause::none},
	};
	for (const auto &each : all) {
		fake::Host host;
		auto &device = host.add_copy(each.phase);
		device.status.top_errors = each.errors;
		device.status.cause = each.cause;
		if (each.paused)
			device.live[0].params += " 1 paused";
		EXPECT_EQ(volume::find(host.context, "v0")->state(), each.state);
	}
}

TEST(Meter, TellsRateAndTimeLeft)
{
	Meter meter;
	Job job{.total_bytes = 1000 << 20};
	const Meter::Clock::time_point start{};

	meter.sample(start, job);
	EXPECT_FALSE(meter.left());
	job.done_bytes = 100 << 20;
	meter.sample(start + seconds(1), job);
	EXPECT_NEAR(meter.bytes_per_second(), 100 << 20, 1);
	EXPECT_EQ(meter.left(), seconds(9));
	// Going back (background mode) is no negative rate.
	job.done_bytes = 50 << 20;
	meter.sample(start + seconds(2), job);
	EXPECT_GT(meter.bytes_per_second(), 0);
	job.done_bytes = job.total_bytes;
	meter.sample(start + seconds(3), job);
	EXPECT_FALSE(meter.left());
}

TEST(Wait, EndsAsTheJobDoes)
{
	using table::Phase;
	fake::Host host;
	std::vector<State> seen;
	WaitOptions options;
	options.on_progress = [&](const volume::Volume &, const Job &job, const Meter &) {
		seen.push_back(job.state);
	};
	EXPECT_EQ(wait_ready(host.context, "v0", options).error().status, Status::not_found);
	host.add_volume();
	EXPECT_EQ(wait_ready(host.context, "v0", options).error().status, Status::not_found);

	auto &device = host.add_copy(Phase::copying);
	host.mapper.on_wait = [&] { device.status.phase = Phase::synced; };
	EXPECT_EQ(wait_ready(host.context, "v0", options)->job.state, State::ready);
	EXPECT_EQ(seen, (std::vector{State::copying, State::ready}));
	// Once, for as long as it waits.
	EXPECT_EQ(host.probe.held, std::vector{device.info.devno});

	device.status.phase = Phase::copying;
	host.mapper.on_wait = [&] { device.status.phase = Phase::aborted; };
	EXPECT_EQ(wait_ready(host.context, "v0", options).error().status, Status::aborted);
	device.status.top_errors = 1;
	EXPECT_EQ(wait_ready(host.context, "v0", options).error().status, Status::failed);

	device.status.phase = Phase::copying;
	const auto params = device.live[0].params;
	host.mapper.on_wait = [&] { device.live[0].params = params + " 1 paused"; };
	EXPECT_EQ(wait_ready(host.context, "v0", options).error().status, Status::needs_attention);

	device.live[0].params = params;
	host.mapper.on_wait = [] {};
	options.timeout = milliseconds(5);
	EXPECT_EQ(wait_ready(host.context, "v0", options).error().status, Status::timed_out);
	options.cancelled = [] { return true; };
	EXPECT_TRUE(wait_ready(host.context, "v0", options)->cancelled);
	options.cancelled = {};
	options.timeout.reset();

	host.mapper.on_wait = [&] { device.live = {{0, 131072, "linear", "8:0 0"}}; };
	const auto replaced = wait_ready(host.context, "v0", options);
	EXPECT_EQ(replaced.error().status, Status::failed);
	EXPECT_NE(replaced.error().why.find("replaced"), std::string::npos);
}

// "No job" is not success, and a later copy is not the one that was waited for.
TEST(Wait, TellsItsCopyFromALaterOne)
{
	const auto wait_while = [](const char *table, bool gone = false) {
		fake::Host host;
		host.add_copy(table::Phase::copying);
		host.mapper.on_wait = [&] { host.set_table(table); };
		return gone ? wait_gone(host.context, "v0", {})
			    : wait_ready(host.context, "v0", {});
	};
	for (const bool gone : {false, true}) {
		EXPECT_EQ(wait_while("track 8:16 0 - 0 - 128", gone)->job.state, State::none);
		EXPECT_EQ(wait_while("mirror 8:16 0 8:32 0 - 128", gone)->job.state, State::none);
		EXPECT_EQ(wait_while("track 8:0 0 - 0 - 128", gone).error().status,
			  Status::aborted);
		EXPECT_EQ(wait_while("mirror 8:0 0 8:32 0 - 128", gone).error().status,
			  Status::aborted);
		EXPECT_EQ(wait_while("track 8:32 0 - 0 - 128", gone).error().status,
			  Status::failed);
	}
	// It was aborted before the wait began.
	fake::Host host;
	host.add_copy(table::Phase::copying);
	const auto id = volume::copy_id(*volume::find(host.context, "v0"));
	host.set_table("track 8:0 0 - 0 - 128");
	EXPECT_EQ(wait_ready(host.context, id, {}).error().status, Status::aborted);
}

// What lasts as it is ends in nothing.
TEST(Wait, RefusesWhatIsNoJob)
{
	const struct {
		const char *table;
		const char *why;
	} all[] = {
		{"track 8:0 0 - 0 - 128", "no job"},
		{"overlay 8:0 0 8:16 0 8:32 128", "a snapshot"},
		{"backup 8:0 0 8:16 0 - 128 1 paused", "a view"},
	};
	for (const auto &each : all) {
		fake::Host host;
		auto &device = host.add_volume();
		host.set_table(each.table);
		if (device.status.mode == table::Mode::backup)
			device.status.phase = table::Phase::preserving;
		for (const auto &refused :
		     {wait_ready(host.context, "v0", {}), wait_gone(host.context, "v0", {})}) {
			ASSERT_FALSE(refused) << each.table;
			EXPECT_EQ(refused.error().status, Status::not_found);
			EXPECT_NE(refused.error().why.find(each.why), std::string::npos)
				<< refused.error().message();
		}
		EXPECT_FALSE(find_job(host.context, "v0"));
	}
}

// What an operation begins is what is waited for.
TEST(Wait, KnowsTheCopyByWhatBeganIt)
{
	fake::Host host;
	host.add_volume();
	const auto begun =
		volume::copy(host.context, {.name = "v0", .target = "/dev/sdb"}, volume::Run::doit);
	ASSERT_TRUE(begun) << begun.error().message();
	host.mapper.at(fake::volume_number).status.phase = table::Phase::synced;
	const auto ready = wait_ready(host.context, *begun->copy, {});
	ASSERT_TRUE(ready) << ready.error().message();
	EXPECT_EQ(ready->job.state, State::ready);
}

// A writer that goes on for ever must not keep a background copy from its end.
TEST(CatchUp, TurnsABackgroundCopyDualNearItsEnd)
{
	fake::Host host;
	auto &device = host.add_copy(table::Phase::copying);
	const auto look = [&] { return *volume::find(host.context, "v0"); };
	const auto try_it = [&](int ms) {
		const auto now = look();
		EXPECT_TRUE(catch_up(host.context, now, job_of(now), milliseconds(ms)));
		return look().table.params.copy_mode;
	};
	device.status.base_only = 32; // 2 MiB to go
	device.status.both = device.status.total - 32;
	device.status.rate_kib = 1024;
	EXPECT_FALSE(try_it(10000)); // dual as it is: nothing to do
	EXPECT_TRUE(host.mapper.calls.empty());
	device.live[0].params += " 0 2 copy_mode background";
	EXPECT_EQ(try_it(1999), table::CopyMode::background);
	EXPECT_EQ(try_it(2000), table::CopyMode::dual);
	EXPECT_EQ(host.mapper.calls, std::vector<std::string>{"message 253:0 set copy_mode dual"});

	// A copy that has ended since that look is no error, one that cannot be turned is.
	const auto then = [&] {
		device.live[0].params = "mirror 8:0 0 8:16 0 - 128 0 2 copy_mode background";
		return look();
	}();
	const auto again = [&] {
		return catch_up(host.context, then, job_of(then), milliseconds(5000));
	};
	host.mapper.fail = "message";
	EXPECT_FALSE(again());
	device.status.phase = table::Phase::aborted;
	EXPECT_TRUE(again());
}

TEST(Watcher, AVolumeThatCannotBeReadHidesNoOther)
{
	fake::Host host;
	auto &device = host.add_volume();
	auto &other =
		host.mapper.add("w", "", {253, 1}, {{0, 8, "blkcopy", "track 8:16 0 - 0 - 128"}});
	auto watcher = Watcher::open(host.context);
	ASSERT_EQ(watcher->next(milliseconds(0))->size(), 2u);

	device.live[0].params = "overlay 8:0 0 - 0 - 128";
	const auto listed = volume::list(host.context);
	ASSERT_TRUE(listed);
	ASSERT_EQ(listed->volumes.size(), 1u);
	EXPECT_EQ(listed->volumes[0].name(), "w");
	ASSERT_EQ(listed->unreadable.size(), 1u);
	EXPECT_EQ(listed->unreadable[0].device, fake::volume_number);

	EXPECT_TRUE(watcher->next(milliseconds(0))->empty());
	EXPECT_EQ(watcher->volumes().size(), 2u);
	EXPECT_EQ(watcher->unreadable().size(), 1u);
	other.info.name = "x";
	EXPECT_EQ(watcher->next(milliseconds(0))->size(), 1u);
}

TEST(Watcher, TellsTheDifference)
{
	fake::Host host;
	auto &device = host.add_volume();
	auto watcher = Watcher::open(host.context);
	ASSERT_TRUE(watcher);
	const auto kinds = [&](const std::vector<Event> &events) {
		std::string text;
		for (const auto &event : events)
			text += std::string(word(event.kind)) + ":" +
				std::string(word(event.before)) + ">" +
				std::string(word(event.after)) + " ";
		return text;
	};
	const auto next = [&] { return kinds(*watcher->next(milliseconds(0))); };
	EXPECT_EQ(next(), "appeared:none>none ");
	EXPECT_EQ(next(), "");
	host.add_copy(table::Phase::copying);
	EXPECT_EQ(next(), "state:none>copying ");
	device.info.name = "v1";
	device.status.top_errors = 2;
	device.status.phase = table::Phase::aborted;
	EXPECT_EQ(next(), "renamed:failed>failed error:copying>failed state:copying>failed ");
	device.live = {{0, 8, "zero", ""}};
	const auto gone = *watcher->next(milliseconds(0));
	EXPECT_EQ(kinds(gone), "gone:failed>none ");
	EXPECT_EQ(gone[0].detail, "its table was replaced: zero");
	EXPECT_FALSE(gone[0].time.empty());
}
