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

// Adds taking the view's device away, while the volume goes on to keep what it is of: it comes back
// by the same `view` again. Errors: busy (it is open).
Result<void> add_rest_of_view(Change &change, const Volume &volume);

// What the view of a volume's backup is called; see job/backup.hpp.
std::string backup_view(const std::string &name);

// Adds the end of a backup of ours under way, as far as it is there: its bitmap, its view unless
// that is open, what it has written down; and of the mode. `clear`: what was kept in the bitmap is
// forgotten, if it is what was frozen for it; else it is thawed.
Result<void> add_end_of_job(Change &change, const Volume &volume, bool clear);

// The same of several, as a verb: all of them are over. Of one that is not `id` any more nothing
// but its view is taken away, if it is still there. Errors: as of add_end_of_backup().
Result<Outcome> end_backup(Context &context, const std::vector<std::string> &names,
			   const std::string &id, bool clear, Run run);

// remove() of a view. Errors: busy (it is open).
Result<Outcome> remove_view(Change &change, const dm::Info &info);

} // namespace blkctl::volume

#endif
