// SPDX-License-Identifier: GPL-2.0-or-later
// Who writes to a volume. Internal to the library.
#ifndef BLKCTL_VOLUME_MOUNTS_HPP
#define BLKCTL_VOLUME_MOUNTS_HPP

#include "volume/context.hpp"
#include <map>
#include <string>

namespace blkctl::volume
{

// By the device each is on: the device itself, and whatever is on top of it. One mount point each.
Result<std::map<DevNo, std::string>> mounts_above(Context &context, DevNo device);

bool has_mounts_further_up(Context &context, DevNo device);

/*
 * What is on top of a device and keeps flushes to itself, as nothing below had a write cache when
 * it was set up; nothing, if the device has none either. Errors: not_found.
 */
Result<std::optional<udev::BlockDevice>> keeps_flushes(Context &context, DevNo device);

} // namespace blkctl::volume

#endif
