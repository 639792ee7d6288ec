// SPDX-License-Identifier: GPL-2.0-or-later
// A volume of which some metadata could not be read, see Volume::is_unreadable(). It is mended
// offline: no verb about a merge or a fill gets that on.
#ifndef BLKCTL_VOLUME_DAMAGE_HPP
#define BLKCTL_VOLUME_DAMAGE_HPP

#include "volume/volume.hpp"
#include <string>

namespace blkctl::volume
{

// A merge or a fill that stands still therefore.
bool is_damaged(const Volume &volume);

// The commands that mend it. `name` is the volume's, and `layer` the volume itself or a layer of
// it.
std::string how_to_mend(Context &context, const std::string &name, const Volume &layer);

// The same as an error of a verb: needs_attention.
Error damaged(Context &context, const std::string &verb, const std::string &name,
	      const Volume &layer);

} // namespace blkctl::volume

#endif
