// SPDX-License-Identifier: GPL-2.0-or-later
// The end of a copy on its target: shared by pivot, copy --pivot and wait --pivot.
#ifndef BLKCTL_CLI_PIVOTING_HPP
#define BLKCTL_CLI_PIVOTING_HPP

#include "cli/arguments.hpp"
#include "volume/volume.hpp"
#include <chrono>
#include <optional>
#include <string>

namespace blkctl::cli
{

using Start = std::chrono::steady_clock::time_point;

// What has become of the place a volume was on, and what to do about it.
// `persists`: of an LV, that it comes back where it is now.
std::string old_leg_text(const volume::Volume &before, const std::string &source, bool persists);

// Pivots this copy and no other, and prints the line a copy ends with; with `since`, also how long
// it all took.
void pivot_now(volume::Context &context, const Arguments &args, const volume::CopyId &copy,
	       std::optional<Start> since);

// Of a pivot that was killed behind its switch: takes away what it has left, or refuses, as of a
// volume that has no copy. False: the volume has a snapshot or a view, and cannot have pivoted.
bool finish_pivot(volume::Context &context, const Arguments &args, const std::string &name);

// The volume's copy as it is now. Refuses what a pivot would refuse in the end anyway, before
// hours of copying.
volume::CopyId check_pivot(volume::Context &context, const std::string &name,
			   const Arguments &args);

} // namespace blkctl::cli

#endif
