// SPDX-License-Identifier: GPL-2.0-or-later
// Making a metadata device. Nothing is ever formatted but by being asked to.
#ifndef BLKCTL_META_FORMAT_HPP
#define BLKCTL_META_FORMAT_HPP

#include "meta/device.hpp"
#include "meta/superblock.hpp"
#include <optional>
#include <string>

namespace blkctl::meta
{

enum class Overwrite { no, force };

// What the device reads as before.
enum class Before { anything, zeroes };

// Errors: usage, saying how many bytes are needed.
Result<void> check_room(Device &device, const Geometry &geometry);

// What there is of ours, in words: "the metadata of the volume 'data' (UUID)"; nothing: none.
std::optional<std::string> describe_metadata(const Superblocks &found);

// Errors: busy, if something is where the superblocks go, naming the volume, if it is one; or
// anywhere in a file, but for what a format that was killed has left.
Result<void> check_blank(Device &device, Overwrite overwrite);

// Errors: usage, unless mode track, and only that, has room for bitmaps.
Result<void> check_slots(const Device &device, const Superblock &super);

/*
 * Formats: every block in base, or no bitmap; no segment marked, closed in good order. Taken from
 * `super`: uuid, geometry, mode, phase, name and legs. Errors: as above, failed.
 */
Result<void> format(Device &device, const Superblock &super, Overwrite overwrite,
		    Before before = Before::anything);

} // namespace blkctl::meta

#endif
