// SPDX-License-Identifier: GPL-2.0-or-later
// The note of which backup a device holds: nothing beside it or in it says so, and its ends may
// look the same with something else between them. Internal to the library.
#ifndef BLKCTL_VOLUME_IMAGE_NOTE_HPP
#define BLKCTL_VOLUME_IMAGE_NOTE_HPP

#include "volume/steps.hpp"

namespace blkctl::volume
{

// The file; job/backup_target.hpp says what is in it. It need not be there.
std::string image_note(Context &context, DevNo device);

// Something else is on a device, and so on what is below it, from here on: no incremental goes on
// from what is there. They stay gone, after a power cut too. Errors: failed.
Result<void> drop_image_notes(Context &context, DevNo device);

// Adds the same, where there is such a note. Best behind what holds the device, and before anything
// is written to it: a backup to it that goes on until then has no note in its end.
void add_end_of_image(Change &change, DevNo device);

} // namespace blkctl::volume

#endif
