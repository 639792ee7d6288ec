// SPDX-License-Identifier: GPL-2.0-or-later
// A backup that is there: what is said of one that was interrupted, of one at work, and of one that
// has but its end left.
#include "backup_fixture.hpp"
#include "report/report.hpp"
#include "volume/cache.hpp"
#include "volume/lock.hpp"
#include <boost/json.hpp>

using namespace blkctl;
using fake::Backup;

namespace
{

class Left : public Backup
{
      protected:
	std::optional<job::BackupLeft> left()
	{
		return job::backup_of(host.context, *volume::find(host.context, "v0"));
	}
};

} // namespace

TEST_F(Left, OfOneThatWasInterrupted)
{
	auto full = incremental();
	full.full = true;
	EXPECT_FALSE(left());
	EXPECT_FALSE(cut_off(full));
	ASSERT_TRUE(left());
	EXPECT_EQ(left()->target, target);
	EXPECT_EQ(left()->bitmap, "b");
	EXPECT_TRUE(left()->full);
	EXPECT_FALSE(left()->runs);
	EXPECT_FALSE(left()->copied);
	const auto row = report::make_row(host.context, *volume::find(host.context, "v0"));
	const auto object = boost::json::parse(report::json(row)).at("volume").at("backup");
	EXPECT_EQ(object.at("target").as_string(), target);
	EXPECT_EQ(object.at("runs"), false);
	// What show says of it holds: either ends it.
	ASSERT_TRUE(run(full));
	EXPECT_FALSE(left());
	full.force = true;
	EXPECT_FALSE(cut_off(full));
	ASSERT_TRUE(left());
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_FALSE(left());
	expect_plain();
}

// Somebody who looks is nobody who works.
TEST_F(Left, OfOneAtWork)
{
	bool seen = false;

	options.cancelled = [&] {
		if (const auto now = left(); now && now->runs)
			seen = true;
		return false;
	};
	ASSERT_TRUE(run(request()));
	EXPECT_TRUE(seen);
	EXPECT_FALSE(cut_off([&] {
		auto again = request();
		again.force = true;
		return again;
	}()));
	const auto looks = volume::Lock::shared_name(host.run_dir, "v0-backup.job",
						     std::chrono::milliseconds(0));
	ASSERT_TRUE(looks);
	EXPECT_FALSE(left()->runs);
}

TEST_F(Left, OfOneThatWasKilledInItsEnd)
{
	const auto &info = host.mapper.at(fake::volume_number).info;

	ASSERT_TRUE(volume::remember_backup(host.context, info, {.id = "1", .path = target}));
	EXPECT_FALSE(left()) << "it never came to its instant";
	ASSERT_TRUE(volume::remember_backup(host.context, info,
					    {.id = "1", .path = target, .copied = true}));
	ASSERT_TRUE(left());
	EXPECT_TRUE(left()->copied);
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_FALSE(left());
}
