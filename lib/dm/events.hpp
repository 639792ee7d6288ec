// SPDX-License-Identifier: GPL-2.0-or-later
// Waiting for device-mapper events: the seam that unit tests put a script behind.
#ifndef BLKCTL_DM_EVENTS_HPP
#define BLKCTL_DM_EVENTS_HPP

#include "base/error.hpp"
#include <chrono>

namespace blkctl::dm
{

/*
 * Use: arm(), then look at everything of interest, then wait(); again from the start. In that
 * order an event between the look and the wait is not lost.
 */
class Events
{
      public:
	virtual ~Events() = default;

	virtual Result<void> arm() = 0;

	// True if an event came, false after the timeout or when a signal arrived. Signals that the
	// caller blocks come through while it waits.
	virtual Result<bool> wait(std::chrono::milliseconds timeout) = 0;
};

} // namespace blkctl::dm

#endif
