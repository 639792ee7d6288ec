// SPDX-License-Identifier: GPL-2.0-or-later
// Waiting for device-mapper events: a target's event, and every create, remove, rename and
// table swap on the host.
#ifndef BLKCTL_DM_EVENT_POLL_HPP
#define BLKCTL_DM_EVENT_POLL_HPP

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <chrono>

namespace blkctl::dm
{

/*
 * Use: arm(), then look at everything of interest, then wait(); again from the start. In that
 * order an event between the look and the wait is not lost.
 */
class EventPoll
{
      public:
	// Errors: failed (not root, no device-mapper).
	static Result<EventPoll> open();

	Result<void> arm();

	// True if an event came, false after the timeout or when a signal arrived.
	Result<bool> wait(std::chrono::milliseconds timeout);

	int fd() const { return fd_.get(); } // readable (POLLIN) when an event came since arm()

      private:
	explicit EventPoll(UniqueFd fd) : fd_(std::move(fd)) {}

	UniqueFd fd_;
};

} // namespace blkctl::dm

#endif
