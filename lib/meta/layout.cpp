// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/layout.hpp"
#include "base/size.hpp"

namespace blkctl::meta
{

namespace
{

constexpr uint64_t superblocks = 2;
constexpr uint64_t sectors_a_mib = 2048;
constexpr uint64_t sectors_max = uint64_t{1} << 54; // 8 EiB, what a loff_t can reach

uint64_t divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0 ? 1 : 0);
}

Error bad(std::string why)
{
	return {.status = Status::usage, .what = "lay out the metadata", .why = std::move(why)};
}

} // namespace

Result<Layout> layout_of(const Geometry &geometry)
{
	if (geometry.sectors == 0)
		return bad("the volume has no size");
	if (geometry.sectors > sectors_max)
		return bad("the volume has more than 8 EiB");
	BLKCTL_CHECK(check_block_sectors(geometry.block_sectors));
	if (geometry.segment_mib < BLKCOPY_SEGMENT_MIB_MIN ||
	    geometry.segment_mib > BLKCOPY_SEGMENT_MIB_MAX)
		return bad("a segment of " + std::to_string(geometry.segment_mib) +
			   " MiB: it has 1 to " + std::to_string(BLKCOPY_SEGMENT_MIB_MAX));
	if (geometry.bitmap_slots > bitmap_slots_max)
		return bad("room for " + std::to_string(geometry.bitmap_slots) +
			   " bitmaps: there are 1 to " + std::to_string(bitmap_slots_max));

	Layout layout;
	layout.blocks = divide_up(geometry.sectors, geometry.block_sectors);
	layout.segments = divide_up(geometry.sectors, geometry.segment_mib * sectors_a_mib);
	layout.first_intent = superblocks;
	layout.nr_intent = divide_up(layout.segments, segments_a_sector);
	layout.first_exact = layout.first_intent + layout.nr_intent;
	if (geometry.bitmap_slots == 0) {
		layout.nr_exact = divide_up(layout.blocks, blocks_a_sector);
		return layout;
	}
	layout.bitmap_sectors = 1 + divide_up(layout.blocks, granules_a_sector);
	layout.nr_exact = geometry.bitmap_slots * layout.bitmap_sectors;
	return layout;
}

} // namespace blkctl::meta
