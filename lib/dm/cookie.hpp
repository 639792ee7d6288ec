// SPDX-License-Identifier: GPL-2.0-or-later
// The semaphore through which udev says that it has dealt with a change. Internal to the library.
#ifndef BLKCTL_DM_COOKIE_HPP
#define BLKCTL_DM_COOKIE_HPP

#include "base/error.hpp"
#include "dm/mapper.hpp"
#include "dm/orphans.hpp"
#include <chrono>
#include <string>

namespace blkctl::dm
{

/*
 * Made before the ioctl it goes with (making one can fail), waited for after it. A cookie is a SysV
 * semaphore: the kernel keeps it when its owner is killed. So each one is announced and written
 * down in RUN_DIR/cookies, see orphans.hpp, and the next cookie made sweeps the orphans.
 */
class Cookie
{
      public:
	static Result<Cookie> create(const std::string &run_dir);
	Cookie(Cookie &&other) noexcept;
	Cookie &operator=(Cookie &&) = delete;
	~Cookie(); // never leaks: completes and destroys what was not waited for

	// Hangs the cookie on a task, with the udev flags for a device.
	uint32_t *value() { return &value_; }
	static uint16_t flags(Visibility visibility);

	// True if udev was done before the deadline; the cookie is gone either way.
	bool wait(std::chrono::milliseconds timeout);

      private:
	Cookie() = default;
	void destroy();

	uint32_t value_ = 0;
	Note note_;
};

} // namespace blkctl::dm

#endif
