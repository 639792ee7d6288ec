// SPDX-License-Identifier: GPL-2.0-or-later
// A change as data: what is going to be done, in words for --dry-run, with its undo.
#ifndef BLKCTL_VOLUME_PLAN_HPP
#define BLKCTL_VOLUME_PLAN_HPP

#include "base/error.hpp"
#include "volume/context.hpp"
#include <functional>
#include <string>
#include <vector>

namespace blkctl::volume
{

/*
 * After each step nothing is suspended, and the host is in a state that the verb that made the
 * plan recognises when it is run again: a kill between two steps loses nothing.
 */
struct Step {
	std::string text =
		{}; // imperative: "load into 253:0: 0 2048 blkcopy track 8:0 0 - 0 - 128"
	std::function<Result<void>()> apply = {};
	std::function<Result<void>()> undo = {}; // empty: nothing to undo
	// Users are on what the steps before made: from here on none of them is undone.
	bool is_final = false;
	// Of one that has failed: whether some users are on that all the same.
	std::function<bool()> stays = {};
	// No user is ever on what it made: it is undone even where all else stays.
	bool is_scaffold = false;
};

using Plan = std::vector<Step>;

/*
 * Runs a plan. When a step fails, the ones before it are undone in reverse and its error is
 * returned, back to the last final one; an undo that fails is added to `why`, and the rest are
 * still undone. Of one that fails and stays, only scaffolds are.
 */
Result<void> execute(Context &context, const Plan &plan);

// The texts in order.
std::vector<std::string> texts(const Plan &plan);

} // namespace blkctl::volume

#endif
