// SPDX-License-Identifier: GPL-2.0-or-later
// Block devices as sysfs shows them. Internal to the library.
#ifndef BLKCTL_UDEV_SYSFS_HPP
#define BLKCTL_UDEV_SYSFS_HPP

#include "base/devno.hpp"
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace blkctl::udev::sysfs
{

// /sys/dev/block/MAJ:MIN
std::string folder(DevNo device);

bool exists(DevNo device);

// From a name below /sys/class/block.
std::optional<DevNo> by_name(std::string_view name);

// The last part of what folder() links to: "vda1".
std::string kernel_name(DevNo device);

// A number in a file below the device's folder; 0 if there is none.
uint64_t number(DevNo device, const std::string &file);

// Whether a device is sent flushes; not of a partition.
bool has_write_cache(DevNo device);

// DM_NAME and DM_UUID, empty for other devices.
std::string dm_name(DevNo device);
std::string dm_uuid(DevNo device);

// Every block device.
std::vector<DevNo> all();

std::optional<DevNo> whole_disk(DevNo partition);
std::vector<DevNo> partitions(DevNo disk);

// What is built on a device: dm, md, bcache, ...
std::vector<DevNo> holders(DevNo device);

// What a device is built on, as the host shows it; not of a partition.
std::vector<DevNo> slaves(DevNo device);

// The path of the backing file of a loop device; empty for others.
std::string loop_file(DevNo device);

// Every device of the btrfs that is on this one; nothing: there is no btrfs mounted from it.
std::vector<DevNo> btrfs_with(DevNo device);

// The loop devices that are set up, each with the path of its backing file.
std::vector<std::pair<DevNo, std::string>> loops();

} // namespace blkctl::udev::sysfs

#endif
