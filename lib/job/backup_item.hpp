// SPDX-License-Identifier: GPL-2.0-or-later
// One volume of a backup: what is asked for, what it will be, and whether it goes on with one that
// was interrupted. Internal to the library.
#ifndef BLKCTL_JOB_BACKUP_ITEM_HPP
#define BLKCTL_JOB_BACKUP_ITEM_HPP

#include "job/backup_target.hpp"
#include "volume/cache.hpp"
#include <memory>
#include <string>

namespace blkctl::job
{

inline constexpr const char *backup_verb = "backup";

// One volume, and what is to become of it.
struct BackupItem {
	BackupRequest request;
	volume::Volume volume = {};
	std::string view = {};
	BackupTarget target = {};
	bool resumed = false;
	bool opened = false; // what is at the target this call has written to
	// Shared with the plan that writes it down.
	std::shared_ptr<volume::BackupRecord> record = std::make_shared<volume::BackupRecord>();
	BackupDone done = {};

	uint64_t bytes() const { return volume.sectors * 512; }
};

// What has to be the same for the same backup to go on. `group`: the volumes of it.
std::string request_text(const BackupRequest &request, const std::string &group);

// What does not fit together whatever there is. Errors: usage.
Result<void> check_words(const BackupRequest &request);

// Why an incremental would not have all that has changed; empty: it has.
std::string why_full(volume::Context &context, const BackupItem &item,
		     const table::BitmapStatus &bitmap);

// Full or incremental. Errors: busy (the bitmap is disabled).
Result<void> decide(volume::Context &context, BackupItem &item);

// Where to, of one that has not begun to write. Errors: those of check_target().
Result<void> look_at_target(volume::Context &context, BackupItem &item);

// Where old data is kept: in the store it has, the one that was asked for, or one of its own.
std::string store_of(volume::Context &context, const BackupItem &item);

// True: one that was killed or interrupted is there to go on with. `wanted`: request_text() of it.
// Errors: busy (another one is, or its target is not what it was).
Result<bool> find_interrupted(volume::Context &context, BackupItem &item,
			      const std::string &wanted);

// Of an incremental that is about to write: whether what it changes, or is over, is still an image
// that its bitmap goes on from. That was decided before the instant, hours ago where other volumes
// came first, days ago if it was interrupted. Errors: failed.
Result<void> check_image_before(volume::Context &context, const BackupItem &item);

Error bad_target(Status status, const BackupItem &item, std::string why, std::string next = {});

} // namespace blkctl::job

#endif
