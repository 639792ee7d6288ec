// SPDX-License-Identifier: GPL-2.0-or-later
// A named bitmap, as it is in memory and in the exact sectors of a metadata device of mode track.
#ifndef BLKCTL_META_BITMAP_HPP
#define BLKCTL_META_BITMAP_HPP

#include "meta/map.hpp"
#include "meta/map_sectors.hpp"
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::meta
{

inline constexpr size_t bitmap_name_max = BLKCOPY_BITMAP_NAME_MAX;

// As the kernel takes it: one word of the status line.
bool is_bitmap_name(std::string_view name);

// The granules of a volume that have changed. Takes memory only where some have.
class Changes
{
      public:
	explicit Changes(uint64_t granules = 0) : granules_(granules) {}

	uint64_t granules() const { return granules_; }
	uint64_t sectors() const; // that it takes on disk
	bool at(uint64_t granule) const;
	void mark(const Range &range);
	uint64_t count() const;

	// One sector's worth.
	Words sector(uint64_t index) const;
	bool has_any(uint64_t index) const { return sectors_.count(index) != 0; }
	// What it says has changed as well; bits behind the last granule are no granules.
	void add_sector(uint64_t index, const Words &words);
	// The granules of one sector.
	Range range_of(uint64_t index) const;

	// In order, as long as can be.
	void each_range(const std::function<void(const Range &)> &call) const;
	std::vector<Range> ranges() const;

	bool operator==(const Changes &) const = default;

      private:
	uint64_t granules_;
	std::map<uint64_t, Words> sectors_; // none without a bit
};

struct Bitmap {
	uint32_t slot = 0;
	std::string name = {};
	uint32_t granule_sectors = 0; // 512 bytes
	bool recording = false;
	bool inconsistent = false; // it may have missed writes
	// It was disabled for a while. Not in a dump: what is restored from that is inconsistent.
	bool lapsed = false;
	Changes changes = Changes();
	// Granules of sectors that cannot be read: they count as changed.
	std::vector<Range> unreadable = {};

	bool operator==(const Bitmap &) const = default;
};

// How many granules a volume has.
uint64_t granules_of(const Geometry &geometry, uint32_t granule_sectors);

// A power of two, a block at least.
bool is_granule(const Geometry &geometry, uint64_t granule_sectors);

// The first sector of a slot, and back; nothing: the slot is free. Inverse functions on all that
// decode takes, but for the changes. Damage: fields.
Words encode_record(const std::optional<Bitmap> &bitmap);
Decoded<std::optional<Bitmap>> decode_record(const Words &words, const Geometry &geometry);

// What exact sector `index` of a volume with bitmaps says: a record is looked at, bits are not.
Decoded<Exact> decode_bitmap_sector(SectorView sector, const Uuid &uuid, const Geometry &geometry,
				    uint64_t index, unsigned slot);

// Ranges one after the other become one.
void add_range(std::vector<Range> &ranges, const Range &range);

} // namespace blkctl::meta

#endif
