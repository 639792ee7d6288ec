// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/cookie.hpp"
#include "base/files.hpp"
#include "dm/log.hpp"
#include <charconv>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <memory>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace blkctl::dm
{

namespace
{

constexpr auto poll_interval = std::chrono::milliseconds(5);

int semaphore_of(uint32_t cookie)
{
	return semget(static_cast<key_t>(cookie), 1, 0);
}

// Brings the count down to the waiter's own one and lets libdevmapper remove the semaphore.
void force_destroy(uint32_t cookie)
{
	LogCapture log;

	for (int i = 0; i < 8; i++) {
		int ready = 0;
		if (!dm_udev_wait_immediate(cookie, &ready) || ready)
			return;
		dm_udev_complete(cookie);
	}
}

bool is_at(int fd, const std::string &path)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && lstat(path.c_str(), &named) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

// Removes the cookie that a record names if its owner is dead and it is still the same one.
void sweep_record(const std::string &path, uint32_t cookie)
{
	UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));

	if (!fd || flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
		return;
	// By now the name may be another process's record.
	if (!is_at(fd.get(), path))
		return;

	char text[32] = {};
	const auto length = read(fd.get(), text, sizeof(text) - 1);
	int semaphore = -1;
	if (length > 0)
		std::from_chars(text, text + length, semaphore);
	if (semaphore >= 0 && semaphore == semaphore_of(cookie))
		force_destroy(cookie);
	unlink(path.c_str());
}

void sweep(const std::string &folder)
{
	const std::unique_ptr<DIR, int (*)(DIR *)> dir(opendir(folder.c_str()), closedir);

	while (const auto *entry = dir ? readdir(dir.get()) : nullptr) {
		const std::string_view name = entry->d_name;
		uint32_t cookie = 0;
		const auto [end, error] =
			std::from_chars(name.data(), name.data() + name.size(), cookie, 16);
		if (error == std::errc() && end == name.data() + name.size())
			sweep_record(folder + "/" + std::string(name), cookie);
	}
}

// A record is locked and whole before it has the name that a sweep looks at: an empty one, or one
// that nobody has locked yet, would be taken for an orphan's.
Result<UniqueFd> write_record(const std::string &folder, const std::string &path,
			      const std::string &content)
{
	const auto fresh = folder + "/.new-" + std::to_string(getpid());
	UniqueFd fd(open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));

	if (fd && flock(fd.get(), LOCK_EX | LOCK_NB) == 0 &&
	    write(fd.get(), content.data(), content.size()) ==
		    static_cast<ssize_t>(content.size()) &&
	    rename(fresh.c_str(), path.c_str()) == 0)
		return fd;
	auto error = errno_error("write down a udev cookie", path, errno);
	unlink(fresh.c_str());
	return error;
}

} // namespace

Result<Cookie> Cookie::create(const std::string &run_dir)
{
	LogCapture log;
	Cookie cookie;

	if (!dm_udev_get_sync_support())
		return cookie; // no udevd: libdevmapper makes the nodes itself

	const auto folder = run_dir + "/cookies";
	BLKCTL_CHECK(make_folder(run_dir));
	BLKCTL_CHECK(make_folder(folder));
	sweep(folder);

	if (!dm_udev_create_cookie(&cookie.value_))
		return Error{.what = "make a udev cookie",
			     .why = log.errors(),
			     .next = "dmsetup udevcookies"};

	char name[16];
	std::snprintf(name, sizeof(name), "/%08x", cookie.value_);
	const auto path = folder + name;
	BLKCTL_TRY(cookie.record_,
		   write_record(folder, path, std::to_string(semaphore_of(cookie.value_))));
	cookie.record_path_ = path;
	return cookie;
}

Cookie::Cookie(Cookie &&other) noexcept
	: value_(std::exchange(other.value_, 0)), record_(std::move(other.record_)),
	  record_path_(std::move(other.record_path_))
{
}

Cookie::~Cookie()
{
	destroy();
}

uint16_t Cookie::flags(Visibility visibility)
{
	uint16_t flags = 0;

	if (dm_udev_get_sync_support())
		flags |= DM_UDEV_DISABLE_LIBRARY_FALLBACK;
	if (visibility == Visibility::hidden)
		flags |= DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |
			 DM_UDEV_DISABLE_OTHER_RULES_FLAG;
	return flags;
}

bool Cookie::wait(std::chrono::milliseconds timeout)
{
	const auto deadline = std::chrono::steady_clock::now() + timeout;
	bool done = value_ == 0;

	// dm_udev_wait has no deadline: a udev worker that was killed would hold us for ever.
	while (!done) {
		LogCapture log;
		int ready = 0;
		if (!dm_udev_wait_immediate(value_, &ready) || ready) {
			value_ = 0;
			done = true;
		} else if (std::chrono::steady_clock::now() >= deadline) {
			break;
		} else {
			std::this_thread::sleep_for(poll_interval);
		}
	}
	destroy();
	return done;
}

void Cookie::destroy()
{
	if (value_)
		force_destroy(std::exchange(value_, 0));
	if (record_) {
		unlink(record_path_.c_str());
		record_.reset();
	}
}

} // namespace blkctl::dm
