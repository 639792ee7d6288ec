// SPDX-License-Identifier: GPL-2.0-or-later
// view, its removal, and what a volume that has one refuses.
#include "fake_host.hpp"
#include "job/job.hpp"
#include "volume/operations.hpp"
#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::volume_number;

namespace
{

class View : public testing::Test
{
      protected:
	View() { host.add_volume(); }

	std::string live() { return host.mapper.at(volume_number).live.at(0).str(); }
	std::string live_of(const std::string &name)
	{
		auto *const device = host.mapper.named(name);
		return device && !device->live.empty() ? device->live[0].str() : "none";
	}

	fake::Host host;
	const ViewRequest request{.name = "v0", .view = "now", .store = "/dev/sdb"};
};

constexpr auto armed = "0 131072 blkcopy backup 8:0 0 8:16 0 - 128 1 paused";
constexpr auto plain = "0 131072 blkcopy track 8:0 0 - 0 - 128";

} // namespace

TEST_F(View, IsMadeAndRemoved)
{
	const auto plan = view(host.context, request, volume::Run::dry);
	ASSERT_TRUE(plan) << plan.error().message();
	EXPECT_TRUE(host.mapper.calls.empty());
	ASSERT_EQ(plan->steps.size(), 6u);
	EXPECT_EQ(plan->steps[0], std::string("load into v0 (253:0): ") + armed);
	EXPECT_EQ(plan->steps[4], "load into now: 0 131072 blkcopy-view 253:0");

	const auto made = view(host.context, request, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live(), armed);
	EXPECT_EQ(live_of("now"), "0 131072 blkcopy-view 253:0");
	EXPECT_EQ(find(host.context, "v0")->state(), JobState::preserving);
	EXPECT_EQ(find(host.context, "now").error().status, Status::not_found);
	host.mapper.calls.clear();
	EXPECT_TRUE(view(host.context, request, volume::Run::doit)->already);
	EXPECT_TRUE(host.mapper.calls.empty());

	{
		const auto gone = volume::remove(host.context, "now", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
	}
	EXPECT_EQ(live(), plain);
	EXPECT_EQ(host.mapper.named("now"), nullptr);
}

TEST_F(View, KeepsWhatIsInABitmapAlone)
{
	auto wanted = request;
	wanted.only_changed = true;
	EXPECT_EQ(view(host.context, wanted, volume::Run::doit).error().status, Status::usage);
	host.mapper.at(volume_number).status.bitmaps = {{"b", 3, "recording"}};
	wanted.bitmap = "b";
	wanted.discards = true;
	const auto made = view(host.context, wanted, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live_of("now"), "0 131072 blkcopy-view 253:0 1 discards");
	EXPECT_FALSE(host.mapper.named("now")->info.read_only);
	// At the instant, and before there is anything to read.
	const auto &calls = host.mapper.calls;
	const auto at = [&](const std::string &call) {
		return std::find(calls.begin(), calls.end(), call) - calls.begin();
	};
	const auto limited = at("message 253:0 preserve b");
	ASSERT_LT(limited, std::ssize(calls));
	EXPECT_LT(limited, at("create now"));
	EXPECT_EQ(find(host.context, "now").error().status, Status::not_found);
	EXPECT_TRUE(view(host.context, wanted, volume::Run::doit)->already);
	const auto gone = volume::remove(host.context, "now", volume::Run::doit);
	ASSERT_TRUE(gone) << gone.error().message();
	EXPECT_EQ(live(), plain);
}

TEST_F(View, IsAsItWasMade)
{
	host.mapper.at(volume_number).status.bitmaps = {{"b", 3, "recording"}};
	auto wanted = request;
	wanted.bitmap = "b";
	ASSERT_TRUE(view(host.context, wanted, volume::Run::doit));
	host.mapper.calls.clear();
	const auto no = [&](const ViewRequest &other, const std::string &why) {
		const auto refused = view(host.context, other, volume::Run::doit);
		ASSERT_FALSE(refused) << why;
		EXPECT_EQ(refused.error().status, Status::busy);
		EXPECT_NE(refused.error().why.find(why), std::string::npos) << refused.error().why;
		EXPECT_TRUE(host.mapper.calls.empty());
	};
	auto other = wanted;
	other.discards = true;
	no(other, "takes no discards");
	other = wanted;
	other.only_changed = true;
	no(other, "keeps what has not changed");
	other = wanted;
	other.persistent = true;
	no(other, "persistent");
	EXPECT_TRUE(view(host.context, wanted, volume::Run::doit)->already);
}

TEST_F(View, LastsOnlyWhereItComesUpWithTheVolume)
{
	auto wanted = request;
	host.mapper.named("v0")->info.uuid = "LVM-x";
	for (const bool persistent : {true, false}) {
		wanted.persistent = persistent;
		wanted.metadata = persistent ? "" : host.run_dir + "/meta";
		const auto refused = view(host.context, wanted, volume::Run::doit);
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::usage) << refused.error().message();
	}
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_EQ(live(), plain);
}

