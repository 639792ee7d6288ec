// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs that change a volume. Each takes the volume's lock, examines what is there, makes a
// plan, and runs it unless only the plan was asked for.
#ifndef BLKCTL_VOLUME_OPERATIONS_HPP
#define BLKCTL_VOLUME_OPERATIONS_HPP

#include "base/error.hpp"
#include "table/blkcopy.hpp"
#include "volume/volume.hpp"
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace blkctl::volume
{

// Whether to do it or only to say what would be done. A dry run makes every check, writes
// nothing and needs the same rights.
enum class Run { doit, dry };

/*
 * NAME arguments are what find_device() takes. Every verb may be run again after it was killed
 * at any point: it finishes or undoes what it finds. Common errors: not_found (no such volume,
 * or no job on it), busy (another blkctl has the lock; another tool has loaded a table), failed.
 */
struct Outcome {
	std::vector<std::string> steps = {}; // the plan in words; done unless it was a dry run
	bool already = false;                // it was as asked before: nothing was done
	std::optional<double> stall_ms = {}; // of the last switch this call made
	// How long filesystems were frozen from outside, if they were.
	std::optional<double> freeze_ms = {};
	std::string note = {};           // for the user, may be empty ("udev did not answer ...")
	DevNo device = {};               // of the volume; 0:0 in a dry run of create
	std::string name = {};           // of the volume
	std::optional<CopyId> copy = {}; // by copy: the one that runs now; none if it is over
	// By copy from a bitmap: what is to be copied, or would be by what has changed until now.
	std::optional<uint64_t> to_copy_bytes = {};
	std::string brought_back_by = {}; // by deactivate: what activate() is to be given
};

struct CreateRequest {
	std::string name = {};   // without /dev/mapper
	std::string device = {}; // path, link or MAJ:MIN
	// Of bitmaps, which then survive a crash: a device or a file. Empty: they are in memory.
	std::string metadata = {};
	// With metadata: room for so many, 1 to 64. All of the room is read at activation.
	uint32_t bitmaps = 16;
	// With metadata: what a crash adds to a bitmap, as far as it was being written to.
	uint32_t segment_mib = 64;
	uint32_t block_sectors = 128;
	bool boot = false; // write down that it comes back at boot
};
/*
 * A new volume over a device, as long as the device, whose data stays. Errors: usage (a name that
 * dm cannot have, block size; the metadata is the device), not_found (device), busy (device
 * mounted or held, name taken; metadata in use).
 */
Result<Outcome> create(Context &context, const CreateRequest &request, Run run);

struct CreateFromRequest {
	std::string name = {};
	std::string device = {};   // the volume will be on it
	std::string base = {};     // the data is on it; it is only read
	std::string metadata = {}; // device or file; empty: a file in the state folder
	uint32_t block_sectors = 128;
	bool copy_on_read = false;
	bool no_hydrate = false;      // the fill begins paused
	bool waits_for_space = false; // a write that the device has no room for, for a while
	bool force = false;           // overwrite a signature
	bool boot = true;             // write down that it comes back at boot
};
/*
 * A new volume on `device` whose content is still on `base`, as long as the base; a stream of it
 * runs. Errors: as create(), and usage (device smaller, same as base).
 */
Result<Outcome> create_from(Context &context, const CreateFromRequest &request, Run run);

struct SnapshotRequest {
	std::string name = {};
	std::string store = {};       // device, or a file that is made
	std::string metadata = {};    // as above
	bool no_freeze = false;       // leave the filesystem on it as it is at that instant
	bool waits_for_space = false; // a write that the store has no room for, for a while
	bool force = false;           // overwrite a signature on the store
	bool boot = true;             // write down that it comes back at boot
};
/*
 * Freezes what is on the volume's device and lets writes go to the store. Errors: usage (the store
 * is the source, or smaller), busy (store or metadata in use; a copy runs; an overlay already).
 */
Result<Outcome> snapshot(Context &context, const SnapshotRequest &request, Run run);

/*
 * The same of several volumes at one instant: of all, or of none. The filesystems on them, and on
 * what is on them, are frozen meanwhile; stall_ms and freeze_ms say for how long. Whoever is killed
 * in it leaves nothing frozen or suspended. Errors: also usage (a volume or a store twice; one is
 * on another, or its store or metadata is), busy (some of them are overlays on these stores
 * already), needs_attention (a target has refused its table when others had switched already).
 */
Result<Outcome> snapshot_all(Context &context, const std::vector<SnapshotRequest> &requests,
			     Run run);

struct BackupRecord; // internal

struct ViewRequest {
	std::string name = {};
	std::string view = {};  // what it will be called, without /dev/mapper
	std::string store = {}; // device, or a file that is made: old data goes there
	// Frozen at the same instant, see bitmap_freeze(): what has changed by then. May be empty.
	std::string bitmap = {};
	// Keep only what is in the bitmap; the rest cannot be read. Needs less of the store.
	bool only_changed = false;
	// The view takes discards: what was read and is discarded needs no room in the store.
	bool discards = false;
	// What is kept is written down on a metadata device: the volume comes back with it when it
	// is activated. Only of a volume made by create.
	bool persistent = false;   // after a crash as well; its first writes wait for that
	std::string metadata = {}; // device or file; empty: if it is persistent, the default
	// What becomes of the view when the store takes nothing: it breaks (report), or holds while
	// that is mended, always (stop) or if it is full (enospc). None: it breaks, or it is as it
	// was made.
	std::optional<table::Policy> on_store_error = {};
	bool fill = false;      // what is not overwritten goes to the store as well
	bool no_freeze = false; // as above
	bool force = false;     // overwrite a signature on the store
	// The backup it is for, if it is for one of ours.
	std::shared_ptr<BackupRecord> record = {};
	bool again = false; // it is there already, of that backup; it is not made anew
};
/*
 * A read-only device that goes on holding what the volume holds at this instant, while the volume
 * is written to; remove() of it ends that. Without metadata its state is in memory alone. With it
 * the same call again brings the view back, once the volume has been activated. What a killed call
 * has begun the same call again finishes, as of the instant it began; with fill it begins to fill
 * one that is there, or goes on. Outcome::device is the view's. Errors: usage (a name that dm
 * cannot have; the store is the source, or smaller; only what is in a bitmap, and none is named; a
 * policy that means nothing here), busy (name taken; store in use; the volume runs a job or is an
 * overlay; one that is there was made otherwise), needs_attention (one that is to be filled is
 * held).
 */
Result<Outcome> view(Context &context, const ViewRequest &request, Run run);

// The same of several volumes at one instant, of all or of none. Errors: also usage (a volume or a
// store twice; one is on another, or its store or metadata is), busy (some of them have these views
// already), needs_attention (as above).
Result<Outcome> view_all(Context &context, const std::vector<ViewRequest> &requests, Run run);

struct MergeRequest {
	std::string name = {};
	std::optional<unsigned> layer = {}; // a hidden one, by its number; none: the volume itself
};
/*
 * Merges the top of an overlay down into its base, which may be a layer; or fills the top from the
 * base. Starts the job and returns, with Outcome::copy set: see job::wait. When all is merged or
 * filled, the same call again finishes it: the layer that was merged is gone, and so are all below
 * one that was filled; metadata in the state folder is removed. What a killed call has left is
 * cleared away. Errors: not_found (not an overlay, no such layer), busy (another one runs),
 * needs_attention.
 */
Result<Outcome> commit(Context &context, const MergeRequest &request, Run run);
Result<Outcome> stream(Context &context, const std::string &name, Run run);

struct ActivateRequest {
	std::string what = {};                // a name, or where the metadata is
	std::chrono::milliseconds timeout{0}; // how long to wait for devices that are not there
	bool break_view = false; // come up without the store of a persistent view, which is lost
};
/*
 * Brings a volume back from what is written down of it: its metadata, or an entry of the tab.
 * `already` if it is there. Errors: not_found (nothing is written down; metadata or a leg is not
 * there; there is no view to break), needs_attention (a leg is not the one recorded, is too small
 * or has changed; metadata that is damaged or of another volume), busy (a device is in use; the
 * name is taken; it is active, and its view is not broken here).
 */
Result<Outcome> activate(Context &context, const ActivateRequest &request, Run run);

// The names in the tab that are to be active, and the lines that make no sense.
struct ToActivate {
	std::vector<std::string> names = {};
	std::vector<Error> bad = {};
};
Result<ToActivate> to_activate(Context &context);

/*
 * Takes a volume away in good order; its data and its metadata stay, and so does its entry. Errors:
 * busy (open; a copy with state in memory), usage (nothing would bring it back: it is not written
 * down, and has no metadata that says it all; or it was attached, and is no LV that is).
 */
Result<Outcome> deactivate(Context &context, const std::string &name, Run run);

// Whether deactivate() may take it away: activate() brings it back.
bool can_go(Context &context, const Volume &volume);

/*
 * What removes the volume next is taken for one of us, at a shutdown for instance: what its
 * metadata says stays valid. Any volume; it may be open.
 */
Result<Outcome> seal(Context &context, const std::string &name, Run run);

struct AttachRequest {
	std::string device = {}; // an active dm device
	uint32_t block_sectors = 128;
	// As of CreateRequest: of an LV alone, which then comes back at boot.
	std::string metadata = {};
	uint32_t bitmaps = 16;
	uint32_t segment_mib = 64;
};
/*
 * Takes over a live dm device in place. An LV whose bitmaps are written down gets them again,
 * inconsistent. Errors: busy (already a volume; a bare disk in use; holds an LVM PV; suspended),
 * failed (a target that cannot be taken over), with what to do instead; usage (metadata for what is
 * no LV, or on the device itself).
 */
Result<Outcome> attach(Context &context, const AttachRequest &request, Run run);

struct DetachRequest {
	std::string name = {};
	bool to_copy = false; // leave it where a pivot has moved it to
};
// Gives an attached volume back with the table it had. Errors: busy (a job runs), usage (it was
// made by create; it is not, or not known to be, where it was attached, without to_copy).
Result<Outcome> detach(Context &context, const DetachRequest &request, Run run);

// Removes a volume made by `create`, whose device keeps the data, or a view, whose volume goes on.
// Of one on one device that is not active, what is written down in the tab.
// Errors: busy (open, or a job runs), usage (it was attached).
Result<Outcome> remove(Context &context, const std::string &name, Run run);

struct CopyRequest {
	std::string name = {};
	std::string target = {};
	table::Params params = {}; // rate_kib, inflight_kib, run_kib, copy_mode, policies
	bool detect_zeroes = false;
	bool no_discard_passdown = false;
	bool sync_none = false; // target is equal already: copy nothing
	// Target holds what the volume held when this bitmap began, or later: copy what is in it.
	// Empty: all. Where the kernel does not take it for all that has changed it copies
	// everything, and the note says so.
	std::string sync_bitmap = {};
	bool force = false; // overwrite a signature, or believe that it is equal; no more
	bool pivot = false; // it is to be pivoted, by the caller
	// A device or a file: what has been copied survives a boot. Empty: it is in memory alone.
	std::string metadata = {};
	bool boot = true; // with metadata: write down that it comes back at boot
};
/*
 * Starts the copy; returns when it runs, see job::wait. If that very copy runs already, or was to
 * be pivoted and has just been, `already` is set and nothing is done: what is asked for and cannot
 * be changed any more is in the note, and the params are for set(). A copy that failed or
 * was aborted and was not cleared yet is cleared first; timed_out as for abort.
 * Errors: usage (target is the source, also through the stack; smaller; metadata with sync_none or
 * sync_bitmap, which it cannot hold, or on one of the devices), not_found (target, bitmap),
 * busy (target mounted, held, or with a signature; with either of them, with another one than the
 * volume; the volume runs another job; the bitmap is frozen or disabled), needs_attention (the
 * bitmap may have missed writes).
 */
Result<Outcome> copy(Context &context, const CopyRequest &request, Run run);

struct PivotRequest {
	std::string name = {};
	// Of an LV one of these: its VG's metadata goes on naming the old extents.
	bool until_reboot = false; // LVM has it there again after a boot
	bool persist = false;      // it comes back as it is, and LVM leaves it to us
	std::chrono::milliseconds timeout{30000};
	std::optional<CopyId> only = {}; // this copy and no other
	bool was_ready = false;          // just now: wait for it once more
};
/*
 * Finishes a copy that is ready on its target: `phase pivot`, waits until the kernel is there,
 * loads a track table on the target, removes the hidden device of a stack. `already` if `only`
 * was given and somebody else has pivoted it.
 * Errors: timed_out (not ready), failed (copy failed; a target with larger sectors under a volume
 * that is open), aborted, usage (an LV with neither of them).
 */
// Whether it is said where the volume is after the next boot: pivot() asks in its end. Errors:
// usage.
Result<void> check_boot_after(Context &context, const Volume &volume, const PivotRequest &request);

Result<Outcome> pivot(Context &context, const PivotRequest &request, Run run);

// Ends a copy and keeps the source; also clears one that failed, or was killed before it began.
// Errors: busy (pivot under way),
// failed (already pivoted; run pivot to finish).
Result<Outcome> abort(Context &context, const std::string &name, Run run);

// Holds a copy, lets it go on (also after an error policy stopped it). One that comes back at boot
// is as it was told last then. Of a view it is the fill that is held; and resume() tries the store
// again that has failed. Errors: as above; also not_found (its view is not filled), needs_attention
// (pause of one that is held by its policy); `already` if it is so.
Result<Outcome> pause(Context &context, const std::string &name, Run run);
Result<Outcome> resume(Context &context, const std::string &name, Run run);

/*
 * Changes a running copy. Keys: rate (R as in parse_rate_kib), rate_kib, inflight_kib, run_kib,
 * copy_mode, on_base_error, on_top_error. All are checked before the first is sent. One that comes
 * back at boot goes on with them.
 * Errors: usage (unknown key, bad value; one that means nothing to a view), not_found (one of the
 * fill, and its view is not filled).
 */
using Settings = std::vector<std::pair<std::string, std::string>>;
Result<Outcome> set(Context &context, const std::string &name, const Settings &settings, Run run);

} // namespace blkctl::volume

#endif
