// SPDX-License-Identifier: GPL-2.0-or-later
// What is on a device that is to be overwritten. Internal to the library.
#ifndef BLKCTL_VOLUME_CONTENT_HPP
#define BLKCTL_VOLUME_CONTENT_HPP

#include "udev/probe.hpp"
#include "volume/context.hpp"
#include "volume/metadata.hpp"
#include <optional>
#include <string>

namespace blkctl::volume
{

struct Content {
	std::string what = {}; // "carries a signature: ext4 (filesystem)"
	std::string look = {}; // how to look at it: "wipefs /dev/vdb"
};

// "ext4 (filesystem)"
std::string in_words(const udev::Signature &signature);

// The volume that is written down to be on a place, as a leg or with its metadata, whether or not
// it is there now; `own` is not looked for. Errors: failed (the tab cannot be read).
Result<std::optional<std::string>> tab_owner(Context &context, const Place &place,
					     const std::string &own);

/*
 * What is known to be on a device: a signature; metadata of ours, which no other tool knows; or it
 * belongs to a volume of the tab other than `own`. Nothing: nothing known. Errors: failed (it
 * cannot be read).
 */
Result<std::optional<Content>> find_content(Context &context, const udev::BlockDevice &device,
					    const std::string &own);

} // namespace blkctl::volume

#endif
