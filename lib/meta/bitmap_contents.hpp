// SPDX-License-Identifier: GPL-2.0-or-later
// What the exact sectors of mode track mean for the contents, and for a repair of them.
// Internal to the library.
#ifndef BLKCTL_META_BITMAP_CONTENTS_HPP
#define BLKCTL_META_BITMAP_CONTENTS_HPP

#include "meta/contents.hpp"
#include "meta/repair.hpp"

namespace blkctl::meta
{

// The slot an exact sector is of, and which of its sectors: 0 is the record, behind it are the
// bits.
struct InSlot {
	uint32_t slot = 0;
	uint64_t sector = 0;
	uint64_t sectors = 0; // that it has

	bool is_record() const { return sector == 0; }
};
InSlot in_slot(const Superblock &super, uint64_t index);

// nullptr: none is known of.
const Bitmap *bitmap_in(const Contents &contents, uint32_t slot);

// What is believed of a sector; in the order of their indices.
void take_bitmap_sector(Contents &contents, uint64_t index, const Words &words);

// What a sector says is not known, or maybe outdated.
void doubt_bitmap_sector(Contents &contents, uint64_t index);

// True but for bits of no bitmap.
bool says_something(const Contents &contents, uint64_t index);

// True for bits that were never written, as far as can be seen.
bool is_blank_bits(const Contents &contents, uint64_t index);

// When the findings are judged.
void find_lost_bitmaps(Contents &contents);

// Adds what a repair does to exact sectors.
void plan_bitmap_repair(const Contents &contents, Repair &plan);

} // namespace blkctl::meta

#endif
