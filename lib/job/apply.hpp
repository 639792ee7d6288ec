// SPDX-License-Identifier: GPL-2.0-or-later
// Restoring: what a backup holds, with all that it is over, onto a device.
#ifndef BLKCTL_JOB_APPLY_HPP
#define BLKCTL_JOB_APPLY_HPP

#include "job/job.hpp"
#include "transport/image.hpp"
#include "volume/operations.hpp"
#include <functional>
#include <optional>
#include <string>

namespace blkctl::job
{

struct ApplyRequest {
	std::string image = {};
	std::optional<transport::Format> format = {}; // by its name, if not given
	std::string device = {};
	bool force = false;  // overwrite what is on the device
	bool verify = false; // read it back
};

struct ApplyOptions {
	std::chrono::milliseconds interval{1000};
	std::function<void(bool verifying, const Job &, const Meter &)> on_progress = {};
	std::function<bool()> cancelled = [] { return false; };
};

struct Applied {
	std::vector<std::string> steps = {};
	uint64_t bytes = 0; // of the image
	uint64_t data = 0;  // that were written; the rest is zeroes
};

/*
 * Makes a device, or a volume that nobody has open, read as the image does. Errors: usage (it is
 * smaller), not_found, busy (in use; a signature; a backup is written to the image), failed (also
 * if the image was written to meanwhile), timed_out (interrupted: the device holds a part).
 */
Result<Applied> apply(volume::Context &context, const ApplyRequest &request,
		      const ApplyOptions &options, volume::Run run);

} // namespace blkctl::job

#endif
