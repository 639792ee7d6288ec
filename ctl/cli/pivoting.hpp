// SPDX-License-Identifier: GPL-2.0-or-later
// The end of a copy on its target: shared by pivot, copy --pivot and wait --pivot.
#ifndef BLKCTL_CLI_PIVOTING_HPP
#define BLKCTL_CLI_PIVOTING_HPP

#include "cli/arguments.hpp"
#include "volume/context.hpp"
#include <chrono>
#include <optional>
#include <string>

namespace blkctl::cli
{

using Start = std::chrono::steady_clock::time_point;

// Pivots, and prints the line a copy ends with; with `since`, also how long it all took.
void pivot_now(volume::Context &context, const Arguments &args, const std::string &name,
	       std::optional<Start> since);

// Refuses what a pivot would refuse in the end anyway, before hours of copying.
void check_pivot(volume::Context &context, const std::string &name, bool until_reboot);

} // namespace blkctl::cli

#endif
