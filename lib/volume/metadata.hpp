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
	bool is_new = false;                         // the plan makes the file: it reads as zeroes
};

// Whether two places are one device, or one file.
bool is_same_place(const Place &a, const Place &b);

// The file that holds a volume's metadata if none was named.
std::string default_metadata(const Context &context, const std::string &name);

// What a file may hold that is taken all the same.
enum class Held {
	nothing,
	metadata, // that no kernel has opened, or of `owner`, and not needed any more
	anything,
};

struct PlaceRequest {
	std::string text = {};         // what a person named, device or file
	uint64_t bytes = 0;            // a file that is not there is made, sparse, of that size
	std::string name = {};         // the volume's
	std::optional<DevNo> own = {}; // the volume's device: it may hold it
	Held held = Held::nothing;
	std::optional<meta::Uuid> owner = {}; // of metadata
};

/*
 * Adds the steps that make it a device. Errors: usage (a file too small), busy (a file that holds
 * something, or that another volume of the tab needs).
 */
Result<Place> add_place(Change &change, const PlaceRequest &request);

// Adds setting up the loop device of a file that is there.
void add_loop(Change &change, const Place &place, const std::optional<DevNo> &own);

// What metadata or a tab names: an identity, a path, or a file. Errors: not_found.
Result<Place> find_place(Context &context, const std::string &text);

// The superblock of a volume's new metadata, of the phase its mode begins in; no legs yet. Errors:
// failed.
Result<meta::Superblock> new_super(const Volume &volume, meta::Mode mode);

// The superblock of the metadata once the plan has come to it: the legs may be there only then.
using Complete = std::function<Result<meta::Superblock>(meta::Superblock)>;

// The same for metadata, with its formatting; `own` may hold it: what a killed command left. It
// must not be one of `legs`, nor below them. Errors: also usage.
Result<Place> add_metadata(Change &change, const std::string &text, const meta::Superblock &super,
			   const std::optional<DevNo> &own, const std::vector<DevNo> &legs,
			   const Complete &complete);

// The file that a loop device shows; empty if it is none.
std::string file_behind(Context &context, DevNo device);

// Whether a device is what a person has named: itself, or the file behind it.
bool is_named(Context &context, DevNo device, const std::string &text);

// Whether a volume's state is on what a person has named.
bool has_metadata_at(Context &context, const Volume &volume, const std::string &text);

// Of metadata that nobody uses, or that is only looked at. Errors: those of read_superblock().
Result<meta::Superblock> superblock_of(Context &context, const Place &place);

// Of a device, a file, or the file behind a loop device, that is on a volume: which, in words;
// nothing, if it is elsewhere. Errors: failed, with the file, if that cannot be told.
Result<std::optional<std::string>> found_on(Context &context, const Volume &volume,
					    const Place &place);

// What is there to run for whoever has named a place that is on a volume.
std::string elsewhere(const std::string &verb);

// Errors: usage, if a device, a file, or the file behind a loop device, is on the volume itself: it
// could not be written to while the volume waits for it; or if that cannot be told.
Result<void> check_not_on(Context &context, const std::string &verb, const Volume &volume,
			  const Place &place);

// Errors: busy, if somebody else than the dm device `own` uses it. Nothing at one that is not
// there.
Result<void> check_unheld(Context &context, const std::string &verb, const std::string &name,
			  const Place &place, const std::optional<DevNo> &own);

// Adds letting go of the loop device of a file, if it was set up by blkctl.
void add_loop_release(Change &change, DevNo device);

// Adds removing a metadata file, if it is in the state folder: of others only the use ends.
void add_unmake(Change &change, const std::string &file);

} // namespace blkctl::volume

#endif
