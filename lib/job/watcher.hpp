// SPDX-License-Identifier: GPL-2.0-or-later
// What happens to volumes, as it happens: the difference between two looks at the kernel.
#ifndef BLKCTL_JOB_WATCHER_HPP
#define BLKCTL_JOB_WATCHER_HPP

#include "dm/events.hpp"
#include "job/job.hpp"
#include <map>
#include <memory>
#include <vector>

namespace blkctl::job
{

struct Event {
	enum class Kind {
		appeared, // a volume is there; one for each at the start
		gone,     // removed, or its table was replaced: see `detail`
		renamed,
		state, // the job's state changed
		error, // a leg's error count went up
	} kind;
	std::string time = {}; // UTC, RFC 3339 with milliseconds
	std::string name = {};
	DevNo device = {};
	State before = State::none;
	State after = State::none;
	std::string detail = {}; // for a person
};
std::string_view word(Event::Kind kind);

class Watcher
{
      public:
	// Errors: failed (not root, no device-mapper).
	static Result<Watcher> open(volume::Context &context);

	// The next events in order; empty after the timeout or when a signal came.
	Result<std::vector<Event>> next(std::chrono::milliseconds timeout);

	// The volumes at the last look; one that could not be read then is as it was before.
	const std::map<DevNo, volume::Volume> &volumes() const { return volumes_; }
	const std::vector<volume::Unreadable> &unreadable() const { return unreadable_; }

      private:
	Watcher(volume::Context &context, std::unique_ptr<dm::Events> events);

	std::string what_became_of(DevNo device, const std::string &name);

	volume::Context *context_;
	std::unique_ptr<dm::Events> events_;
	std::map<DevNo, volume::Volume> volumes_;
	std::vector<volume::Unreadable> unreadable_;
};

// The events between two looks, without time. Pure, for tests.
std::vector<Event> difference(const std::map<DevNo, volume::Volume> &before,
			      const std::map<DevNo, volume::Volume> &after);

} // namespace blkctl::job

#endif
