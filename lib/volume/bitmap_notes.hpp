// SPDX-License-Identifier: GPL-2.0-or-later
// What is written down of a volume's bitmap, as its bits do not say it: whether there is a backup
// that they go on from. Internal to the library.
#ifndef BLKCTL_VOLUME_BITMAP_NOTES_HPP
#define BLKCTL_VOLUME_BITMAP_NOTES_HPP

#include "volume/cache.hpp"
#include "volume/volume.hpp"
#include <string>
#include <vector>

namespace blkctl::volume
{

struct BitmapNote {
	enum class Kind {
		none,      // it was added, cleared by hand or disabled since, or is of another boot
		backup,    // all that has changed since the last backup made with it is in it
		forgotten, // what a backup that failed was to get is in no image, nor in the bitmap
	};
	Kind kind = Kind::none;
	// Of a backup: what has all but what is in the bitmap. The last one, and with bits that
	// were kept those before it. Of what was forgotten: what was that until then.
	std::vector<std::string> images = {};
};
BitmapNote bitmap_note(Context &context, const Volume &volume, const std::string &bitmap);

/*
 * The image of this record is whole that was made with its bitmap, whose bits are cleared after
 * this, or stay if they are `kept`. One in memory ends with the running system, and so does the
 * note of it; takes the lock of the volume. Errors: aborted (that backup is not the volume's any
 * more), busy, failed.
 */
Result<void> note_backup(Context &context, const dm::Info &info, const BackupRecord &record,
			 bool kept);

// Errors: failed.
Result<void> note_forgotten(Context &context, const Volume &volume, const std::string &bitmap);

bool has_bitmap_note(Context &context, const std::string &volume, const std::string &bitmap);
// It stays gone, after a power cut too. Errors: failed.
Result<void> drop_bitmap_note(Context &context, const std::string &volume,
			      const std::string &bitmap);

} // namespace blkctl::volume

#endif
