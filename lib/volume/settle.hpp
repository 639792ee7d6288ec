// SPDX-License-Identifier: GPL-2.0-or-later
// The way out of a copy whose target hangs. Internal to the library.
#ifndef BLKCTL_VOLUME_SETTLE_HPP
#define BLKCTL_VOLUME_SETTLE_HPP

#include "volume/steps.hpp"

namespace blkctl::volume
{

/*
 * Adds a wait until the target of an aborted copy has answered all that was sent to it. A switch
 * waits for that too, but holds every user of the volume meanwhile; here they go on. Fails with
 * timed_out after Context::patience.
 */
void add_settle(Change &change, const Volume &volume);

} // namespace blkctl::volume

#endif
