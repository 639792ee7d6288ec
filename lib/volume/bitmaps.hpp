// SPDX-License-Identifier: GPL-2.0-or-later
// Named bitmaps of a volume's changed blocks.
#ifndef BLKCTL_VOLUME_BITMAPS_HPP
#define BLKCTL_VOLUME_BITMAPS_HPP

#include "volume/block_map.hpp"
#include "volume/operations.hpp"
#include <optional>
#include <string>

namespace blkctl::volume
{

struct NewBitmap {
	std::optional<uint32_t> granularity_sectors = {}; // a power of two; none: one block
	bool disabled = false;
};

/*
 * Begins to record changes under a name. Errors: usage (the name, the granularity), not_found,
 * failed (there is one of that name, or as many as there can be).
 */
Result<Outcome> bitmap_add(Context &context, const std::string &name, const std::string &bitmap,
			   const NewBitmap &options, Run run);

// Of a bitmap that is there. The next backup with one that was added, cleared or disabled is a full
// one. Errors: not_found, naming what is not.
Result<Outcome> bitmap_remove(Context &context, const std::string &name, const std::string &bitmap,
			      Run run);
Result<Outcome> bitmap_clear(Context &context, const std::string &name, const std::string &bitmap,
			     Run run);
Result<Outcome> bitmap_enable(Context &context, const std::string &name, const std::string &bitmap,
			      bool enable, Run run);

/*
 * Keeps what has changed by now for whoever copies it: read_bitmap() shows that, and what changes
 * from here on is recorded apart. Then bitmap_clear() forgets what was kept, or bitmap_thaw() makes
 * one of both again. Of one that is inconsistent everything has changed. Errors: busy (it is frozen
 * already, or, of thaw, it is not).
 */
Result<Outcome> bitmap_freeze(Context &context, const std::string &name, const std::string &bitmap,
			      Run run);
Result<Outcome> bitmap_thaw(Context &context, const std::string &name, const std::string &bitmap,
			    Run run);

// What has changed in `source` has changed in `bitmap` too. Errors: not_found, busy (frozen),
// needs_attention (either is inconsistent).
Result<Outcome> bitmap_merge(Context &context, const std::string &name, const std::string &bitmap,
			     const std::string &source, Run run);

// What the volume says of one. Errors: not_found.
Result<table::BitmapStatus> bitmap_of(const std::string &verb, const Volume &volume,
				      const std::string &bitmap);

/*
 * The changed blocks, in order. Errors: not_found, needs_attention (it may have missed writes, so
 * nobody knows what has changed).
 */
Result<std::vector<BlockRun>> read_bitmap(Context &context, const Volume &volume,
					  const std::string &bitmap);

} // namespace blkctl::volume

#endif
