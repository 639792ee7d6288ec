// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of a view when its store fails, and whether all goes there: how it is asked for, and
// what a volume that has one can be told.
#include "backup_fixture.hpp"
#include "base/files.hpp"
#include "volume/boot.hpp"

using namespace blkctl;
using namespace blkctl::volume;
using fake::volume_number;

namespace
{

class ViewFill : public testing::Test
{
      protected:
	ViewFill() { host.add_volume(); }

	fake::Device &device() { return host.mapper.at(volume_number); }
	std::string live() { return device().live.at(0).params; }
	Result<Outcome> make(const ViewRequest &wanted)
	{
		return view(host.context, wanted, volume::Run::doit);
	}
	Result<Outcome> tell(const Settings &settings)
	{
		return set(host.context, "v0", settings, volume::Run::doit);
	}
	Result<Outcome> pause_it() { return pause(host.context, "v0", volume::Run::doit); }
	Result<Outcome> resume_it() { return resume(host.context, "v0", volume::Run::doit); }
	// As when the store has taken nothing, and the policy is to hold.
	void store_fails()
	{
		auto table = *table::parse_blkcopy(live());
		table.features.paused = true;
		device().live[0].params = table::print(table);
		device().status.cause = table::Cause::policy;
		device().status.top_errors = 1;
	}
	void expect_refusal(const Result<Outcome> &refused, Status status, const std::string &why,
			    const std::string &next)
	{
		ASSERT_FALSE(refused) << why;
		EXPECT_EQ(refused.error().status, status) << refused.error().message();
		EXPECT_NE(refused.error().why.find(why), std::string::npos)
			<< refused.error().message();
		EXPECT_NE(refused.error().next.find(next), std::string::npos)
			<< refused.error().message();
		EXPECT_TRUE(host.mapper.calls.empty());
	}

	fake::Host host;
	const ViewRequest request{.name = "v0", .view = "now", .store = "/dev/sdb"};
};

constexpr auto not_filled = "backup 8:0 0 8:16 0 - 128 1 paused";
constexpr auto filled = "backup 8:0 0 8:16 0 - 128";

} // namespace

TEST_F(ViewFill, IsAskedFor)
{
	auto wanted = request;
	wanted.fill = true;
	wanted.on_store_error = table::Policy::stop;
	const auto made = make(wanted);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live(), std::string(filled) + " 0 2 on_top_error stop");
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::preserving);
	EXPECT_TRUE(make(wanted)->already);
	// Who asks for less has it.
	EXPECT_TRUE(make(request)->already);
}

TEST_F(ViewFill, BreaksIfNothingElseIsSaid)
{
	auto wanted = request;
	wanted.on_store_error = table::Policy::report;
	ASSERT_TRUE(make(wanted));
	EXPECT_EQ(live(), not_filled);
	EXPECT_TRUE(make(wanted)->already);
	host.mapper.calls.clear();
	auto other = request;
	other.on_store_error = table::Policy::enospc;
	expect_refusal(make(other), Status::busy, "report", "blkctl set v0 on-top-error=enospc");
	ASSERT_TRUE(tell({{"on_top_error", "enospc"}}));
	EXPECT_TRUE(make(other)->already);
	host.mapper.calls.clear();
	other.on_store_error = table::Policy::ignore;
	expect_refusal(make(other), Status::usage, "cannot be ignored", "blkctl help view");
}

// What is not kept is not filled in: it is said first what that is.
TEST_F(ViewFill, BeginsWhenItIsSaidWhatIsKept)
{
	device().status.bitmaps = {{"b", 3, "recording"}};
	auto wanted = request;
	wanted.bitmap = "b";
	wanted.only_changed = wanted.fill = true;
	const auto made = make(wanted);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live(), filled);
	const auto &calls = host.mapper.calls;
	const auto at = [&](const std::string &call) {
		return std::find(calls.begin(), calls.end(), call) - calls.begin();
	};
	EXPECT_LT(at("message 253:0 preserve b"), at("message 253:0 copy resume"));
	EXPECT_LT(at("message 253:0 copy resume"), at("create now"));
	EXPECT_TRUE(make(wanted)->already);
}

TEST_F(ViewFill, BeginsOnOneThatIsThere)
{
	ASSERT_TRUE(make(request));
	host.mapper.calls.clear();
	auto wanted = request;
	wanted.fill = true;
	const auto begun = make(wanted);
	ASSERT_TRUE(begun) << begun.error().message();
	EXPECT_FALSE(begun->already);
	EXPECT_EQ(host.mapper.calls, std::vector<std::string>{"message 253:0 copy resume"});
	EXPECT_EQ(live(), filled);

	store_fails();
	host.mapper.calls.clear();
	expect_refusal(make(wanted), Status::needs_attention, "has failed", "blkctl resume v0");
}

TEST_F(ViewFill, IsPausedAndGoesOn)
{
	auto wanted = request;
	wanted.fill = true;
	ASSERT_TRUE(make(wanted));
	ASSERT_TRUE(pause_it());
	EXPECT_EQ(live(), not_filled);
	EXPECT_TRUE(pause_it()->already);
	ASSERT_TRUE(tell({{"rate", "1M"}}));
	ASSERT_TRUE(resume_it());
	EXPECT_EQ(live(), std::string(filled) + " 0 2 rate_kib 1024");
	EXPECT_TRUE(resume_it()->already);
}

