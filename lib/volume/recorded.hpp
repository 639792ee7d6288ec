// SPDX-License-Identifier: GPL-2.0-or-later
// A volume as its metadata records it: what it takes to bring it back. Internal to the library.
#ifndef BLKCTL_VOLUME_RECORDED_HPP
#define BLKCTL_VOLUME_RECORDED_HPP

#include "tab/tab.hpp"
#include "volume/legs.hpp"
#include "volume/metadata.hpp"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::volume
{

struct RecordedLayer {
	unsigned number = 0; // 0: the volume itself
	meta::Superblock super = {};
	Place meta = {};
	// The legs it still needs; a base that is made here has none yet.
	std::optional<Place> base = {};
	std::optional<Place> top = {};
	bool on_layer = false;    // base is the layer below
	bool on_hidden = false;   // base is the hidden device with the table that LVM gives the LV
	bool breaks_view = false; // the disk still says that there is one
};

struct Recorded {
	std::string name = {};
	std::string hex = {};                   // the digits of its UUIDs
	std::string uuid = {};                  // of its device
	std::vector<RecordedLayer> layers = {}; // the lowest first
};

// The entry of what a person names: a name in the tab, a metadata device or file, a name whose
// metadata is in the state folder. Errors: not_found.
Result<tab::Entry> entry_for(Context &context, const std::string &verb, const std::string &text);

/*
 * Reads the metadata of an entry's layers. `break_view`: as if the view the volume has were broken.
 * Errors: not_found (metadata or a leg, by name; there is no view),
 * needs_attention (it is of another volume, or its layers do not belong together), and those of
 * read_superblock().
 */
Result<Recorded> read_recorded(Context &context, const std::string &verb, const tab::Entry &entry,
			       bool break_view);

// The same without looking for the legs: of a volume that is to be cleared away.
Result<Recorded> read_records(Context &context, const std::string &verb, const tab::Entry &entry);

// The UUID that a volume of an entry has; `hex` are its digits, where it is none of LVM's.
std::string uuid_for(const tab::Entry &entry, const std::string &hex);

/*
 * Which legs a volume in this phase is on. A layer that is merged into the one below it comes back
 * as it was, with its top, and its end is still to come: the layer below is known by its number and
 * metadata alone, and without a table that names its own metadata a volume would lose both.
 */
bool needs_base(const meta::Superblock &super);
bool needs_top(const RecordedLayer &layer);

// A superblock as it is on the disk, to be changed there while nobody uses it. Errors: failed.
struct OpenSuper {
	std::unique_ptr<meta::Device> device = {};
	meta::Superblock super = {};
};
Result<OpenSuper> open_super(Context &context, DevNo meta);

// The base of an overlay is still written to when its metadata is made. From here on it is known by
// its content, whatever brings the volume down. Errors: failed.
Result<void> write_stamp(Context &context, DevNo meta, DevNo base);

// Its table, once its devices are there.
table::Blkcopy table_of(const RecordedLayer &layer, const tab::Entry &entry, DevNo base);

} // namespace blkctl::volume

#endif
