// SPDX-License-Identifier: GPL-2.0-or-later
// The metadata that a volume's bitmaps are on, from its making to its end. Internal to the library.
#ifndef BLKCTL_VOLUME_BITMAP_METADATA_HPP
#define BLKCTL_VOLUME_BITMAP_METADATA_HPP

#include "tab/tab.hpp"
#include "volume/metadata.hpp"
#include "volume/steps.hpp"

namespace blkctl::volume
{

// Of which volume they are, and what it is on.
struct BitmapsOf {
	std::string name = {};
	std::string hex = {}; // the digits of its UUID
	uint64_t sectors = 0;
	uint32_t block_sectors = 0;
	uint32_t slots = 0; // room for so many bitmaps
	uint32_t segment_mib = 0;
	std::vector<DevNo> legs = {};
	std::optional<DevNo> own = {}; // of a device that a killed command has left
};

/*
 * Adds the metadata, formatted, and no bitmap in it. It names no device: the volume may move to
 * another one any time. Errors: those of add_metadata().
 */
Result<Place> add_bitmap_metadata(Change &change, const std::string &text, const BitmapsOf &of);

/*
 * What an entry says of it, for activation. Errors: not_found, needs_attention (it is no such
 * metadata, or that of another volume; `hex` may be empty).
 */
Result<Place> find_bitmap_metadata(Context &context, const std::string &verb,
				   const tab::Entry &entry, const std::string &hex);

/*
 * The same, in a plan to which the loop device of a file is added; none if the entry has none.
 * `own`: the volume's device, if it is there. Errors: also busy.
 */
Result<std::optional<Place>> add_recorded_bitmaps(Change &change, const tab::Entry &entry,
						  const std::string &hex,
						  const std::optional<DevNo> &own);

// Whether an entry has them there.
bool are_on(Context &context, const tab::Entry &entry, const Place &place);

// Adds letting go of it, and removing it if it is in the state folder.
void add_bitmap_metadata_end(Change &change, const Volume &volume);

// The same of what an entry says, and no table any more.
void add_recorded_bitmaps_end(Change &change, const tab::Entry &entry);

} // namespace blkctl::volume

#endif
