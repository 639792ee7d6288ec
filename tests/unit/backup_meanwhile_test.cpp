// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of images while a backup is under way, on a recorded host: a wrong one is not
// written to, and not taken for the right one later; and what others put there stays.
#include "backup_fixture.hpp"
#include "job/backup_target.hpp"
#include <optional>
#include <thread>
#include <utility>

using namespace blkctl;

namespace
{

// With a second volume v1, which is copied after v0.
class BackupMeanwhile : public fake::Backup
{
      protected:
	static constexpr DevNo second_number{253, 40};

	BackupMeanwhile()
	{
		host.probe.add({8, 64}, "/dev/sde", volume_sectors);
		host.probe.add({8, 80}, "/dev/sdf", volume_sectors);
		auto &device = host.mapper.add(
			"v1", "BLKCTL-ffeeddccbbaa99887766554433221100-vol", second_number,
			{{0, volume_sectors, "blkcopy", "track 8:64 0 - 0 - 128"}});
		device.status.bitmaps = {{"b", 3, "recording"}};
	}

	std::vector<BackupRequest> both() const
	{
		auto other = incremental();
		other.name = "v1";
		other.target = second;
		other.store = "/dev/sdf";
		return {incremental(), other};
	}
	Result<job::BackupResult> run_both()
	{
		return job::backup(host.context, both(), options, volume::Run::doit);
	}
	void change_both()
	{
		for (const auto number : {fake::volume_number, second_number})
			host.mapper.at(number).status.bitmaps[0].dirty_blocks = 3;
	}
	// Of both, that what is in the bitmaps goes on from.
	void have_backups()
	{
		auto full = both();
		for (auto &each : full)
			each.full = each.force = true;
		const auto done = job::backup(host.context, full, options, volume::Run::doit);
		ASSERT_TRUE(done) << done.error().message();
		change_both();
	}
	std::string bits(DevNo number)
	{
		const auto &found = host.mapper.at(number).status.bitmaps[0];
		return found.state + " " + std::to_string(found.dirty_blocks);
	}
	// By an older copy, say.
	void replace(const std::string &image)
	{
		std::filesystem::rename(image, image + ".away");
		std::ofstream(image) << older;
	}
	void put_back(const std::string &image) { std::filesystem::rename(image + ".away", image); }
	void expect_not_written_to(const Result<job::BackupResult> &result,
				   const std::string &image)
	{
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, Status::failed) << result.error().message();
		EXPECT_EQ(result.error().device, image);
		EXPECT_NE(result.error().why.find("goes on from"), std::string::npos)
			<< result.error().message();
		EXPECT_EQ(read_file(image), older);
		EXPECT_FALSE(std::filesystem::exists(image + ".unfinished"));
	}
	void expect_taken(const BackupRequest &request, const std::string &by)
	{
		const auto refused = run(request);
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
		EXPECT_NE(refused.error().message().find("--force"), std::string::npos)
			<< refused.error().message();
		EXPECT_EQ(read_file(request.target), by);
		EXPECT_EQ(bitmap(), "frozen 3");
	}
	void expect_goes_on(const BackupRequest &request)
	{
		const auto done = run(request);
		ASSERT_TRUE(done) << done.error().message();
		EXPECT_TRUE(done->volumes.at(0).resumed);
		EXPECT_EQ(read_file(request.target), content);
		EXPECT_FALSE(std::filesystem::exists(request.target + ".part"));
		EXPECT_EQ(bitmap(), "recording 0");
		expect_plain();
	}
	void expect_incrementals_of_both()
	{
		const auto done = run_both();
		ASSERT_TRUE(done) << done.error().message();
		for (const auto &each : done->volumes)
			EXPECT_FALSE(each.full) << each.name << ": " << each.note;
		EXPECT_EQ(bits(fake::volume_number), "recording 0");
		EXPECT_EQ(bits(second_number), "recording 0");
	}

	const std::string second = host.run_dir + "/second";
	const std::string older = std::string(volume_bytes, 'o');
};

} // namespace

TEST_F(BackupMeanwhile, AnImageThatIsReplacedBeforeItsTurnIsNotWrittenTo)
{
	const auto good = options.open_view;

	have_backups();
	options.open_view = [&, first = true](const std::string &path) mutable {
		if (std::exchange(first, false))
			replace(second);
		return good(path);
	};
	expect_not_written_to(run_both(), second);
	EXPECT_EQ(bits(fake::volume_number), "recording 3");
	EXPECT_EQ(bits(second_number), "recording 3");
	expect_plain();
	options.open_view = good;
	put_back(second);
	expect_incrementals_of_both();
}

TEST_F(BackupMeanwhile, AnInterruptedOneLooksAtAnImageItHasNotBegunWith)
{
	have_backups();
	options.cancelled = [asked = 0]() mutable { return ++asked > 2; };
	const auto left = run_both();
	options.cancelled = [] { return false; };
	ASSERT_FALSE(left);
	EXPECT_EQ(left.error().status, Status::timed_out) << left.error().message();
	EXPECT_EQ(bits(second_number), "frozen 3");
	replace(second);
	expect_not_written_to(run_both(), second);
	EXPECT_EQ(bits(fake::volume_number), "recording 3");
	EXPECT_EQ(bits(second_number), "recording 3");
	put_back(second);
	expect_incrementals_of_both();
}

