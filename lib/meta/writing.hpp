// SPDX-License-Identifier: GPL-2.0-or-later
// Writing metadata: a new device whole, and what a repair replaces. Internal to the library.
#ifndef BLKCTL_META_WRITING_HPP
#define BLKCTL_META_WRITING_HPP

#include "meta/contents.hpp"
#include "meta/format.hpp"

namespace blkctl::meta
{

// What exact sector `index` is to say; nothing: it becomes blank. Of a map those are blank that are
// lost, of bitmaps those that say nothing.
using Saying = std::function<std::optional<Words>(uint64_t index)>;
Saying saying_of(const BlockMap &map);
Saying saying_of(const std::vector<Bitmap> &bitmaps, const Superblock &super);

// Writes all of it as a formatted device has it: every sector in generation 2. exact_sum and
// generation of `super` are made here. The superblock is written last: a device that is half
// written has none.
Result<void> write_all(Device &device, Superblock super, const Saying &saying,
		       const SegmentMap &segments, Before before = Before::anything);

// Both copies, one after the other, `first` in the generation of `super` and the other in the next:
// at no moment is there no good one that was there before or is newer.
Result<void> write_superblocks(Device &device, const Superblock &super, unsigned first);

// The bits of intent sector `index` as they are to be.
Intent intent_of(const Superblock &super, const SegmentMap &segments, uint64_t index);

} // namespace blkctl::meta

#endif
