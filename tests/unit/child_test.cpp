// SPDX-License-Identifier: GPL-2.0-or-later
// Other programs as children.
#include "base/child.hpp"
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/wait.h>

using namespace blkctl;

namespace
{

constexpr std::chrono::seconds long_enough{30};

Program shell(const std::string &script)
{
	return {.words = {"sh", "-c", script}, .package = "dash"};
}

bool is_there(pid_t pid)
{
	std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
	std::string number, name, state;

	return (status >> number >> name >> state) && state != "Z";
}

} // namespace

TEST(Child, WhatItPrintsIsKept)
{
	EXPECT_EQ(*run_program(shell("echo a; echo b >&2"), long_enough), "a\n");
	// More than a pipe would take.
	EXPECT_EQ(run_program(shell("head -c 1000000 /dev/zero"), long_enough)->size(), 1000000u);
	EXPECT_EQ(*run_program(shell("cat"), long_enough), "");
}

TEST(Child, WhatItComplainsOfIsTheReason)
{
	const auto failed =
		run_program(shell("echo a; echo b >&2; echo c >&2; exit 3"), long_enough);
	ASSERT_FALSE(failed);
	EXPECT_EQ(failed.error().message(), "run sh: b; c");
	EXPECT_EQ(failed.error().status, Status::failed);
	EXPECT_EQ(run_program(shell("exit 3"), long_enough).error().why, "sh ended with status 3");
	EXPECT_EQ(run_program(shell("kill -9 $$"), long_enough).error().why,
		  "sh was ended by signal 9");
}

TEST(Child, AMissingOneIsNamedWithItsPackage)
{
	const auto none = Child::start({.words = {"no-such-program"}, .package = "some-package"});
	ASSERT_FALSE(none);
	EXPECT_EQ(none.error().message(), "run no-such-program: there is no such program (try: "
					  "apt install some-package)");
	EXPECT_EQ(Child::start({.words = {"/"}, .package = "x"}).error().status, Status::failed);
}

TEST(Child, AWaitHasAnEnd)
{
	auto child = Child::start(shell("trap '' TERM; exec sleep 100"));
	ASSERT_TRUE(child);
	const auto pid = child->pid();
	const auto ended = child->finish(std::chrono::milliseconds(50));
	ASSERT_FALSE(ended);
	EXPECT_EQ(ended.error().status, Status::timed_out);
	EXPECT_FALSE(is_there(pid));
	EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1);
}

TEST(Child, EndsWithItsOwner)
{
	pid_t pid = 0;
	{
		const auto child = Child::start(shell("exec sleep 100"));
		ASSERT_TRUE(child);
		pid = child->pid();
		EXPECT_TRUE(is_there(pid));
		// Not of the terminal's: Ctrl-C is its owner's to answer.
		EXPECT_NE(getpgid(pid), getpgrp());
	}
	EXPECT_FALSE(is_there(pid));
}

TEST(Child, DiesWithItsParent)
{
	int ends[2];
	ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
	const pid_t parent = fork();
	if (parent == 0) {
		const auto child = Child::start(shell("exec sleep 100"));
		const pid_t pid = child ? child->pid() : -1;
		const auto n = write(ends[1], &pid, sizeof(pid));
		_exit(n == sizeof(pid) ? 0 : 1);
	}
	pid_t pid = 0;
	ASSERT_EQ(read(ends[0], &pid, sizeof(pid)), ssize_t(sizeof(pid)));
	ASSERT_EQ(waitpid(parent, nullptr, 0), parent);
	for (int i = 0; i < 1000 && is_there(pid); i++)
		usleep(10000);
	EXPECT_FALSE(is_there(pid));
	close(ends[0]);
	close(ends[1]);
}

TEST(Child, HasWhatItIsPassedAndNothingElse)
{
	const UniqueFd leak(open("/dev/null", O_RDONLY));
	const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
	ASSERT_TRUE(leak && null);
	auto program = shell("ls /proc/$$/fd; test $LISTEN_PID -eq $$ && echo $LISTEN_FDS");
	program.pass = {null.get(), null.get()};
	program.socket_activation = true;
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	const auto output = run_program(program, long_enough);
	const auto blocked = run_program(shell("exec grep SigBlk /proc/self/status"), long_enough);
	sigprocmask(SIG_SETMASK, &before, nullptr);
	EXPECT_EQ(*output, "0\n1\n2\n3\n4\n2\n");
	EXPECT_EQ(*blocked, "SigBlk:\t0000000000000000\n");
}
