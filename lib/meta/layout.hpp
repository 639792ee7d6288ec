// SPDX-License-Identifier: GPL-2.0-or-later
// Where everything is on a metadata device, computed from the volume alone.
#ifndef BLKCTL_META_LAYOUT_HPP
#define BLKCTL_META_LAYOUT_HPP

#include "base/error.hpp"
#include "uapi/blkcopy.h"
#include "uapi/blkcopy_meta.h"
#include <array>
#include <cstdint>

namespace blkctl::meta
{

inline constexpr uint64_t sector_bytes = BLKCOPY_META_SECTOR_SIZE;
inline constexpr uint64_t blocks_a_sector = BLKCOPY_META_BLOCKS;
inline constexpr uint64_t words_a_sector = BLKCOPY_META_WORDS;
inline constexpr uint64_t segments_a_sector = BLKCOPY_META_SEGMENTS;
inline constexpr uint64_t granules_a_sector = words_a_sector * 64;
inline constexpr uint32_t bitmap_slots_max = BLKCOPY_BITMAPS_MAX;

// What an exact sector says.
using Words = std::array<uint64_t, words_a_sector>;

// Of the volume.
struct Geometry {
	uint64_t sectors = 0; // 512 bytes
	uint32_t block_sectors = 128;
	uint32_t segment_mib = BLKCOPY_SEGMENT_MIB_DEFAULT;
	// How many bitmaps there is room for, of mode track: 1 to 64. 0: it is a map of blocks.
	uint32_t bitmap_slots = 0;

	bool operator==(const Geometry &) const = default;
};

// In sectors of 4 KiB, but for blocks and segments.
struct Layout {
	uint64_t blocks = 0;
	uint64_t segments = 0;
	uint64_t first_intent = 0;
	uint64_t nr_intent = 0;
	uint64_t first_exact = 0;
	uint64_t nr_exact = 0;       // two slots each
	uint64_t bitmap_sectors = 0; // exact ones that a bitmap has; 0: it is a map of blocks

	uint64_t slot(uint64_t exact, unsigned which) const
	{
		return first_exact + 2 * exact + which;
	}
	uint64_t end() const { return first_exact + 2 * nr_exact; }
	uint64_t bytes() const { return end() * sector_bytes; }

	bool operator==(const Layout &) const = default;
};

// Errors: usage, naming the limit.
Result<Layout> layout_of(const Geometry &geometry);

} // namespace blkctl::meta

#endif