TEST_F(View, KeepsOthersAway)
{
	ASSERT_TRUE(view(host.context, request, volume::Run::doit));
	host.mapper.calls.clear();
	auto other = request;
	other.view = "other";
	other.store = "/dev/sdc";
	for (const auto &refused :
	     {copy(host.context, {.name = "v0", .target = "/dev/sdc"}, volume::Run::doit),
	      snapshot(host.context, {.name = "v0", .store = "/dev/sdc"}, volume::Run::doit),
	      pivot(host.context, {.name = "v0"}, volume::Run::doit),
	      view(host.context, other, volume::Run::doit),
	      volume::remove(host.context, "v0", volume::Run::doit),
	      deactivate(host.context, "v0", volume::Run::doit)}) {
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	}
	EXPECT_TRUE(host.mapper.calls.empty());
	// The view may be in use: abort ends the backup below it.
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(live(), plain);
	ASSERT_NE(host.mapper.named("now"), nullptr);
	{
		const auto gone = volume::remove(host.context, "now", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
	}
	EXPECT_EQ(host.mapper.named("now"), nullptr);
}

TEST_F(View, RefusesBadInput)
{
	auto bad = request;
	bad.view = "a b";
	EXPECT_EQ(view(host.context, bad, volume::Run::doit).error().status, Status::usage);
	bad.view = "v0";
	EXPECT_EQ(view(host.context, bad, volume::Run::doit).error().status, Status::busy);
	bad = request;
	bad.store = "/dev/sda";
	EXPECT_EQ(view(host.context, bad, volume::Run::doit).error().status, Status::usage);
	bad.store = "/dev/sdc"; // smaller
	EXPECT_EQ(view(host.context, bad, volume::Run::doit).error().status, Status::usage);
	bad.store = "/dev/nothing";
	EXPECT_FALSE(view(host.context, bad, volume::Run::doit));
	host.probe.signatures[fake::disk_b] = {.type = "ext4"};
	EXPECT_EQ(view(host.context, request, volume::Run::doit).error().status, Status::busy);
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_EQ(live(), plain);
	auto forced = request;
	forced.force = true;
	EXPECT_TRUE(view(host.context, forced, volume::Run::doit));
}

// Killed at any point, the same call finishes it, and remove ends it.
TEST_F(View, AKilledOneIsFinished)
{
	for (int n = 0;; n++) {
		fake::Host fresh;
		fresh.add_volume();
		fresh.mapper.kill_after = n;
		bool killed = false;
		try {
			(void)view(fresh.context, request, volume::Run::doit);
		} catch (const fake::Killed &) {
			killed = true;
		}
		fresh.mapper.kill_after = -1;
		if (!killed) {
			EXPECT_GE(n, 5);
			break;
		}
		const auto again = view(fresh.context, request, volume::Run::doit);
		ASSERT_TRUE(again) << n << ": " << again.error().message();
		EXPECT_EQ(fresh.mapper.at(volume_number).live.at(0).str(), armed);
		ASSERT_NE(fresh.mapper.named("now"), nullptr) << n;
		EXPECT_FALSE(fresh.mapper.named("now")->live.empty());
		fresh.mapper.calls.clear();
		fresh.mapper.kill_after = n;
		try {
			(void)volume::remove(fresh.context, "now", volume::Run::doit);
		} catch (const fake::Killed &) {
		}
		fresh.mapper.kill_after = -1;
		if (fresh.mapper.named("now")) {
			ASSERT_TRUE(volume::remove(fresh.context, "now", volume::Run::doit)) << n;
		}
		EXPECT_EQ(fresh.mapper.at(volume_number).live.at(0).str(), plain);
		EXPECT_EQ(fresh.mapper.named("now"), nullptr);
	}
}

TEST_F(View, AStoreInAFile)
{
	auto file = request;
	file.store = host.run_dir + "/store";
	ASSERT_TRUE(view(host.context, file, volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy backup 8:0 0 7:0 0 - 128 1 paused");
	EXPECT_TRUE(view(host.context, file, volume::Run::doit)->already);
	{
		const auto gone = volume::remove(host.context, "now", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
	}
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_TRUE(std::filesystem::exists(file.store));
}

TEST_F(View, AnArmingThatCannotBeReadIsUndone)
{
	host.mapper.fail = "create";
	EXPECT_FALSE(view(host.context, request, volume::Run::doit));
	host.mapper.fail.clear();
	EXPECT_EQ(live(), plain);
	EXPECT_EQ(host.mapper.named("now"), nullptr);
}
