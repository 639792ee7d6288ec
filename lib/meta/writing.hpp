// SPDX-License-Identifier: GPL-2.0-or-later
// Writing metadata: a new device whole, and what a repair replaces. Internal to the library.
#ifndef BLKCTL_META_WRITING_HPP
#define BLKCTL_META_WRITING_HPP

#include "meta/contents.hpp"

namespace blkctl::meta
{

// Writes all of it as a formatted device has it: every sector in generation 2. Sectors that are
// lost in the map become blank. exact_sum and generation of `super` are made here. The superblock
// is written last: a device that is half written has none.
Result<void> write_all(Device &device, Superblock super, const BlockMap &map,
		       const SegmentMap &segments);

// Both copies, one after the other, `first` in the generation of `super` and the other in the next:
// at no moment is there no good one that was there before or is newer.
Result<void> write_superblocks(Device &device, const Superblock &super, unsigned first);

// The bits of intent sector `index` as they are to be.
Intent intent_of(const Superblock &super, const SegmentMap &segments, uint64_t index);

} // namespace blkctl::meta

#endif
