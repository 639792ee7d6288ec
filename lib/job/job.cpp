// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/job.hpp"
#include <cmath>

namespace blkctl::job
{

namespace
{

// How long a change of the rate takes to show.
constexpr double smoothing_seconds = 3.0;
constexpr auto least_interval = std::chrono::milliseconds(100);

} // namespace

double Job::percent() const
{
	if (total_bytes == 0 || done_bytes >= total_bytes)
		return 100.0;
	// Never rounded up to a hundred by whoever prints it.
	const double percent =
		100.0 * static_cast<double>(done_bytes) / static_cast<double>(total_bytes);
	return std::min(std::floor(percent * 100.0) / 100.0, 99.99);
}

Job job_of(const volume::Volume &volume)
{
	const auto &status = volume.status;
	const uint64_t block = uint64_t(status.block_sectors) * 512;
	Job job;

	job.state = volume.state();
	if (volume.table.top)
		job.target = volume.table.top->device;
	job.total_bytes = volume.sectors * 512;
	// A commit moves what is in the top down, the others what is in the base up.
	const auto left = volume.table.mode == table::Mode::commit ? status.top_only + status.zero
								   : status.base_only;
	// The last block may be a part of one: never more left than there is.
	job.done_bytes = job.total_bytes - std::min(job.total_bytes, left * block);
	job.copied_bytes = status.copied_kib * 1024;
	job.inflight_bytes = status.inflight_kib * 1024;
	job.rate_bytes = status.rate_kib * 1024;
	if (volume.table.params.rate_kib.value_or(0) != 0)
		job.rate_limit_bytes = uint64_t(*volume.table.params.rate_kib) * 1024;
	job.base_errors = status.base_errors;
	job.top_errors = status.top_errors;
	return job;
}

Status status_of(State state)
{
	switch (state) {
	case State::none:
		return Status::not_found;
	case State::aborted:
		return Status::aborted;
	case State::failed:
		return Status::failed;
	case State::needs_attention:
		return Status::needs_attention;
	case State::copying:
	case State::paused:
	case State::ready:
	case State::pivoted:
	case State::preserving:
		break;
	}
	return Status::ok;
}

void Meter::sample(Clock::time_point now, const Job &job)
{
	total_ = job.total_bytes;
	if (!started_) {
		started_ = true;
		at_ = now;
		done_ = job.done_bytes;
		return;
	}
	if (now - at_ < least_interval)
		return;

	const double seconds = std::chrono::duration<double>(now - at_).count();
	// In background mode blocks become undone too; that is no negative rate.
	const auto moved = job.done_bytes > done_ ? job.done_bytes - done_ : 0;
	const double rate = static_cast<double>(moved) / seconds;
	const double weight = samples_ == 0 ? 1.0 : 1.0 - std::exp(-seconds / smoothing_seconds);
	rate_ += weight * (rate - rate_);
	samples_++;
	at_ = now;
	done_ = job.done_bytes;
}

std::optional<std::chrono::seconds> Meter::left() const
{
	if (samples_ == 0 || rate_ < 1.0 || done_ >= total_)
		return std::nullopt;
	const double seconds = std::ceil(static_cast<double>(total_ - done_) / rate_);
	return std::chrono::seconds(static_cast<int64_t>(std::min(seconds, 1e12)));
}

} // namespace blkctl::job
