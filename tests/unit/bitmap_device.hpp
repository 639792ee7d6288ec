// SPDX-License-Identifier: GPL-2.0-or-later
// A metadata device of mode track in memory, and what a kernel writes to it.
#ifndef BLKCTL_TESTS_BITMAP_DEVICE_HPP
#define BLKCTL_TESTS_BITMAP_DEVICE_HPP

#include "memory_device.hpp"
#include "meta/bitmap.hpp"
#include <optional>

namespace blkctl::fake
{

// 40000 blocks: a bitmap has a record and two sectors of bits. Room for two; 157 segments.
inline meta::Superblock track_super()
{
	meta::Superblock super;

	super.uuid = some_uuid;
	super.name = "data";
	super.geometry = {
		.sectors = 320000, .block_sectors = 8, .segment_mib = 1, .bitmap_slots = 2};
	super.mode = meta::Mode::track;
	super.legs[0] = {.identity = "dm:x", .sectors = 320000};
	return super;
}

// Of `slot`, its sector of this number: 0 is the record.
inline uint64_t bitmap_index(uint32_t slot, uint64_t sector)
{
	return slot * meta::layout_of(track_super().geometry)->bitmap_sectors + sector;
}

inline uint64_t bitmap_place(uint32_t slot, uint64_t sector, unsigned which)
{
	return meta::layout_of(track_super().geometry)->slot(bitmap_index(slot, sector), which);
}

inline meta::Bitmap some_bitmap(const std::string &name = "one", uint32_t granule = 8)
{
	return {.name = name,
		.granule_sectors = granule,
		.recording = true,
		.changes = meta::Changes(meta::granules_of(track_super().geometry, granule))};
}

inline void write_words(MemoryDevice &device, uint32_t slot, uint64_t sector, uint64_t generation,
			const meta::Words &words)
{
	device.put(bitmap_place(slot, sector, meta::slot_of(generation)),
		   meta::encode(meta::Exact{.uuid = some_uuid,
					    .index = bitmap_index(slot, sector),
					    .generation = generation,
					    .words = words}));
}

// Of an empty one: the slot is free.
inline void write_record(MemoryDevice &device, uint32_t slot, uint64_t generation,
			 const std::optional<meta::Bitmap> &bitmap)
{
	write_words(device, slot, 0, generation, meta::encode_record(bitmap));
}

inline void write_bits(MemoryDevice &device, uint32_t slot, uint64_t sector, uint64_t generation,
		       const meta::Changes &changes)
{
	write_words(device, slot, sector, generation, changes.sector(sector - 1));
}

inline MemoryDevice formatted_track()
{
	return formatted(track_super());
}

// Closed with 'one' in slot 0: block 3 was written, and after that block 35000.
inline MemoryDevice track_in_use(bool clean)
{
	auto device = formatted_track();
	auto bitmap = some_bitmap();

	write_record(device, 0, 2, bitmap);
	write_bits(device, 0, 1, 2, bitmap.changes);
	write_bits(device, 0, 2, 2, bitmap.changes);
	bitmap.changes.mark({3, 1});
	write_bits(device, 0, 1, 3, bitmap.changes);
	bitmap.changes.mark({35000, 1});
	write_bits(device, 0, 2, 3, bitmap.changes);
	close(device, clean, {2, 3, 3, 1, 1, 1});
	return device;
}

} // namespace blkctl::fake

#endif
