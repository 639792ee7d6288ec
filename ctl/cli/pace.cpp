// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/pace.hpp"
#include "base/size.hpp"
#include "cli/refusal.hpp"
#include <algorithm>

namespace blkctl::cli
{

using std::chrono::milliseconds;

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
