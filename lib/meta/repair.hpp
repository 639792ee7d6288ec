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

// Granules of a bitmap.
struct BitmapRanges {
	std::string name = {};
	std::vector<Range> granules = {};

	bool operator==(const BitmapRanges &) const = default;
};

// What a repair will do, as data.
struct Repair {
	std::vector<Rewrite> rewrites = {}; // in this order
	bool superblocks = false;           // both copies of `super` as well: after them
	bool superblocks_first = false;     // or before
	Superblock super = {};
	unsigned first_copy = 0;         // the one that is written first
	std::vector<Range> picked = {};  // blocks that are as they once were
	std::vector<Range> missing = {}; // blocks that stay unreadable
	// Granules whose bits cannot be read: they count as changed.
	std::vector<BitmapRanges> changed = {};
	std::vector<std::string> inconsistent = {}; // bitmaps that are so from now on
	std::vector<uint32_t> lost_bitmaps = {};    // slots whose bitmap, if any, stays lost

	bool is_empty() const { return rewrites.empty() && !superblocks; }
};

/*
 * Without `pick`: a bad copy of the superblock is written again from the good one, a bad slot whose
 * good one is the newest is made good, an intent sector that counts as all marked is written so.
 * With `pick` a doubtful sector is set to its good slot: its blocks may then be as they once were.
 * What is lost stays lost, what is torn is left to the kernel.
 *
 * Of bitmaps nothing is picked, `older` or not: bits that are doubtful or lost are written as all
 * changed, a record that is doubtful as inconsistent. A bitmap that is lost stays lost.
 */
Repair plan_repair(const Contents &contents, Older older);

// Errors: failed. Cut off in the middle it is to be done again.
Result<void> repair(Device &device, const Repair &plan);

} // namespace blkctl::meta

#endif
