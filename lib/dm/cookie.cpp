// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/cookie.hpp"
#include "base/files.hpp"
#include "dm/log.hpp"
#include <libdevmapper.h>
#include <sys/sem.h>
#include <thread>
#include <unistd.h>

namespace blkctl::dm
{

namespace
{

constexpr auto poll_interval = std::chrono::milliseconds(5);

// One for each device that udev has not answered for, and one that finds none left.
constexpr size_t most_looks = most_in_group + 1;

bool is_there(uint32_t cookie)
{
	return semget(static_cast<key_t>(cookie), 1, 0) >= 0;
}

// Brings the count down to the waiter's own one and lets libdevmapper remove the semaphore. False
// if that is still there.
bool force_destroy(uint32_t cookie)
{
	LogCapture log;

	for (size_t i = 0; i < most_looks; i++) {
		int ready = 0;
		if (!dm_udev_wait_immediate(cookie, &ready))
			break;
		if (ready)
			return true;
		dm_udev_complete(cookie);
	}
	return !is_there(cookie);
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
	sweep_orphans(folder);

	BLKCTL_TRY(cookie.note_, announce_cookie(folder));
	if (!dm_udev_create_cookie(&cookie.value_))
		return Error{.what = "make a udev cookie",
			     .why = log.errors(),
			     .next = "dmsetup udevcookies"};
	BLKCTL_CHECK(record_cookie(folder, cookie.note_, cookie.value_));
	return cookie;
}

Cookie::Cookie(Cookie &&other) noexcept
	: value_(std::exchange(other.value_, 0)), note_(std::move(other.note_))
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
		if (!dm_udev_wait_immediate(value_, &ready)) {
			// Whether it is gone destroy() looks.
			done = true;
		} else if (ready) {
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
	const uint32_t cookie = std::exchange(value_, 0);
	const bool gone = cookie == 0 || force_destroy(cookie);

	// Of one that is not, the note is for the next sweep, which needs the lock.
	if (note_.lock && gone)
		unlink(note_.path.c_str());
	note_.lock.reset();
}

} // namespace blkctl::dm
