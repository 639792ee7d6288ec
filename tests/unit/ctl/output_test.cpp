// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of a verb whose output goes nowhere.
#include "../temporary_folder.hpp"
#include "cli/common.hpp"
#include "cli/dispatch.hpp"
#include "cli/pages.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <stdio_ext.h>
#include <unistd.h>

using namespace blkctl;
using namespace blkctl::cli;

namespace
{

// Standard output with no room for anything.
class FullDisk
{
      public:
	FullDisk() : before_(dup(STDOUT_FILENO))
	{
		std::fflush(stdout);
		const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
		dup2(full, STDOUT_FILENO);
		close(full);
	}
	~FullDisk()
	{
		__fpurge(stdout);
		std::clearerr(stdout);
		dup2(before_, STDOUT_FILENO);
		close(before_);
	}
	FullDisk(const FullDisk &) = delete;
	FullDisk &operator=(const FullDisk &) = delete;

      private:
	int before_;
};

// What a verb that cannot print says on stderr, and its status.
std::pair<Status, std::string> run_full(const std::vector<std::string> &words)
{
	const FullDisk full;
	testing::internal::CaptureStderr();
	const auto status = dispatch(words);
	return {status, testing::internal::GetCapturedStderr()};
}

template <class F> Status status_of(F f)
{
	const FullDisk full;
	testing::internal::CaptureStderr();
	auto status = Status::ok;
	try {
		f();
	} catch (const Refusal &refusal) {
		status = refusal.error.status;
	}
	testing::internal::GetCapturedStderr();
	return status;
}

} // namespace

TEST(Output, WhatWasAskedForIsThereOrItFailed)
{
	for (const auto &words : std::vector<std::vector<std::string>>{
		     {"help"}, {"help", "copy"}, {"copy", "--help"}, {"--version"}, {"--help"}}) {
		const auto [status, said] = run_full(words);
		EXPECT_EQ(status, Status::failed) << words[0];
		EXPECT_NE(said.find("standard output: No space left"), std::string::npos) << said;
		EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
	}
	EXPECT_EQ(status_of([] { print_all("x"); }), Status::failed);
	EXPECT_EQ(status_of([] { say("x"); }), Status::failed);
}

TEST(Output, PagesFailToo)
{
	EXPECT_EQ(status_of([] {
			  Pages out;
			  out.text("x");
			  out.finish();
		  }),
		  Status::failed);
	EXPECT_EQ(status_of([] {
			  Pages out;
			  for (int i = 0; i < 100'000; i++)
				  out.number(12'345'678);
		  }),
		  Status::failed);
}

// What is done is done; a job that runs goes on.
TEST(Output, WorkCountsWhoeverHearsOfIt)
{
	const volume::Outcome outcome{.steps = {"load"}, .name = "data"};
	const auto report = [&](const std::vector<std::string> &words) {
		report_outcome(Arguments::parse(*find_verb("remove"), words), outcome, "gone");
	};
	EXPECT_EQ(status_of([&] { report({"data"}); }), Status::ok);
	EXPECT_EQ(status_of([&] { report({"data", "--json"}); }), Status::ok);
	EXPECT_EQ(status_of([&] { report({"data", "--dry-run"}); }), Status::failed);
	EXPECT_EQ(status_of([&] { report({"data", "--dry-run", "--json"}); }), Status::failed);
	EXPECT_EQ(status_of([] {
			  StatusLine line;
			  line.show("copying");
		  }),
		  Status::ok);
	// Said, but once.
	const FullDisk full;
	testing::internal::CaptureStderr();
	tell("one");
	tell("two");
	const auto said = testing::internal::GetCapturedStderr();
	EXPECT_NE(said.find("No space left"), std::string::npos) << said;
	EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST(Output, OfMetadata)
{
	const TemporaryFolder folder;
	const auto meta = folder.path() + "/meta";

	std::ofstream(meta).close();
	std::filesystem::resize_file(meta, 1 << 20);
	EXPECT_EQ(run_full({"format", meta, "--size", "16M", "--dry-run"}).first, Status::failed);
	EXPECT_EQ(run_full({"format", meta, "--size", "16M"}).first, Status::ok);
	EXPECT_EQ(run_full({"dump", meta}).first, Status::failed);
	EXPECT_EQ(run_full({"check", meta}).first, Status::failed);
	EXPECT_EQ(run_full({"check", meta, "--json"}).first, Status::failed);
}
