// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a device may become the top of a volume. Internal to the library.
#ifndef BLKCTL_VOLUME_TARGET_HPP
#define BLKCTL_VOLUME_TARGET_HPP

#include "volume/steps.hpp"

namespace blkctl::volume
{

struct TargetRules {
	std::string verb;
	std::string role;   // "target", "store"
	bool any_content;   // what is on it does not matter
	bool equal = false; // it is said to hold what the volume holds or held: it has to look it
};

// Errors: usage (the volume itself or what it is on; smaller), busy (in use, holds something,
// or something else than the volume; suspended), failed (read-only).
Result<void> check_target(Context &context, const TargetRules &rules, const Volume &volume,
			  const udev::BlockDevice &target);

/*
 * While it is a mirror the volume keeps the source's sector size. Alone on a target with larger
 * sectors it takes the target's, and whoever has it open goes on writing in the smaller ones.
 * `verb`: what would be refused, now or in the end. Errors: failed.
 */
Result<void> check_sectors(Context &context, const std::string &verb, const Volume &volume,
			   DevNo target);

// Adds the same look once the table is loaded, which holds the device.
void add_second_look(Change &change, const TargetRules &rules, const Volume &volume,
		     const udev::BlockDevice &target);

} // namespace blkctl::volume

#endif
