// SPDX-License-Identifier: GPL-2.0-or-later
// What a backup that has failed was told to forget (--bitmap-mode always), and no image has got. It
// is written down, as the bitmap does not say so. Internal to the library.
#ifndef BLKCTL_JOB_FORGOTTEN_HPP
#define BLKCTL_JOB_FORGOTTEN_HPP

#include "volume/volume.hpp"
#include <string>

namespace blkctl::job
{

// Changes of the bitmap are in no image from here on, until there is a full one. Errors: failed.
Result<void> note_forgotten(volume::Context &context, const std::string &volume,
			    const std::string &bitmap);
void clear_forgotten(volume::Context &context, const std::string &volume,
		     const std::string &bitmap);
bool has_forgotten(volume::Context &context, const std::string &volume, const std::string &bitmap);

} // namespace blkctl::job

#endif
