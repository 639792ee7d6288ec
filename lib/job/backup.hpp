// SPDX-License-Identifier: GPL-2.0-or-later
// Backups: what volumes hold at one instant, in images elsewhere, while they are written to.
#ifndef BLKCTL_JOB_BACKUP_HPP
#define BLKCTL_JOB_BACKUP_HPP

#include "job/job.hpp"
#include "transport/image.hpp"
#include "volume/operations.hpp"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::job
{

// When the bits of a bitmap are forgotten that a backup was made from.
enum class BitmapMode { on_success, never, always };
std::optional<BitmapMode> bitmap_mode_from(std::string_view word);
std::string_view word(BitmapMode mode);

struct BackupRequest {
	std::string name = {};
	std::string target = {}; // a device or a file
	transport::Format format = transport::Format::raw;
	std::string backing = {}; // of an incremental qcow2: the backup before it
	// What has changed since the backup before is in it, and only that is copied. Empty: all.
	std::string bitmap = {};
	bool full = false; // all, as without a bitmap; and the bitmap begins anew
	BitmapMode bitmap_mode = BitmapMode::on_success;
	std::string store = {}; // of the view it is read from; empty: a file in the state folder
	// Of an incremental one: all of the volume can be read from its view meanwhile.
	bool whole_view = false;
	// As of volume::ViewRequest: of the view it is read from.
	std::optional<table::Policy> on_store_error = {};
	bool fill = false;
	bool no_freeze = false;
	bool force = false;  // overwrite what is on the target, and a signature on the store
	bool verify = false; // read it back
	uint64_t bytes_per_second = 0; // 0: as fast as it goes

	// Into, or over, the backup before it.
	bool is_incremental() const { return !bitmap.empty() && !full; }
	const std::string &before() const { return backing.empty() ? target : backing; }
};

enum class BackupStage { copying, verifying };

struct BackupOptions {
	std::chrono::milliseconds interval{1000};
	std::function<void(const BackupRequest &, BackupStage, const Job &, const Meter &)>
		on_progress = {};
	// What is to be said of a volume's backup when that is known: why it is a full one.
	std::function<void(const std::string &name, const std::string &note)> on_note =
		[](const std::string &, const std::string &) {};
	std::function<bool()> cancelled = [] { return false; };
	// How the view is opened.
	std::function<Result<std::unique_ptr<transport::Image>>(const std::string &path)>
		open_view = [](const std::string &path) {
			return transport::open_raw(path, transport::Access::read);
		};
};

struct BackupDone {
	std::string name = {};
	std::string target = {};
	bool full = false;
	bool resumed = false;
	uint64_t bytes = 0; // that were to be copied
	uint64_t data = 0;  // of these that were written by this call
	uint64_t zeros = 0; // and are holes, where there can be some
	std::string note = {};
};

struct BackupResult {
	std::vector<BackupDone> volumes = {};
	std::vector<std::string> steps = {};
	std::optional<double> stall_ms = {};
	std::optional<double> freeze_ms = {};
};

// A backup that a volume has, begun and not ended.
struct BackupLeft {
	std::string target = {};
	bool full = false;
	std::string bitmap = {};
	bool runs = false;       // a process is at it; else it was interrupted
	bool copied = false;     // all is in the target, and nothing but its end is missing
	uint64_t safe_bytes = 0; // of the volume, from the beginning, that are in the target
};
// As far as this host knows.
std::optional<BackupLeft> backup_of(volume::Context &context, const volume::Volume &volume);

/*
 * Backs volumes up as of one instant, one after the other. An incremental into a raw image changes
 * the backup before it, a qcow2 is a new file over that. A bitmap that may have missed writes makes
 * a full one, which without `force` replaces nothing but an image made with it. With several, all
 * keep their bits if one fails. An interrupted one goes on, from the instant it began at, when it
 * is asked for again, and so does one whose file has not got its name as another had that by then;
 * abort() of the volume ends it. Errors: usage (what does not fit together; a target that is too
 * small, or the volume itself), not_found, busy (a target or store in use, or holding something;
 * another backup under way), timed_out (interrupted), failed: the view, the target, the image
 * before it or the comparison; then the bits are kept, unless they are to be forgotten always.
 */
Result<BackupResult> backup(volume::Context &context, const std::vector<BackupRequest> &requests,
			    const BackupOptions &options, volume::Run run);

} // namespace blkctl::job

#endif
