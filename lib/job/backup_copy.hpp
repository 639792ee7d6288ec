// SPDX-License-Identifier: GPL-2.0-or-later
// Moving the data of a backup: ranges of one image into another. Internal to the library.
#ifndef BLKCTL_JOB_BACKUP_COPY_HPP
#define BLKCTL_JOB_BACKUP_COPY_HPP

#include "base/error.hpp"
#include "job/job.hpp"
#include "transport/image.hpp"
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace blkctl::job
{

using transport::Range;

uint64_t total_of(const std::vector<Range> &ranges);

// What is left of ranges, in order, from an offset on.
std::vector<Range> from(const std::vector<Range> &ranges, uint64_t offset);

struct CopyHooks {
	// Bytes of this call; of a range that was known to be zeroes too.
	std::function<void(uint64_t done)> on_progress = [](uint64_t) {};
	// All below this offset is on the medium of the target. Asked for every few seconds.
	std::function<void(uint64_t offset)> on_safe = [](uint64_t) {};
	std::function<bool()> cancelled = [] { return false; };
};

// What becomes of on_progress: a job that is `before` bytes of `total` on its way already, told of
// at once and then no more often than every `interval`.
using OnJob = std::function<void(const Job &, const Meter &)>;
std::function<void(uint64_t done)> progress_of(uint64_t total, uint64_t before,
					       std::chrono::milliseconds interval, OnJob call);

struct CopyStyle {
	// The target reads as zeroes where nothing was written: there they need not be written.
	bool fresh = false;
	uint64_t bytes_per_second = 0; // 0: as fast as it goes
};

struct Moved {
	uint64_t data = 0;  // bytes that were written
	uint64_t zeros = 0; // that are holes, where there can be some
	bool cancelled = false;
};

/*
 * Copies ranges, in order. Reading and writing go on at the same time. Errors: those of the images;
 * the target holds a part then.
 */
Result<Moved> copy_ranges(transport::Image &source, transport::Image &target,
			  const std::vector<Range> &ranges, const CopyStyle &style,
			  const CopyHooks &hooks);

// Reads both. Errors: failed, naming the first place that differs; those of the images.
Result<Moved> compare_ranges(transport::Image &source, transport::Image &target,
			     const std::vector<Range> &ranges, const CopyHooks &hooks);

} // namespace blkctl::job

#endif
