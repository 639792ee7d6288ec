// SPDX-License-Identifier: GPL-2.0-or-later
// The superblock: which volume this is the metadata of, and where that stood.
#ifndef BLKCTL_META_SUPERBLOCK_HPP
#define BLKCTL_META_SUPERBLOCK_HPP

#include "meta/device.hpp"
#include "meta/sector.hpp"
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace blkctl::meta
{

enum class Mode : uint32_t {
	mirror = BLKCOPY_META_MODE_MIRROR,
	stream = BLKCOPY_META_MODE_STREAM,
	overlay = BLKCOPY_META_MODE_OVERLAY,
	commit = BLKCOPY_META_MODE_COMMIT,
	track = BLKCOPY_META_MODE_TRACK,
	backup = BLKCOPY_META_MODE_BACKUP,
};

enum class Phase : uint32_t {
	idle = BLKCOPY_META_PHASE_IDLE,
	copying = BLKCOPY_META_PHASE_COPYING,
	synced = BLKCOPY_META_PHASE_SYNCED,
	pivoted = BLKCOPY_META_PHASE_PIVOTED,
	aborted = BLKCOPY_META_PHASE_ABORTED,
	streaming = BLKCOPY_META_PHASE_STREAMING,
	streamed = BLKCOPY_META_PHASE_STREAMED,
	merging = BLKCOPY_META_PHASE_MERGING,
	merged = BLKCOPY_META_PHASE_MERGED,
	preserving = BLKCOPY_META_PHASE_PRESERVING,
	broken = BLKCOPY_META_PHASE_BROKEN,
};

// The words of the table and status lines.
std::string_view word(Mode mode);
std::string_view word(Phase phase);
std::optional<Mode> mode_from(std::string_view word);
std::optional<Phase> phase_from(std::string_view word);

// The phase a volume begins in.
Phase first_phase(Mode mode);

inline constexpr size_t identity_max = sizeof(blkcopy_meta_leg::identity) - 1;
inline constexpr size_t name_max = sizeof(blkcopy_meta_super::name) - 1;

struct Leg {
	std::string identity = {}; // the stable name it was found by; empty: none
	uint64_t sectors = 0;      // of the device, 512 bytes; 0: there is none yet
	uint64_t start = 0;        // of the data on it, 512 bytes
	std::optional<uint32_t> stamp = {};

	bool operator==(const Leg &) const = default;
};

struct Superblock {
	Uuid uuid = {};
	uint64_t generation = BLKCOPY_META_FIRST_GENERATION;
	bool clean = true;
	bool base_stale = false;
	bool top_stale = false;
	bool base_mixed = false;
	bool unsealed = false;  // writes may have gone past: no bitmap says what has changed
	bool unordered = false; // of a backup that an unclean end breaks
	bool doubtful = false;  // a bad slot is no torn write, whatever end there was
	Geometry geometry = {};
	Mode mode = Mode::mirror;
	Phase phase = Phase::idle;
	uint32_t exact_sum = 0;
	std::string name = {};
	std::array<Leg, 2> legs = {}; // base, top

	bool has_bitmaps() const { return mode == Mode::track; }

	bool operator==(const Superblock &) const = default;
};

// A copy: 0 or 1. Inverse functions on all that decode takes.
Sector encode(const Superblock &super, unsigned copy);
Decoded<Superblock> decode_superblock(SectorView sector, unsigned copy);

// Both copies as they were found.
struct Superblocks {
	std::array<Decoded<Superblock>, 2> copies = {Damage::blank, Damage::blank};

	// The copy that counts; nothing if none does: neither is good, or two volumes have one
	// each.
	std::optional<unsigned> newest() const;
};

// Errors: none but for a device that ends before them, which reads as blank.
Superblocks read_superblocks(Device &device);

/*
 * The superblock that counts. Errors, each naming the device: not_found (blank, or something
 * else), failed (another version, an unknown feature: hands off), needs_attention (damaged; the
 * device has become too short for what it says).
 */
Result<Superblock> read_superblock(Device &device);
/*
 * Writes what is to be written down of a volume whose metadata nobody uses: both copies, the older
 * one first, with the next generations. The rest of the metadata stays. Errors: failed.
 */
Result<void> update_superblock(Device &device, Superblock super);

Result<Superblock> pick(const Superblocks &found, Device &device);

} // namespace blkctl::meta

#endif
