// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_host.hpp"
#include "volume/lock.hpp"
#include "volume/plan.hpp"
#include <csignal>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;

namespace
{

class PlanTest : public testing::Test
{
      protected:
	Step step(const std::string &name, bool good = true, bool undo_good = true)
	{
		const auto answer = [](bool ok) -> Result<void> {
			if (ok)
				return {};
			return Error{.why = "no"};
		};
		return {name,
			[=, this] {
				done += name;
				return answer(good);
			},
			[=, this] {
				done += "-" + name;
				return answer(undo_good);
			}};
	}

	fake::Host host;
	std::string done;
};

using PlanDeathTest = PlanTest;

} // namespace

TEST_F(PlanTest, RunsInOrder)
{
	EXPECT_TRUE(execute(host.context, {step("a"), step("b"), step("c")}));
	EXPECT_EQ(done, "abc");
}

TEST_F(PlanTest, UndoesInReverseFromTheStepThatFailed)
{
	auto without_undo = step("b");
	without_undo.undo = {};
	const auto result = execute(
		host.context, {step("a"), without_undo, step("c"), step("d", false), step("e")});
	ASSERT_FALSE(result);
	EXPECT_EQ(result.error().why, "no");
	EXPECT_EQ(done, "abcd-c-a");
}

// Whoever is on some of it keeps that; what nobody can be on goes.
TEST_F(PlanTest, AFailedStepMayStay)
{
	auto scaffold = step("b");
	scaffold.is_scaffold = true;
	for (const bool stays : {true, false}) {
		auto failing = step("d", false);
		failing.stays = [stays] { return stays; };
		done.clear();
		const auto result =
			execute(host.context, {step("a"), scaffold, step("c"), failing, step("e")});
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().why, "no");
		EXPECT_EQ(done, stays ? "abcd-b" : "abcd-c-b-a");
	}
}

TEST_F(PlanTest, AFailingUndoIsReportedAndTheRestUndone)
{
	const auto result =
		execute(host.context, {step("a"), step("b", true, false), step("c", false)});
	ASSERT_FALSE(result);
	EXPECT_EQ(done, "abc-b-a");
	EXPECT_NE(result.error().why.find("undoing 'b' failed: no"), std::string::npos);
}

TEST_F(PlanTest, TextsAreTheStepsInOrder)
{
	EXPECT_EQ(texts({step("a"), step("b")}), (std::vector<std::string>{"a", "b"}));
	EXPECT_EQ(done, "");
}

TEST_F(PlanDeathTest, KillKnobCountsOverPlans)
{
	testing::GTEST_FLAG(death_test_style) = "fast";
	for (unsigned at = 1; at <= 6; at++) {
		EXPECT_EXIT(
			{
				host.context.knob.at = at;
				(void)execute(host.context, {step("a"), step("b")});
				(void)execute(host.context, {step("c"), step("d")});
				_exit(0);
			},
			testing::KilledBySignal(SIGKILL), "");
	}
	EXPECT_EXIT(
		{
			host.context.knob.at = 7;
			(void)execute(host.context, {step("a"), step("b")});
			(void)execute(host.context, {step("c"), step("d")});
			_exit(0);
		},
		testing::ExitedWithCode(0), "");
}

TEST_F(PlanTest, ALockKeepsOthersOut)
{
	using std::chrono::milliseconds;
	{
		const auto first = Lock::volume(host.run_dir, {253, 0}, milliseconds(0));
		ASSERT_TRUE(first);
		const auto second = Lock::volume(host.run_dir, {253, 0}, milliseconds(30));
		ASSERT_FALSE(second);
		EXPECT_EQ(second.error().status, Status::busy);
		EXPECT_TRUE(Lock::volume(host.run_dir, {253, 1}, milliseconds(0)));
	}
	EXPECT_TRUE(Lock::volume(host.run_dir, {253, 0}, milliseconds(0)));
}
