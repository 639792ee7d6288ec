// SPDX-License-Identifier: GPL-2.0-or-later
// The cache of last switches: read by last_switch(). Internal to the library.
#ifndef BLKCTL_VOLUME_CACHE_HPP
#define BLKCTL_VOLUME_CACHE_HPP

#include "volume/volume.hpp"

namespace blkctl::volume
{

// Never fails: what cannot be written is not remembered.
void remember_switch(Context &context, const dm::Info &info, const LastSwitch &last);
void forget_switch(Context &context, const dm::Info &info);

// Now, UTC, RFC 3339, with milliseconds if asked for.
std::string timestamp(bool milliseconds);

} // namespace blkctl::volume

#endif
