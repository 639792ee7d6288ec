// SPDX-License-Identifier: GPL-2.0-or-later
// What this host remembers of volumes since boot: their last switch, read by last_switch(), and
// where they were attached. Internal to the library.
#ifndef BLKCTL_VOLUME_CACHE_HPP
#define BLKCTL_VOLUME_CACHE_HPP

#include "volume/volume.hpp"

namespace blkctl::volume
{

// Never fails: what cannot be written is not remembered.
void remember_switch(Context &context, const dm::Info &info, const LastSwitch &last);
void forget_switch(Context &context, const dm::Info &info);

// What the one linear line of a device led to when it was attached; nullopt if that is not known,
// or it had another table.
void remember_origin(Context &context, const dm::Info &info, const table::Leg &origin);
std::optional<table::Leg> origin(Context &context, const dm::Info &info);
void forget_origin(Context &context, const dm::Info &info);

// Now, UTC, RFC 3339, with milliseconds if asked for.
std::string timestamp(bool milliseconds);

} // namespace blkctl::volume

#endif
