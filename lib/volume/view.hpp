// SPDX-License-Identifier: GPL-2.0-or-later
// The end of a view. Internal to the library.
#ifndef BLKCTL_VOLUME_VIEW_HPP
#define BLKCTL_VOLUME_VIEW_HPP

#include "volume/steps.hpp"

namespace blkctl::volume
{

// Adds what leaves a volume in mode backup on its base alone, its store free; a view of it that is
// still there fails every read from then on. Errors: busy (another tool has loaded a table).
Result<void> add_end_of_backup(Change &change, const Volume &volume);

// remove() of a view. Errors: busy (it is open).
Result<Outcome> remove_view(Change &change, const dm::Info &info);

} // namespace blkctl::volume

#endif
