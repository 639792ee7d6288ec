// SPDX-License-Identifier: GPL-2.0-or-later
// Volumes: dm devices whose live table is blkcopy. There is no list of them but the kernel's.
#ifndef BLKCTL_VOLUME_VOLUME_HPP
#define BLKCTL_VOLUME_VOLUME_HPP

#include "table/blkcopy.hpp"
#include "volume/context.hpp"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::volume
{

// Where a volume came from, told by UUIDs alone.
enum class Kind {
	created,  // by `create`: UUID BLKCTL-<32 hex>-vol
	absorbed, // by `attach`: our table names the lower device itself
	stacked,  // by `attach`: the old table lives in a hidden device BLKCTL-<32 hex>-real
};
std::string_view word(Kind kind);

enum class JobState {
	none,
	copying,
	paused,
	ready,
	pivoted,
	aborted,
	failed,
	needs_attention,
	preserving, // a view of it is there; needs_attention: and its store has failed, and is held
};
std::string_view word(JobState state); // "none", ..., "needs-attention"

struct Volume {
	dm::Info info = {};
	uint64_t sectors = 0;
	table::Blkcopy table = {};
	table::BlkcopyStatus status = {};
	Kind kind = Kind::absorbed;
	bool lvm = false; // an LV: LVM's metadata names its extents

	/*
	 * What the volume's job is doing, from table and status alone; see job/job.hpp for the
	 * picture.
	 */
	JobState state() const;
	// Views of it can be read: also while what its store has not taken waits for it to be well.
	bool is_preserving() const;
	// What is not overwritten is on its way to the store as well.
	bool is_filling() const;
	// Nobody knows where some of its blocks are: I/O to those fails, and nothing is moved.
	bool is_unreadable() const;

	std::string errors_text() const; // "2 errors of the source, 0 of the target"

	const std::string &name() const { return info.name; }
	DevNo devno() const { return info.devno; }
};

// One copy of one volume, so that no later one is taken for it.
struct CopyId {
	table::Mode mode = table::Mode::mirror;
	DevNo device = {}; // of the volume; its name may change meanwhile
	std::string uuid = {};
	std::string name = {};
	table::Leg base = {};
	std::optional<table::Leg> top = {}; // none: the volume had no copy
};
CopyId copy_id(const Volume &volume);

// What has become of a copy, from a later look at its volume.
enum class Fate {
	there,    // it is the volume's job, in whatever state
	pivoted,  // the volume is on its target; a commit's is its base
	aborted,  // the volume is on its source without it
	replaced, // the volume is somewhere else altogether
};
Fate fate(const CopyId &id, const Volume &now);

// The last switch of a volume's table, as this host remembers it since boot. A cache under
// run_dir that can be lost, not state.
struct LastSwitch {
	std::string verb = {}; // "copy", "pivot", "abort", "attach", "detach", ...
	double stall_ms = 0;   // how long the RESUME ioctl took: the most a user's I/O waited
	std::string time = {}; // UTC, RFC 3339
	std::optional<DevNo> target = {};
};

/*
 * Any dm device from what a person types: NAME, /dev/mapper/NAME, /dev/VG/LV, /dev/dm-N, dm-N,
 * MAJ:MIN. Errors: not_found.
 */
Result<dm::Info> find_device(Context &context, std::string_view text);

// A volume, the same way. Errors: not_found (also for a dm device that is none), failed (a table
// or status line this library cannot read).
Result<Volume> find(Context &context, std::string_view text);
Result<Volume> find(Context &context, DevNo device);

// A volume whose table or status cannot be read: of a newer module, or always on the move.
struct Unreadable {
	DevNo device = {};
	Error error = {};
};

struct Listing {
	std::vector<Volume> volumes = {};        // by name
	std::vector<Unreadable> unreadable = {}; // these do not hide the others
};

// Every volume; the hidden layers of volumes are none.
Result<Listing> list(Context &context);

// The cache of the last switch; nullopt if there is none for this volume.
std::optional<LastSwitch> last_switch(Context &context, const dm::Info &info);

// How a person would name a device: "/dev/vdb", "/dev/mapper/x"; MAJ:MIN if it has no name.
std::string device_path(Context &context, DevNo device);

/*
 * Sees to it that the kernel has the blkcopy target, by modprobe if need be. Called by create,
 * attach and copy. Errors: failed, saying how to load it.
 */
Result<void> ensure_module(Context &context);

} // namespace blkctl::volume

#endif
