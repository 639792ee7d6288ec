// SPDX-License-Identifier: GPL-2.0-or-later
// Where a dump goes.
#include "../temporary_folder.hpp"
#include "base/unique_fd.hpp"
#include "cli/dispatch.hpp"
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace blkctl;
using namespace blkctl::cli;

TEST(Dump, GoesWhereItMay)
{
	const TemporaryFolder folder;
	const auto at = [&](const std::string &name) { return folder.path() + "/" + name; };
	const auto status_of_dump = [&](const std::string &file) {
		testing::internal::CaptureStderr();
		const auto status = dispatch({"dump", at("meta"), "-o", file});
		testing::internal::GetCapturedStderr();
		return status;
	};
	std::ofstream(at("meta")).close();
	std::filesystem::resize_file(at("meta"), 1 << 20);
	testing::internal::CaptureStdout();
	ASSERT_EQ(dispatch({"format", at("meta"), "--size", "16M"}), Status::ok);
	std::filesystem::create_symlink("meta", at("link"));
	std::filesystem::create_hard_link(at("meta"), at("hard"));
	for (const auto &same : {at("meta"), folder.path() + "/./meta", at("link"), at("hard")})
		EXPECT_EQ(status_of_dump(same), Status::usage) << same;
	EXPECT_EQ(std::filesystem::file_size(at("meta")), 1 << 20);
	EXPECT_EQ(dispatch({"check", at("meta")}), Status::ok);
	testing::internal::GetCapturedStdout();

	EXPECT_EQ(status_of_dump(at("data.json")), Status::ok);
	EXPECT_GT(std::filesystem::file_size(at("data.json")), 100u);
	ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
	const UniqueFd reader(open(at("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	EXPECT_EQ(status_of_dump(at("fifo")), Status::ok);
	EXPECT_TRUE(std::filesystem::is_fifo(at("fifo")));
}
