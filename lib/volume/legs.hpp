// SPDX-License-Identifier: GPL-2.0-or-later
// The legs of a volume as its metadata knows them: by a stable name, a size and, of one that is not
// written to, a stamp.
#ifndef BLKCTL_VOLUME_LEGS_HPP
#define BLKCTL_VOLUME_LEGS_HPP

#include "meta/superblock.hpp"
#include "udev/probe.hpp"

namespace blkctl::volume
{

enum class Which { base = 0, top = 1 };
inline constexpr const char *which_words[] = {"base", "top"};

// The checksum of the first and the last 64 KiB of `sectors` from `start` on. Errors: failed.
Result<uint32_t> stamp_of(udev::Probe &probe, DevNo device, uint64_t start, uint64_t sectors);

// What to write down of a leg of a volume of `sectors`.
enum class Stamped { no, yes };
Result<meta::Leg> leg_of(udev::Probe &probe, DevNo device, uint64_t start, uint64_t sectors,
			 Stamped stamped);

// Whether nobody may write to a leg, going by the metadata: then it can be known by its content.
bool is_frozen(const meta::Superblock &super, Which which);

/*
 * Whether a device is the one that was recorded. Errors: needs_attention, naming both: another
 * device (the other leg: they are swapped), too small, or a base that has changed behind our back.
 */
Result<void> check_leg(udev::Probe &probe, const meta::Superblock &super, Which which,
		       DevNo device);

} // namespace blkctl::volume

#endif
