// SPDX-License-Identifier: GPL-2.0-or-later
// --interval and --timeout of the verbs that look again and again.
#ifndef BLKCTL_CLI_PACE_HPP
#define BLKCTL_CLI_PACE_HPP

#include "cli/arguments.hpp"
#include "cli/verb.hpp"
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::cli
{

// `interval`: what the option of that name is for.
std::vector<Option> pace_options(const std::string &interval);

struct Pace {
	using Clock = std::chrono::steady_clock;

	std::chrono::milliseconds interval{};
	std::optional<Clock::time_point> end = {}; // none: for ever

	bool over() const { return end && Clock::now() >= *end; }
	// How long the next wait may be.
	std::chrono::milliseconds next() const;
};
Pace pace_of(const Arguments &args, std::chrono::milliseconds interval);

// --interval, if it was given. Shorter ones than this do nothing but load the machine.
inline constexpr std::chrono::milliseconds least_interval{50};
std::optional<std::chrono::milliseconds> interval_of(const Arguments &args);

// The same of verbs that show progress, and how often they do.
Option interval_option();
// --wait, of verbs that do their work themselves and have nothing that could go on without them.
Option wait_anyway_option();
std::chrono::milliseconds progress_interval(const Arguments &args);

} // namespace blkctl::cli

#endif
