// SPDX-License-Identifier: GPL-2.0-or-later
// What is said of a volume that has a view, or a backup.
#include "cli/arguments.hpp"
#include "cli/common.hpp"
#include "cli/show_text.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::cli;

namespace
{

report::Row with_view()
{
	report::Row row;

	row.volume.info.name = "data";
	row.volume.table.mode = table::Mode::backup;
	row.volume.table.top = table::Leg{{8, 16}, 0};
	row.volume.table.features.paused = true;
	row.volume.status.mode = table::Mode::backup;
	row.volume.status.phase = table::Phase::preserving;
	row.job.state = job::State::preserving;
	return row;
}

void expect_has(const std::string &text, const std::string &part)
{
	EXPECT_NE(text.find(part), std::string::npos) << text;
}

} // namespace

TEST(ShowView, SaysWhatIsKeptAndWhatBecomesOfIt)
{
	auto row = with_view();
	row.volume.status.base_only = 5;
	expect_has(show_text(row), "what is overwritten, 0 B moved; it breaks if the store fails");
	EXPECT_EQ(show_text(row).find("target"), std::string::npos) << show_text(row);
	row.volume.table.features.paused = false;
	row.volume.table.params.on_top_error = table::Policy::stop;
	row.job.rate_bytes = 1 << 20;
	expect_has(show_text(row), "what is overwritten, and the rest, 1.0 MiB/s now");
	expect_has(show_text(row), "it holds if the store fails");
	row.volume.table.params.on_top_error = table::Policy::enospc;
	row.volume.status.base_only = 0;
	expect_has(show_text(row), "kept         all of it");
	expect_has(show_text(row), "it holds if the store is full");
}

TEST(ShowView, SaysHowToHaveItsStoreTriedAgain)
{
	auto row = with_view();
	row.job.state = job::State::needs_attention;
	expect_has(show_text(row), "blkctl resume data");
	row.volume.status.phase = table::Phase::broken;
	row.job.state = job::State::failed;
	expect_has(show_text(row), "blkctl abort data");
	EXPECT_EQ(show_text(row).find("kept"), std::string::npos);
}

TEST(StoreErrors, AreTheKernelsPolicies)
{
	const auto policy = [](const std::string &word) {
		return store_error_of(Arguments::parse(
			*find_verb("view"), {"v", "w", "--store", "s", "--on-store-error", word}));
	};
	EXPECT_EQ(policy("break-snapshot"), table::Policy::report);
	EXPECT_EQ(policy("report"), table::Policy::report);
	EXPECT_EQ(policy("stop"), table::Policy::stop);
	EXPECT_EQ(policy("enospc"), table::Policy::enospc);
	EXPECT_EQ(store_error_of(Arguments::parse(*find_verb("backup"), {"v", "t"})), std::nullopt);
}

TEST(ShowBackup, SaysHowToGoOnAndHowToGiveUp)
{
	auto row = with_view();
	expect_has(show_text(row), "blkctl remove VIEW");
	row.backup = job::BackupLeft{
		.target = "/b/mon.img", .full = false, .bitmap = "nightly", .safe_bytes = 1 << 20};
	auto text = show_text(row);
	expect_has(text, "incremental, with bitmap nightly, to /b/mon.img: interrupted, the first "
			 "1.00 MiB are safe");
	expect_has(text, "the same blkctl backup again");
	expect_has(text, "blkctl abort data");
	EXPECT_EQ(text.find("remove VIEW"), std::string::npos) << text;

	row.backup->runs = true;
	text = show_text(row);
	expect_has(text, ": at work");
	expect_has(text, "blkctl abort data");
	EXPECT_EQ(text.find("again"), std::string::npos) << text;
}

// It has no view, and no job any more.
TEST(ShowBackup, SaysThatItsEndIsMissing)
{
	report::Row row;
	row.volume.info.name = "data";
	row.job.state = job::State::none;
	EXPECT_EQ(show_text(row).find("next"), std::string::npos);
	row.backup = job::BackupLeft{.target = "/b/full.img", .full = true, .copied = true};
	const auto text = show_text(row);
	expect_has(text, "full, to /b/full.img: all copied, its end is missing");
	expect_has(text, "the same blkctl backup again");
	expect_has(text, "blkctl abort data");
}
