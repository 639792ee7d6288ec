// SPDX-License-Identifier: GPL-2.0-or-later
// The end of a background copy: a steady writer would keep it from ever being ready.
#ifndef BLKCTL_JOB_CATCH_UP_HPP
#define BLKCTL_JOB_CATCH_UP_HPP

#include "job/job.hpp"

namespace blkctl::job
{

// Whether this is a background copy whose rest would be copied within `most`, at the rate it has.
bool is_close(const volume::Volume &volume, const Job &job, std::chrono::milliseconds most);

// Turns such a copy dual; does nothing to any other, nor while another command has the volume.
// For WaitOptions::on_progress, which comes again.
Result<void> catch_up(volume::Context &context, const volume::Volume &volume, const Job &job,
		      std::chrono::milliseconds most);

} // namespace blkctl::job

#endif
