// SPDX-License-Identifier: GPL-2.0-or-later
// A volume v0 of 64 blocks on a recorded host, with a bitmap b, to be backed up.
#ifndef BLKCTL_TESTS_BACKUP_FIXTURE_HPP
#define BLKCTL_TESTS_BACKUP_FIXTURE_HPP

#include "base/files.hpp"
#include "fake_host.hpp"
#include "job/backup.hpp"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace blkctl::fake
{

class Backup : public testing::Test
{
      protected:
	using BackupRequest = job::BackupRequest;

	static constexpr uint64_t block_bytes = 65536;
	static constexpr uint64_t volume_bytes = 64 * block_bytes;
	static constexpr uint64_t volume_sectors = volume_bytes / 512;

	Backup()
	{
		auto &device = host.mapper.add(
			"v0", "BLKCTL-00112233445566778899aabbccddeeff-vol", volume_number,
			{{0, volume_sectors, "blkcopy", "track 8:0 0 - 0 - 128"}});
		device.status.bitmaps = {{"b", 3, "recording"}};
		host.mapper.lists["bitmap list b 0"] = "1+2 7+1 end";
		for (uint64_t i = 0; i < volume_bytes; i++)
			content += static_cast<char>(i / block_bytes % 4 ? i * 7 + i / 4096 : 0);
		std::ofstream(view_file) << content;
		options.open_view = [this](const std::string &) {
			return transport::open_raw(view_file, transport::Access::read);
		};
	}

	BackupRequest request() const
	{
		return {.name = "v0", .target = target, .store = "/dev/sdb"};
	}
	BackupRequest incremental() const
	{
		auto request = this->request();
		request.bitmap = "b";
		return request;
	}
	Result<job::BackupResult> run(const BackupRequest &request,
				      volume::Run run = volume::Run::doit)
	{
		return job::backup(host.context, {request}, options, run);
	}
	// Stopped in its middle, as by Ctrl-C; the next is not.
	Result<job::BackupResult> cut_off(const BackupRequest &request)
	{
		options.cancelled = [asked = 0]() mutable { return ++asked > 2; };
		auto left = run(request);
		options.cancelled = [] { return false; };
		return left;
	}
	// A backup in `target` that the three blocks in the bitmap go on from; all of it is x.
	void have_backup()
	{
		auto full = incremental();
		full.full = full.force = true;
		ASSERT_TRUE(run(full));
		dirty();
	}
	void change() { host.mapper.at(volume_number).status.bitmaps[0].dirty_blocks = 3; }
	// And all of the image is x, as if that was what the backup had found.
	void dirty()
	{
		std::error_code none;
		const auto then = std::filesystem::last_write_time(target, none);

		change();
		std::ofstream(target) << std::string(volume_bytes, 'x');
		if (!none)
			std::filesystem::last_write_time(target, then);
	}
	void expect_full(const BackupRequest &request, const std::string &why)
	{
		const auto done = run(request);
		ASSERT_TRUE(done) << done.error().message();
		EXPECT_TRUE(done->volumes.at(0).full);
		EXPECT_NE(done->volumes.at(0).note.find(why), std::string::npos)
			<< done->volumes.at(0).note;
	}
	// What is there is not overwritten just because no less than all would do.
	void expect_full_by_force(BackupRequest request, const std::string &why)
	{
		const auto refused = run(request);
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
		EXPECT_NE(refused.error().why.find(why), std::string::npos)
			<< refused.error().message();
		EXPECT_NE(refused.error().message().find("--force"), std::string::npos)
			<< refused.error().message();
		request.force = true;
		expect_full(request, why);
	}
	void expect_incremental(const BackupRequest &request)
	{
		const auto done = run(request);
		ASSERT_TRUE(done) << done.error().message();
		EXPECT_FALSE(done->volumes.at(0).full) << done->volumes.at(0).note;
		EXPECT_EQ(done->volumes.at(0).note, "");
	}
	std::string bitmap() const
	{
		const auto &found = host.mapper.devices.at(volume_number).status.bitmaps[0];
		return found.state + " " + std::to_string(found.dirty_blocks);
	}
	void expect_plain()
	{
		EXPECT_EQ(host.mapper.at(volume_number).live[0].params, "track 8:0 0 - 0 - 128");
		EXPECT_EQ(host.mapper.named("v0-backup"), nullptr);
	}
	void expect_refusal(const BackupRequest &request, Status status)
	{
		host.mapper.calls.clear();
		const auto refused = run(request);
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, status) << refused.error().message();
		EXPECT_TRUE(host.mapper.calls.empty());
		expect_plain();
	}

	Host host;
	const std::string view_file = host.run_dir + "/view";
	const std::string target = host.run_dir + "/image";
	std::string content;
	job::BackupOptions options;
};

} // namespace blkctl::fake

#endif
