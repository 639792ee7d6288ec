// SPDX-License-Identifier: GPL-2.0-or-later
// The blkcopy target's table, status and message lines as types. parse and print are inverse
// functions on every line the kernel prints.
#ifndef BLKCTL_TABLE_BLKCOPY_HPP
#define BLKCTL_TABLE_BLKCOPY_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::table
{

enum class Mode { track, mirror, stream, overlay, commit, backup };
enum class Phase {
	idle,
	copying,
	synced,
	pivoted,
	aborted,
	streaming,
	streamed,
	merging,
	merged,
	preserving,
	broken,
};
enum class Health { rw, meta_ro, fail };
enum class CopyMode { dual, background };
enum class Policy { report, ignore, stop, enospc };
enum class Cause { none, user, policy }; // of a copy that is paused or aborted

// The word the kernel uses.
std::string_view word(Mode value);
std::string_view word(Phase value);
std::string_view word(Health value);
std::string_view word(CopyMode value);
std::string_view word(Policy value);
std::string_view word(Cause value);

// From the word; nullopt if it is none.
std::optional<CopyMode> copy_mode_from(std::string_view word);
std::optional<Policy> policy_from(std::string_view word);

struct Leg {
	DevNo device = {};
	uint64_t offset = 0; // 512-byte sectors

	bool operator==(const Leg &) const = default;
};

struct Features {
	bool no_discard_passdown = false;
	bool detect_zeroes = false;
	bool paused = false;
	bool copy_on_read = false;      // stream only
	bool backup_persistent = false; // backup only
	bool nosync = false;            // one-shot, never printed by the kernel

	bool operator==(const Features &) const = default;
};

// Only what was given; the kernel's defaults otherwise.
struct Params {
	std::optional<uint32_t> rate_kib = {}; // KiB/s, 0 = no limit
	std::optional<uint32_t> inflight_kib = {};
	std::optional<uint32_t> run_kib = {};
	std::optional<uint32_t> segment_mib = {};
	std::optional<CopyMode> copy_mode = {};
	std::optional<Policy> on_base_error = {};
	std::optional<Policy> on_top_error = {};

	// Of stream and overlay: a write that the top has no room for waits for a while.
	bool waits_for_space() const
	{
		return on_top_error == Policy::stop || on_top_error == Policy::enospc;
	}

	bool operator==(const Params &) const = default;
};

struct Blkcopy {
	Mode mode = Mode::track;
	Leg base = {};
	std::optional<Leg> top = {}; // none for track
	std::string meta = "-";      // of the block map: "-", "mem:<id>", or MAJ:MIN
	// The metadata device of the bitmaps: in track the line's metadata, in others a parameter.
	std::optional<DevNo> bitmaps = {};
	// Mirror: the top holds what the volume held when this bitmap began. One-shot, never
	// printed by the kernel.
	std::string sync = {};
	uint32_t block_sectors = 128;
	Features features = {};
	Params params = {};

	// Stream, overlay and commit: what is where survives, and only with a metadata device.
	bool is_durable() const
	{
		return mode == Mode::stream || mode == Mode::overlay || mode == Mode::commit;
	}
	std::optional<DevNo> meta_device() const { return parse_devno(meta); }

	bool operator==(const Blkcopy &) const = default;
};

// The parameters of a table line (after "blkcopy"). Errors: failed, naming the argument.
Result<Blkcopy> parse_blkcopy(std::string_view params);
std::string print(const Blkcopy &table);

struct BitmapStatus {
	std::string name = {};
	uint64_t dirty_blocks = 0;
	std::string state = {};
	// What one bit stands for, 512-byte sectors; an older module is silent.
	std::optional<uint32_t> granule_sectors = {};

	std::optional<uint64_t> granule_bytes() const
	{
		return granule_sectors ? std::optional(uint64_t{*granule_sectors} * 512)
				       : std::nullopt;
	}

	bool operator==(const BitmapStatus &) const = default;
};

// What a comparison of the legs has found by now.
struct VerifyStatus {
	std::string state = {};
	uint64_t compared = 0; // blocks
	uint64_t differ = 0;

	bool operator==(const VerifyStatus &) const = default;
};

struct BlkcopyStatus {
	Mode mode = Mode::track;
	Phase phase = Phase::idle;
	Health health = Health::rw;
	uint64_t base_only = 0; // blocks; these four sum to total
	uint64_t both = 0;
	uint64_t top_only = 0;
	uint64_t zero = 0;
	uint64_t total = 0;
	uint32_t block_sectors = 0;
	uint64_t copied_kib = 0; // read and written by the copier since the job began
	uint64_t inflight_kib = 0;
	uint64_t rate_kib = 0; // KiB/s
	uint64_t segments_marked = 0;
	uint64_t segments = 0;
	uint64_t base_errors = 0;
	uint64_t top_errors = 0;
	uint64_t meta_commits = 0;
	uint64_t meta_torn = 0;
	std::vector<BitmapStatus> bitmaps = {};
	// An older module is silent about one of these and what follows it.
	std::optional<Cause> cause = {}; // who paused or aborted it
	std::optional<VerifyStatus> verify = {};
	std::vector<std::string> more = {}; // words a newer module appended

	bool operator==(const BlkcopyStatus &) const = default;
};

// The status line of the target. Errors: failed, naming the field.
Result<BlkcopyStatus> parse_status(std::string_view params);
std::string print(const BlkcopyStatus &status);

} // namespace blkctl::table

#endif
