// SPDX-License-Identifier: GPL-2.0-or-later
// /proc/self/mountinfo and /proc/swaps. Pure, for tests. Internal to the library.
#ifndef BLKCTL_UDEV_MOUNTS_HPP
#define BLKCTL_UDEV_MOUNTS_HPP

#include "base/devno.hpp"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::udev
{

struct Mount {
	std::optional<DevNo> devno; // of the filesystem; some (btrfs) make up one of their own
	std::string source;         // often a device's path
	std::string point;
	std::string type; // of the filesystem
};

// Lines that are no mounts are left out.
std::vector<Mount> parse_mountinfo(std::string_view text);

// The one that a path is on, which is as the kernel shows it: no links, no "..".
const Mount *mount_of(const std::vector<Mount> &mounts, std::string_view path);

// Whether /proc/filesystems says of a type that it keeps its files on block devices.
bool is_on_devices(std::string_view filesystems, std::string_view type);

// The paths of the swap areas.
std::vector<std::string> parse_swaps(std::string_view text);

} // namespace blkctl::udev

#endif