// Where there is none, none begins because somebody has said "resume".
TEST_F(ViewFill, WhatIsNotThereIsNeitherPausedNorResumed)
{
	ASSERT_TRUE(make(request));
	for (const bool has_failed : {false, true}) {
		if (has_failed) {
			store_fails();
			host.mapper.calls.clear();
			expect_refusal(pause_it(), Status::needs_attention, "is held",
				       "blkctl resume v0");
			ASSERT_TRUE(resume_it());
			EXPECT_EQ(host.mapper.calls,
				  std::vector<std::string>{"message 253:0 copy resume"});
			EXPECT_EQ(live(), not_filled);
		}
		host.mapper.calls.clear();
		expect_refusal(pause_it(), Status::not_found, "in the background", "--fill");
		expect_refusal(resume_it(), Status::not_found, "in the background", "--fill");
		expect_refusal(tell({{"rate", "1M"}}), Status::not_found, "rate", "--fill");
		expect_refusal(tell({{"inflight_kib", "64"}, {"run_kib", "64"}}), Status::not_found,
			       "run", "--fill");
	}
}

TEST_F(ViewFill, TakesWhatMeansSomethingToIt)
{
	ASSERT_TRUE(make(request));
	ASSERT_TRUE(tell({{"inflight_kib", "64"}, {"on_top_error", "stop"}}));
	EXPECT_EQ(live(), std::string(not_filled) + " 4 inflight_kib 64 on_top_error stop");
	host.mapper.calls.clear();
	expect_refusal(tell({{"copy_mode", "dual"}}), Status::usage, "mode", "blkctl help set");
	expect_refusal(tell({{"on_top_error", "report"}, {"on_base_error", "stop"}}), Status::usage,
		       "on-base-error", "blkctl help set");
	expect_refusal(tell({{"on_top_error", "ignore"}}), Status::usage, "on-top-error=ignore",
		       "blkctl set v0 on-top-error=stop");
	device().status.phase = table::Phase::broken;
	expect_refusal(tell({{"on_top_error", "stop"}}), Status::failed, "its view is broken",
		       "blkctl abort v0");
}

// The view is there all the same, and so is what it has kept.
TEST_F(ViewFill, IsSeenToBeHeld)
{
	auto wanted = request;
	wanted.on_store_error = table::Policy::enospc;
	ASSERT_TRUE(make(wanted));
	store_fails();
	const auto held = *find(host.context, "v0");
	EXPECT_EQ(held.state(), JobState::needs_attention);
	EXPECT_TRUE(held.is_preserving());
	EXPECT_TRUE(make(wanted)->already);
	ASSERT_TRUE(resume_it());
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::preserving);
	store_fails();
	device().status.phase = table::Phase::broken;
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::failed);
	EXPECT_FALSE(find(host.context, "v0")->is_preserving());
}

TEST_F(ViewFill, ComesBackWithTheVolume)
{
	const auto entry = [&] { return **find_entry(host.context, "v0"); };
	auto wanted = request;
	wanted.persistent = wanted.fill = true;
	wanted.on_store_error = table::Policy::stop;
	const auto made = make(wanted);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_TRUE(entry().fill);
	EXPECT_FALSE(entry().features.paused);
	EXPECT_EQ(entry().params.on_top_error, table::Policy::stop);
	EXPECT_NE(tab::print(entry()).find("fill"), std::string::npos);
	EXPECT_EQ(*tab::parse_entry(tab::print(entry())), entry());
	ASSERT_TRUE(pause_it());
	EXPECT_FALSE(entry().fill);
	ASSERT_TRUE(resume_it());
	EXPECT_TRUE(entry().fill);
	// Whoever has its store tried again does not change what it is.
	store_fails();
	ASSERT_TRUE(resume_it());
	EXPECT_TRUE(entry().fill);
	ASSERT_TRUE(make(wanted));

	const auto gone = deactivate(host.context, "v0", volume::Run::doit);
	ASSERT_TRUE(gone) << gone.error().message();
	const auto back = activate(host.context, {.what = "v0"}, volume::Run::doit);
	ASSERT_TRUE(back) << back.error().message();
	EXPECT_TRUE(live().ends_with(" 128 1 backup_persistent 2 on_top_error stop")) << live();
	ASSERT_TRUE(make(wanted));

	ASSERT_TRUE(volume::remove(host.context, "now", volume::Run::doit));
	const auto after = *find_entry(host.context, "v0");
	EXPECT_FALSE(after && after->fill);
	wanted.fill = false;
	wanted.force = true;
	ASSERT_TRUE(make(wanted));
	EXPECT_FALSE(entry().fill);
	EXPECT_EQ(tab::print(entry()).find("fill"), std::string::npos);
}

namespace
{

// As many lines as were asked for: of the view while it was there.
class BackupFill : public fake::Backup
{
      protected:
	std::string table() { return host.mapper.at(volume_number).live.at(0).params; }
};

} // namespace

TEST_F(BackupFill, HasAViewLikeAnyOther)
{
	auto wanted = request();
	wanted.fill = true;
	wanted.on_store_error = table::Policy::stop;
	ASSERT_FALSE(cut_off(wanted));
	EXPECT_EQ(table(), "backup 8:0 0 8:16 0 - 128 0 2 on_top_error stop");
	auto other = wanted;
	other.on_store_error = table::Policy::enospc;
	const auto refused = run(other);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	EXPECT_EQ(table(), "backup 8:0 0 8:16 0 - 128 0 2 on_top_error stop");
	const auto done = run(wanted);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
	EXPECT_EQ(read_file(target), content);
	expect_plain();
}

// What its store has not taken is in memory, and the view reads as ever.
TEST_F(BackupFill, GoesOnWhileItsStoreIsHeld)
{
	auto wanted = request();
	wanted.on_store_error = table::Policy::stop;
	options.cancelled = [&] {
		auto &status = host.mapper.at(volume_number).status;
		status.cause = table::Cause::policy;
		status.top_errors = 1;
		return false;
	};
	const auto done = run(wanted);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(read_file(target), content);
	expect_plain();
}
