// SPDX-License-Identifier: GPL-2.0-or-later
// The running kernel's device-mapper events: a target's event, and every create, remove, rename
// and table swap on the host.
#ifndef BLKCTL_DM_EVENT_POLL_HPP
#define BLKCTL_DM_EVENT_POLL_HPP

#include "base/unique_fd.hpp"
#include "dm/events.hpp"
#include <memory>

namespace blkctl::dm
{

class EventPoll final : public Events
{
      public:
	// Errors: failed (not root, no device-mapper).
	static Result<std::unique_ptr<EventPoll>> open();

	Result<void> arm() override;
	Result<bool> wait(std::chrono::milliseconds timeout) override;

	int fd() const { return fd_.get(); } // readable (POLLIN) when an event came since arm()

      private:
	explicit EventPoll(UniqueFd fd) : fd_(std::move(fd)) {}

	UniqueFd fd_;
};

} // namespace blkctl::dm

#endif
