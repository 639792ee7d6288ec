// SPDX-License-Identifier: GPL-2.0-or-later
// Repairing metadata: only ever from what is there.
#ifndef BLKCTL_META_REPAIR_HPP
#define BLKCTL_META_REPAIR_HPP

#include "meta/contents.hpp"
#include <string>
#include <vector>

namespace blkctl::meta
{

enum class Older { never, pick };

struct Rewrite {
	uint64_t sector = 0; // of the device
	std::string text = {};
	Sector content = {};
};

// What a repair will do, as data.
struct Repair {
	std::vector<Rewrite> rewrites = {}; // in this order
	bool superblocks = false;           // then both copies of `super`
	Superblock super = {};
	unsigned first_copy = 0;         // the one that is written first
	std::vector<Range> picked = {};  // blocks that are as they once were
	std::vector<Range> missing = {}; // blocks that stay unreadable

	bool is_empty() const { return rewrites.empty() && !superblocks; }
};

/*
 * Without `pick`: a bad copy of the superblock is written again from the good one, a bad slot whose
 * good one is the newest is made good, an intent sector that counts as all marked is written so.
 * With `pick` a doubtful sector is set to its good slot: its blocks may then be as they once were.
 * What is lost stays lost, what is torn is left to the kernel.
 */
Repair plan_repair(const Contents &contents, Older older);

// Errors: failed. Cut off in the middle it is to be done again.
Result<void> repair(Device &device, const Repair &plan);

} // namespace blkctl::meta

#endif
