// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/interrupt.hpp"
#include "cli/pace.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "job/watcher.hpp"
#include "report/json_event.hpp"
#include <chrono>
#include <fmt/format.h>
#include <set>

namespace blkctl::cli::verb_events
{

namespace
{

std::string event_line(const job::Event &event)
{
	std::string line = fmt::format("{} {} ({}): ", event.time, event.name, event.device.str());
	if (event.kind == job::Event::Kind::state)
		line += fmt::format("{} -> {}", job::word(event.before), job::word(event.after));
	else
		line += job::word(event.kind);
	if (event.kind == job::Event::Kind::appeared && event.after != job::State::none)
		line += fmt::format(", {}", job::word(event.after));
	if (!event.detail.empty())
		line += ": " + event.detail;
	return line;
}

// The devices of the volumes named; none named means all.
std::set<DevNo> devices_of(volume::Context &context, const std::vector<std::string> &names)
{
	std::set<DevNo> devices;
	for (const std::string &name : names)
		devices.insert(take(volume::find(context, name)).devno());
	return devices;
}

Status run(const Arguments &args)
{
	Pace pace = pace_of(args, std::chrono::minutes(1));
	auto host = take(volume::Host::open());
	auto &context = host.context();
	auto wanted = devices_of(context, args.rest(0));
	auto watcher = take(job::Watcher::open(context));
	Interrupt interrupt;
	while (!interrupt.came() && !pace.over()) {
		for (const job::Event &event : take(watcher.next(pace.next()))) {
			if (!wanted.empty() && wanted.count(event.device) == 0)
				continue;
			say(args.flag("json") ? report::json_event(event) : event_line(event));
		}
	}
	return Status::ok;
}

const Register entry{Verb{
	.name = "events",
	.group = Group::look,
	.rank = 5,
	.summary = "print what happens to volumes, as it happens",
	.description = {"One line for each volume there is at the start, and then for each change: "
			"a volume appears, is renamed or gone (removed, or its table replaced by "
			"another tool), its job changes state, a device reports errors. Ends with "
			"Ctrl-C."},
	.positionals = {{.name = "NAME",
			 .help = "only these volumes",
			 .offer = Offer::volume,
			 .optional = true,
			 .repeated = true}},
	.options = join({pace_options("look at least so often, also when the kernel tells of "
				      "nothing: 1 minute if not given"),
			 {json_option()}}),
	.examples = {{"blkctl events", "Follows all volumes."},
		     {"blkctl events data --json", "One volume, for a program."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_events
