// SPDX-License-Identifier: GPL-2.0-or-later
// Where a backup goes. A new image is written beside its name and gets it when it is whole: a part
// of one is never taken for a backup. Internal to the library.
#ifndef BLKCTL_JOB_BACKUP_TARGET_HPP
#define BLKCTL_JOB_BACKUP_TARGET_HPP

#include "job/backup.hpp"
#include "volume/lock.hpp"
#include "volume/volume.hpp"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::job
{

struct BackupTarget {
	std::string path = {}; // as it was asked for
	transport::Format format = transport::Format::raw;
	std::string backing = {}; // canonical
	std::optional<DevNo> device = {};
	bool in_place = false; // what is there is written to: a device, or the image before it
	uint64_t bytes = 0;    // of the volume

	// What is written to.
	std::string file() const { return in_place ? path : path + ".part"; }
};

/*
 * Looks whether a backup of the volume can go there. `full`: it is one, whatever was asked for; in
 * the place of one that was to be changed only with --force, but for an image of that bitmap.
 * Errors: usage, not_found, busy, failed; each names the target.
 */
Result<BackupTarget> check_target(volume::Context &context, const volume::Volume &volume,
				  const BackupRequest &request, bool full);

// The same of one that is gone on with: no checks, but for what makes it another one.
Result<BackupTarget> find_target(volume::Context &context, const volume::Volume &volume,
				 const BackupRequest &request, bool full);

// What tells one file or device from every other, as long as the host is up. Nothing: it is not
// there.
std::optional<std::string> identity_of(volume::Context &context, const BackupTarget &target);

/*
 * What an incremental one goes on from, by what tells it from every other also under another name
 * and after a boot, and from itself once anything else was written there: the image before it, and
 * of a target that is whole what it is once note_finished() has said so. Nothing: it is not there,
 * or cannot be looked at.
 */
std::optional<std::string> image_before(volume::Context &context, const volume::Volume &volume,
					const BackupRequest &request);
std::optional<std::string> image_of(volume::Context &context, const BackupTarget &target,
				    const std::string &id);

// Two of these are to be the same file or device. `text`: a target or a store.
std::string key_of(volume::Context &context, const std::string &text);

// The name of the lock of what is written to, or read as an image.
std::string lock_name_of(volume::Context &context, const std::string &text);

// Begins to write it. A part that another call has given up goes. Errors: busy (another volume's
// backup can go on in that part); as of the images.
Result<std::unique_ptr<transport::Image>> begin_target(volume::Context &context,
						       const BackupTarget &target);
// What it is over, as that is now, is written down beside it: with anything else below it, it is no
// backup. Errors: failed.
Result<void> note_backing(const BackupTarget &target);
// Goes on with it.
Result<std::unique_ptr<transport::Image>> open_target(volume::Context &context,
						      const BackupTarget &target);
// It is whole, and closed: it gets its name, durably, under the rules of check_target(). Errors:
// busy (something has that by now: it stays as it is, and so does what was written), failed; also
// if what it is over was written to meanwhile.
Result<void> finish_target(volume::Context &context, const volume::Volume &volume,
			   const BackupRequest &request, const BackupTarget &target);
// It will not be.
void drop_target(const BackupTarget &target);

/*
 * What is written to in place has no name to be given when it is whole: that a backup to it was
 * begun is written down until it is, of an image beside it, whatever link led there.
 * check_target() refuses an incremental to what was to be a `full` one, or has lost what it was to
 * get. Of a device it stays written down which backup it has. Errors: failed.
 */
Result<void> note_unfinished(volume::Context &context, const BackupTarget &target, bool full,
			     const std::string &id);
// It is closed, and not whole: only what is as it was left is what the next one goes on from.
void note_left(volume::Context &context, const BackupTarget &target, const std::string &id);
void note_finished(volume::Context &context, const BackupTarget &target, const std::string &id);
// Of an image and what it is over, from the top. Errors: failed, if a backup into one of them was
// not finished, or if one that another is over was written to since that was made.
Result<void> check_finished(volume::Context &context, const std::string &verb,
			    const std::vector<std::string> &files);

/*
 * Locks an image and all that it is over against backups into them, but not against other readers.
 * Errors: busy; also if nobody can say what it is over.
 */
Result<std::vector<volume::Lock>> lock_chain(volume::Context &context, const std::string &verb,
					     const std::string &image, transport::Format format);
// What tells these from themselves once any was written to or replaced; of a device nothing.
std::string chain_identity(const std::vector<std::string> &files);
// Whether it is still that backup's; and as that has left it, if it was left and not killed.
bool is_unfinished(volume::Context &context, const BackupTarget &target, const std::string &id);

} // namespace blkctl::job

#endif
