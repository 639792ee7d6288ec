// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/pace.hpp"
#include "base/size.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include <algorithm>

namespace blkctl::cli
{

using std::chrono::milliseconds;

namespace
{

// Often enough to look alive on a terminal, seldom enough not to fill a log.
constexpr milliseconds terminal_interval{500};
constexpr milliseconds log_interval{5000};

} // namespace

std::vector<Option> pace_options(const std::string &interval)
{
	return {{.name = "interval", .value = "TIME", .help = interval},
		{.name = "timeout", .value = "TIME", .help = "end by itself after so long"}};
}

std::optional<milliseconds> interval_of(const Arguments &args)
{
	auto text = args.value("interval");
	if (!text)
		return std::nullopt;
	milliseconds interval(take_value("interval", *text, parse_duration_ms(*text)));
	if (interval < least_interval)
		bad_usage("--interval: less than 50ms");
	return interval;
}

Option interval_option()
{
	return {.name = "interval",
		.value = "TIME",
		.help = "how often progress is shown: 0.5 s on a terminal, 5 s elsewhere, if not "
			"given"};
}

Option wait_anyway_option()
{
	return {.name = "wait",
		.value = "",
		.help = "as it does anyway: the work is done by this command, and ends with it"};
}

milliseconds progress_interval(const Arguments &args)
{
	const bool live = on_terminal() && !args.flag("json");
	return interval_of(args).value_or(live ? terminal_interval : log_interval);
}

Pace pace_of(const Arguments &args, milliseconds interval)
{
	Pace pace;
	pace.interval = interval_of(args).value_or(interval);
	if (auto text = args.value("timeout"))
		pace.end = Pace::Clock::now() +
			   milliseconds(take_value("timeout", *text, parse_duration_ms(*text)));
	return pace;
}

milliseconds Pace::next() const
{
	if (!end)
		return interval;
	auto left = std::chrono::ceil<milliseconds>(*end - Clock::now());
	return std::clamp(left, milliseconds(0), interval);
}

} // namespace blkctl::cli
