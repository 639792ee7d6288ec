// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/catch_up.hpp"
#include "uapi/blkcopy.h"
#include "volume/operations.hpp"

namespace blkctl::job
{

bool is_close(const volume::Volume &volume, const Job &job, std::chrono::milliseconds most)
{
	if (volume.table.params.copy_mode != table::CopyMode::background ||
	    job.state != State::copying)
		return false;
	const auto rest = static_cast<double>(job.total_bytes - job.done_bytes);
	const double within =
		static_cast<double>(job.rate_bytes) * static_cast<double>(most.count()) / 1000;
	return rest <= within;
}

Result<void> catch_up(volume::Context &context, const volume::Volume &volume, const Job &job,
		      std::chrono::milliseconds most)
{
	if (!is_close(volume, job, most))
		return {};
	const auto done =
		volume::set(context, volume.devno().str(),
			    {{BLKCOPY_PARAM_COPY_MODE, BLKCOPY_COPY_MODE_DUAL}}, volume::Run::doit);
	if (done || done.error().status == Status::busy)
		return {};
	// What became of the copy meanwhile is the next look's to tell.
	const auto now = volume::find(context, volume.devno());
	if (now && is_close(*now, job_of(*now), most))
		return done.error();
	return {};
}

} // namespace blkctl::job
