// SPDX-License-Identifier: GPL-2.0-or-later
// What a commit or a stream leaves that was killed after its last switch, and a snapshot that was
// killed before its own. Internal to the library.
#ifndef BLKCTL_VOLUME_LEFTOVERS_HPP
#define BLKCTL_VOLUME_LEFTOVERS_HPP

#include "volume/steps.hpp"
#include <vector>

namespace blkctl::volume
{

// Of what. The end of a job is what the same command again is for; a snapshot that never began has
// nothing to do with it.
enum class Leftovers { none, of_snapshot, of_end };

// Adds clearing it away: layers that nobody is over, loop devices, metadata that says its job is
// done, an entry of the tab that names it. What the volume has loaded is to be cleared before: it
// holds them.
Result<Leftovers> add_leftovers(Change &change, const Volume &volume,
				const std::vector<Volume> &layers);

// Removes the layers of a volume that nobody is over: what a killed snapshot has left may hold the
// store that the next one wants. Does nothing in a dry run. Errors: those of find_for_change().
Result<void> clear_loose_layers(Context &context, const std::string &verb, const std::string &name,
				Run run);

} // namespace blkctl::volume

#endif