// One that is whole has to wait for the others, and its bits go with theirs.
TEST_F(BackupMeanwhile, WhatIsNotedOfAnImageIsWhatItWasWhenItWasWhole)
{
	const auto good = options.open_view;

	have_backups();
	options.open_view = [&, asked = 0](const std::string &path) mutable {
		if (++asked == 2)
			replace(target);
		return good(path);
	};
	expect_incrementals_of_both();
	options.open_view = good;
	change();
	expect_refusal(incremental(), Status::busy);
	EXPECT_EQ(read_file(target), older);
	put_back(target);
	expect_incremental(incremental());
}

// The same file, with another content: what was written before the interruption is not in it.
TEST_F(BackupMeanwhile, AnInterruptedOneDoesNotGoOnInWhatIsNotAsItHasLeftIt)
{
	have_backup();
	ASSERT_FALSE(cut_off(incremental()));
	options.cancelled = [] { return true; };
	const auto left = run(incremental());
	options.cancelled = [] { return false; };
	ASSERT_FALSE(left);
	EXPECT_EQ(left.error().status, Status::timed_out) << left.error().message();
	const auto then = std::filesystem::last_write_time(target);
	const auto now = read_file(target).value_or("");
	std::ofstream(target) << older;
	std::filesystem::last_write_time(target, then + std::chrono::seconds(1));
	const auto refused = run(incremental());
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	EXPECT_EQ(read_file(target), older);
	EXPECT_EQ(bitmap(), "frozen 3");
	std::ofstream(target) << now;
	std::filesystem::last_write_time(target, then);
	const auto done = run(incremental());
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
	expect_incremental(incremental());
}

// Between its instant and the first byte.
TEST_F(BackupMeanwhile, AKilledOneLooksAtWhatItChangesOrIsOver)
{
	const auto good = options.open_view;
	auto qcow2 = incremental();
	qcow2.target = host.run_dir + "/1.qcow2";
	qcow2.format = transport::Format::qcow2;
	qcow2.backing = target;

	for (const auto &request : {incremental(), qcow2}) {
		have_backup();
		options.open_view =
			[](const std::string &) -> Result<std::unique_ptr<transport::Image>> {
			throw fake::Killed();
		};
		EXPECT_THROW((void)run(request), fake::Killed);
		options.open_view = good;
		EXPECT_EQ(bitmap(), "frozen 3");
		replace(target);
		expect_not_written_to(run(request), target);
		EXPECT_FALSE(std::filesystem::exists(qcow2.target));
		EXPECT_FALSE(std::filesystem::exists(qcow2.target + ".part"));
		EXPECT_FALSE(std::filesystem::exists(qcow2.target + ".part.over"));
		EXPECT_EQ(bitmap(), "recording 3");
		expect_plain();
		put_back(target);
		expect_incremental(request);
	}
}

// All is written by then: what is left of it waits for its name.
TEST_F(BackupMeanwhile, WhatAppearsAtItsNameStays)
{
	auto full = incremental();
	full.full = true;
	options.cancelled = [&] {
		std::ofstream(target) << "somebody's";
		return false;
	};
	expect_taken(full, "somebody's");
	options.cancelled = [] { return false; };
	expect_taken(full, "somebody's");
	full.force = true;
	expect_goes_on(full);
}

TEST_F(BackupMeanwhile, WhatAnImageThatAppearsIsOverStaysKnown)
{
	auto full = incremental();
	full.full = true;
	full.target = host.run_dir + "/1.qcow2";
	full.format = transport::Format::qcow2;
	options.cancelled = [&] {
		std::ofstream(full.target) << "somebody's";
		std::ofstream(full.target + ".over") << "1 2.3\n";
		return false;
	};
	expect_taken(full, "somebody's");
	EXPECT_EQ(read_line(full.target + ".over"), "1 2.3");
}

TEST_F(BackupMeanwhile, AnEmptyFileIsReplacedIfItIsStillEmpty)
{
	auto full = incremental();
	full.full = true;
	std::ofstream(target) << "";
	ASSERT_TRUE(run(full));
	EXPECT_EQ(read_file(target), content);
	change();
	std::ofstream(target) << "";
	options.cancelled = [&] {
		std::ofstream(target) << "somebody's";
		return false;
	};
	expect_taken(full, "somebody's");
	options.cancelled = [] { return false; };
	std::filesystem::remove(target);
	expect_goes_on(full);
}

// No less than all will do, and it takes the place of the bitmap's own image only.
TEST_F(BackupMeanwhile, AFullOneInThePlaceOfAnImageReplacesNoOther)
{
	have_backup();
	host.mapper.at(fake::volume_number).status.bitmaps[0].state = "inconsistent";
	options.cancelled = [&, done = false]() mutable {
		if (!std::exchange(done, true))
			replace(target);
		return false;
	};
	expect_taken(incremental(), older);
	options.cancelled = [] { return false; };
	put_back(target);
	expect_goes_on(incremental());
}

// It has waited for that one to end, and nothing was there before.
TEST_F(BackupMeanwhile, WhatTheBackupBeforeItHasMadeIsSeen)
{
	auto lock = volume::Lock::name(host.run_dir, job::lock_name_of(host.context, target),
				       std::chrono::seconds(1));
	ASSERT_TRUE(lock);
	std::optional<volume::Lock> other(std::move(*lock));
	std::thread end([&] {
		std::this_thread::sleep_for(std::chrono::milliseconds(200));
		std::ofstream(target) << "the other's";
		other.reset();
	});
	expect_refusal(request(), Status::busy);
	end.join();
	EXPECT_EQ(read_file(target), "the other's");
}
