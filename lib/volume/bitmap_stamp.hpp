// SPDX-License-Identifier: GPL-2.0-or-later
// Of bitmaps whose volume is away: whether somebody has written past them to what it is on.
// Internal to the library.
#ifndef BLKCTL_VOLUME_BITMAP_STAMP_HPP
#define BLKCTL_VOLUME_BITMAP_STAMP_HPP

#include "tab/tab.hpp"
#include "volume/metadata.hpp"
#include "volume/steps.hpp"
#include <memory>

namespace blkctl::volume
{

// Whether the kernel had the metadata of bitmaps open: then what it closes is what they were.
using WasOpen = std::shared_ptr<bool>;

// Adds, before a volume is removed, looking at that.
WasOpen add_bitmap_look(Change &change, const Volume &volume);

/*
 * Adds, of a volume that is removed by then, writing down what its data looks like beside its
 * bitmaps: if it was not sealed, that seals them. If that cannot be told, or it was not open, the
 * bitmaps are inconsistent from there on, and a note says so.
 */
void add_bitmap_stamp(Change &change, const Volume &volume, const WasOpen &was_open);

/*
 * Adds, of a volume that comes back with bitmaps on `bitmaps`, looking whether its data, at
 * `data()`, is what was written down: if not they are inconsistent, and a note says so. Once the
 * kernel has the metadata open, what was written down is gone.
 */
void add_bitmap_check(Change &change, const Place &bitmaps, std::function<table::Leg()> data);

// Makes those that an entry names inconsistent, if nobody uses them. Errors: not_found, busy,
// failed.
Result<void> void_bitmaps(Context &context, const tab::Entry &entry);

// Adds that they are inconsistent, as `why`, which a note says, tells.
void add_bitmap_doubt(Change &change, const Place &bitmaps, const std::string &why);

} // namespace blkctl::volume

#endif
