// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/watcher.hpp"
#include "volume/cache.hpp"

namespace blkctl::job
{

namespace
{

using Clock = std::chrono::steady_clock;

Event event_of(Event::Kind kind, const volume::Volume &volume)
{
	return {.kind = kind,
		.name = volume.name(),
		.device = volume.devno(),
		.after = volume.state()};
}

std::string error_text(uint64_t before, uint64_t after, const char *leg)
{
	const auto count = after - before;
	return std::to_string(count) + (count == 1 ? " new error of the " : " new errors of the ") +
	       leg;
}

void compare(const volume::Volume &before, const volume::Volume &after, std::vector<Event> &events)
{
	if (before.name() != after.name()) {
		auto event = event_of(Event::Kind::renamed, after);
		event.before = event.after;
		event.detail = "was " + before.name();
		events.push_back(std::move(event));
	}
	// Counts start again with each job.
	const bool same_job = before.table.top == after.table.top;
	const auto errors = [&](uint64_t old_count, uint64_t new_count, const char *leg) {
		const auto from = same_job ? old_count : 0;
		if (new_count <= from)
			return;
		auto event = event_of(Event::Kind::error, after);
		event.before = before.state();
		event.detail = error_text(from, new_count, leg);
		events.push_back(std::move(event));
	};
	errors(before.status.base_errors, after.status.base_errors, "source");
	errors(before.status.top_errors, after.status.top_errors, "target");
	if (before.state() != after.state()) {
		auto event = event_of(Event::Kind::state, after);
		event.before = before.state();
		events.push_back(std::move(event));
	}
}

} // namespace

std::string_view word(Event::Kind kind)
{
	switch (kind) {
	case Event::Kind::appeared:
		return "appeared";
	case Event::Kind::gone:
		return "gone";
	case Event::Kind::renamed:
		return "renamed";
	case Event::Kind::state:
		return "state";
	case Event::Kind::error:
		break;
	}
	return "error";
}

std::vector<Event> difference(const std::map<DevNo, volume::Volume> &before,
			      const std::map<DevNo, volume::Volume> &after)
{
	std::vector<Event> events;

	for (const auto &[devno, volume] : before) {
		const auto now = after.find(devno);
		// A number may be in use again by another device.
		if (now != after.end() && now->second.info.uuid == volume.info.uuid)
			continue;
		auto event = event_of(Event::Kind::gone, volume);
		event.before = event.after;
		event.after = State::none;
		events.push_back(std::move(event));
	}
	for (const auto &[devno, volume] : after) {
		const auto then = before.find(devno);
		if (then == before.end() || then->second.info.uuid != volume.info.uuid)
			events.push_back(event_of(Event::Kind::appeared, volume));
		else
			compare(then->second, volume, events);
	}
	return events;
}

Result<Watcher> Watcher::open(volume::Context &context)
{
	BLKCTL_TRY(auto events, context.dm.events());
	return Watcher(context, std::move(events));
}

Watcher::Watcher(volume::Context &context, std::unique_ptr<dm::Events> events)
	: context_(&context), events_(std::move(events))
{
}

Result<std::vector<Event>> Watcher::next(std::chrono::milliseconds timeout)
{
	const auto deadline = Clock::now() + timeout;

	for (;;) {
		BLKCTL_CHECK(events_->arm());
		BLKCTL_TRY(const auto listed, volume::list(*context_));
		std::map<DevNo, volume::Volume> now;
		for (const auto &volume : listed.volumes)
			now.emplace(volume.devno(), volume);
		// One that cannot be read is as it was when it could be; it is not gone.
		for (const auto &each : listed.unreadable)
			if (const auto then = volumes_.find(each.device); then != volumes_.end())
				now.insert(*then);
		unreadable_ = listed.unreadable;
		auto events = difference(volumes_, now);
		volumes_ = std::move(now);
		if (!events.empty()) {
			for (auto &event : events) {
				event.time = volume::timestamp(true);
				if (event.kind == Event::Kind::gone)
					event.detail = what_became_of(event.device, event.name);
			}
			return events;
		}
		const auto left =
			std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
		if (left.count() <= 0)
			return events;
		BLKCTL_TRY(const bool woken, events_->wait(left));
		if (!woken)
			return events;
	}
}

std::string Watcher::what_became_of(DevNo device, const std::string &name)
{
	const auto info = context_->dm.info(device);
	if (!info || info->name != name)
		return "removed";
	const auto table = context_->dm.table(device, dm::Slot::live, false);
	if (!table || table->empty())
		return "it has no table";
	return "its table was replaced: " + (*table)[0].type;
}

} // namespace blkctl::job
