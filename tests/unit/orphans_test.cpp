// SPDX-License-Identifier: GPL-2.0-or-later
// Cookies of processes that were killed, with real semaphores.
#include "dm/orphans.hpp"
#include <csignal>
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace blkctl;
using namespace blkctl::dm;

namespace
{

constexpr key_t first_key = 0x0d4d4200;

class Orphans : public testing::Test
{
      protected:
	void SetUp() override { ASSERT_TRUE(mkdtemp(folder.data())); }
	void TearDown() override
	{
		if (semaphore >= 0)
			semctl(semaphore, 0, IPC_RMID);
		std::filesystem::remove_all(folder);
	}

	// As dm_udev_create_cookie does it.
	int make()
	{
		for (key_t key = first_key; key < first_key + 200; key++) {
			const int id = semget(key, 1, 0600 | IPC_CREAT | IPC_EXCL);
			if (id < 0)
				continue;
			semctl(id, 0, SETVAL, 1);
			cookie = static_cast<uint32_t>(key);
			return id;
		}
		return -1;
	}

	// A process that does this and is killed; false if it cannot have semaphores here.
	bool killed(const std::function<void()> &act)
	{
		int fds[2];
		if (pipe(fds) != 0)
			return false;
		const pid_t pid = fork();
		if (pid == 0) {
			act();
			if (write(fds[1], &semaphore, sizeof(semaphore)) < 0)
				_exit(1);
			kill(getpid(), SIGKILL);
		}
		const auto got = read(fds[0], &semaphore, sizeof(semaphore));
		waitpid(pid, nullptr, 0);
		close(fds[0]);
		close(fds[1]);
		return got == sizeof(semaphore) && semaphore >= 0;
	}

	bool there() { return semctl(semaphore, 0, GETVAL) >= 0; }
	bool nothing_left() { return std::filesystem::is_empty(folder); }

	std::string folder = "/tmp/blkctl-orphans-XXXXXX";
	int semaphore = -1;
	uint32_t cookie = 0;
};

} // namespace

TEST_F(Orphans, OneThatWasNotWrittenDownYetIsFound)
{
	if (!killed([this] {
		    const auto note = announce_cookie(folder);
		    semaphore = make();
	    }))
		GTEST_SKIP() << "no semaphores here";
	ASSERT_TRUE(there());
	sweep_orphans(folder);
	EXPECT_FALSE(there());
	EXPECT_TRUE(nothing_left());
}

TEST_F(Orphans, OneThatWasWrittenDownIsFound)
{
	if (!killed([this] {
		    auto note = announce_cookie(folder);
		    semaphore = make();
		    (void)record_cookie(folder, *note, cookie);
	    }))
		GTEST_SKIP() << "no semaphores here";
	ASSERT_TRUE(there());
	sweep_orphans(folder);
	EXPECT_FALSE(there());
	EXPECT_TRUE(nothing_left());
}

// dmsetup udevcreatecookie makes one for others, and ends.
TEST_F(Orphans, ACookieOfAnotherToolIsLeftAlone)
{
	if (!killed([this] { semaphore = make(); }))
		GTEST_SKIP() << "no semaphores here";
	sweep_orphans(folder);
	EXPECT_TRUE(there());
}

TEST_F(Orphans, ALivingMakersIsLeftAlone)
{
	auto note = announce_cookie(folder);
	ASSERT_TRUE(note);
	semaphore = make();
	if (semaphore < 0)
		GTEST_SKIP() << "no semaphores here";
	sweep_orphans(folder);
	EXPECT_TRUE(there());
	ASSERT_TRUE(record_cookie(folder, *note, cookie));
	sweep_orphans(folder);
	EXPECT_TRUE(there());
	EXPECT_TRUE(std::filesystem::exists(note->path));
}

TEST_F(Orphans, TellsCookiesFromOtherSemaphores)
{
	const auto found = cookies_in("       key      semid perms      nsems   uid   gid  cuid  "
				      "cgid      otime      ctime\n"
				      " 223154740          3   600          1     0     0     0    "
				      " 0          0 1700000000\n"
				      "         0          4   600          1     0     0     0    "
				      " 0          0 1700000000\n"
				      "-559038737          5   600          1     0     0     0    "
				      " 0          0 1700000000\n");
	ASSERT_EQ(found.size(), 1u);
	EXPECT_EQ(found[0].cookie, 0x0d4d1234u);
	EXPECT_EQ(found[0].id, 3);
}
