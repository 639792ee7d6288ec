// SPDX-License-Identifier: GPL-2.0-or-later
// What the data of a volume looks like where whoever mounts it writes first. Internal to the
// library.
#ifndef BLKCTL_VOLUME_CONTENT_STAMP_HPP
#define BLKCTL_VOLUME_CONTENT_STAMP_HPP

#include "udev/probe.hpp"

namespace blkctl::volume
{

/*
 * A checksum of the first 2 MiB and the last 1 MiB of `sectors` from `start` on, and of the first
 * 128 KiB of each partition that an MBR or GPT there names: the superblocks of ext4, xfs and btrfs,
 * the metadata of LVM. Of an xfs that was not unmounted also where its log ends. No proof: a write
 * elsewhere that touches none of it is not seen. Errors: failed.
 */
Result<uint32_t> content_stamp(udev::Probe &probe, DevNo device, uint64_t start, uint64_t sectors);

} // namespace blkctl::volume

#endif
