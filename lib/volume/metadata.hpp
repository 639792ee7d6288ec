// SPDX-License-Identifier: GPL-2.0-or-later
// The metadata device and the store of a volume in the making: a device, or a file behind a loop
// device. Internal to the library.
#ifndef BLKCTL_VOLUME_METADATA_HPP
#define BLKCTL_VOLUME_METADATA_HPP

#include "meta/superblock.hpp"
#include "volume/steps.hpp"
#include <memory>
#include <string>

namespace blkctl::volume
{

// A device that is only there once the plan has come to it.
struct Place {
	std::string text = {}; // for the plan: "8:16", "(loop device of FILE)"
	std::shared_ptr<DevNo> devno = std::make_shared<DevNo>();
	std::optional<udev::BlockDevice> block = {}; // if it is there already
	std::string file = {};                       // empty: a device
};

// The file that holds a volume's metadata if none was named.
std::string default_metadata(const Context &context, const std::string &name);

/*
 * What a person named, device or file. A file that is not there is made, sparse, of `bytes`; one
 * that is there is taken if nothing was ever written to it. Adds the steps.
 * Errors: usage (a file too small), busy (a file that holds something).
 */
Result<Place> add_place(Change &change, const std::string &text, uint64_t bytes,
			const std::optional<DevNo> &own);

// The superblock of the metadata once the plan has come to it: the legs may be there only then.
using Complete = std::function<Result<meta::Superblock>(meta::Superblock)>;

// The same for metadata, with its formatting; `own` may hold it: what a killed command left. It
// must not be one of `legs`, nor below them. Errors: also usage.
Result<Place> add_metadata(Change &change, const std::string &text, const meta::Superblock &super,
			   const std::optional<DevNo> &own, const std::vector<DevNo> &legs,
			   const Complete &complete);

// Adds what ends the use of a file in the state folder: of others the loop device alone.
void add_release(Change &change, DevNo device);

} // namespace blkctl::volume

#endif
