// SPDX-License-Identifier: GPL-2.0-or-later
// Bitmaps on metadata of a device that is taken over: LVM is told to leave the LV to us, as what is
// written while LVM has it is in none. Internal to the library.
#ifndef BLKCTL_VOLUME_ATTACH_BITMAPS_HPP
#define BLKCTL_VOLUME_ATTACH_BITMAPS_HPP

#include "tab/tab.hpp"
#include "volume/metadata.hpp"
#include "volume/operations.hpp"
#include "volume/steps.hpp"
#include <functional>
#include <optional>

namespace blkctl::volume
{

struct AttachedBitmaps {
	Place place = {};
	uint32_t block_sectors = 0; // what they were made for
};

// Whether an entry says that its LV, whose table is `live`, is where LVM has it.
bool is_live_at_home(Context &context, const tab::Entry &entry, const dm::Table &live);

/*
 * Adds the metadata that is asked for, formatted; or, of a device that `entry` has bitmaps of,
 * those, which are inconsistent: it has been without them. None if there are none. Errors: usage
 * (it is no LV, or one that only LVM puts together; other metadata than that of the entry, a file
 * on the device itself), needs_attention (it has another size by now), and those of
 * add_bitmap_metadata() and find_bitmap_metadata().
 */
Result<std::optional<AttachedBitmaps>>
add_attached_bitmaps(Change &change, const AttachRequest &request, const dm::Info &device,
		     const dm::Table &live, const std::optional<tab::Entry> &entry);

/*
 * Adds, before the switch, that it comes back with them, at `base()`, and that LVM leaves it to us.
 * `below`: the devices that it is on, which are to have names that last.
 * Errors: failed.
 */
Result<void> add_attached_entry(Change &change, const dm::Info &device, uint64_t sectors,
				const AttachedBitmaps &bitmaps, const std::vector<DevNo> &below,
				std::function<table::Leg()> base);

} // namespace blkctl::volume

#endif
