// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs about a metadata device that is not in use. They ask the kernel for nothing but what
// blocks are on the device, and need no volume.
#ifndef BLKCTL_VOLUME_OFFLINE_HPP
#define BLKCTL_VOLUME_OFFLINE_HPP

#include "meta/contents.hpp"
#include "meta/dump.hpp"
#include "meta/format.hpp"
#include "meta/repair.hpp"
#include "udev/probe.hpp"
#include "volume/operations.hpp"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::volume
{

struct Offline {
	udev::Probe &probe;
	meta::Opener open = meta::open_device;
};

// META arguments are a path to a block device, what else Probe::resolve() takes, or a file.
// Common errors: not_found, busy (in use: of a verb that writes), and those of meta/.

struct FormatRequest {
	std::string meta = {};
	std::optional<uint64_t> sectors = {}; // of the volume; if not given, all of the base
	std::string base = {};                // may be empty
	std::string top = {};
	std::string name = {}; // of the volume
	uint32_t block_sectors = 128;
	uint32_t segment_mib = BLKCOPY_SEGMENT_MIB_DEFAULT;
	meta::Mode mode = meta::Mode::overlay;
	// How many there is room for, of mode track; as many as there can be if not given.
	std::optional<uint32_t> bitmaps = {};
	bool force = false; // overwrite a signature or metadata
};
// Errors: usage (no size, too small, leg too small, bitmaps of another mode), busy (in use,
// something is on it).
Result<Outcome> format(const Offline &offline, const FormatRequest &request, Run run);

struct CheckRequest {
	std::string meta = {};
	std::string base = {}; // if given: whether it is the leg that is recorded
	std::string top = {};
};
struct Checked {
	std::string path = {};
	bool in_use = false; // then what was read may be changing
	meta::Contents contents = {};
	std::vector<Error> legs = {}; // what is wrong with them
	bool is_well() const { return legs.empty() && contents.is_well(); }
};
Result<Checked> check(const Offline &offline, const CheckRequest &request);

// The dump as text, piece by piece: see meta/dump.hpp.
Result<void> dump(const Offline &offline, const std::string &meta, const meta::Sink &sink);

/*
 * Metadata that says what a dump says; but of bitmaps also that writes may have gone past them, in
 * a note too: they are of another time. Errors: usage (no dump, no room), busy, as format().
 */
struct RestoreRequest {
	std::string meta = {};
	std::string dump = {}; // the text
	bool force = false;
};
Result<Outcome> restore(const Offline &offline, const RestoreRequest &request, Run run);

struct Repaired {
	Outcome outcome = {};
	std::vector<meta::Range> picked = {};  // blocks that are as they once were
	std::vector<meta::Range> missing = {}; // blocks that stay unreadable
	// Of mode track: see meta::Repair.
	std::vector<meta::BitmapRanges> changed = {};
	std::vector<std::string> inconsistent = {};
	std::vector<uint32_t> lost_bitmaps = {};
};
Result<Repaired> repair(const Offline &offline, const std::string &meta, meta::Older older,
			Run run);

// Errors: busy, if a device or file is in use by anybody, or is behind a loop device.
Result<void> check_unused(udev::Probe &probe, const std::string &verb, const std::string &path);

} // namespace blkctl::volume

#endif
