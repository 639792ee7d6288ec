// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/pivoting.hpp"
#include "cli/common.hpp"
#include "cli/progress.hpp"
#include "cli/refusal.hpp"
#include "volume/volume.hpp"
#include <fmt/format.h>

namespace blkctl::cli
{

void pivot_now(volume::Context &context, const Arguments &args, const volume::CopyId &copy,
	       std::optional<Start> since)
{
	volume::PivotRequest request;
	// By number: the name may have changed since.
	request.name = copy.device.str();
	request.until_reboot = args.flag("until-reboot");
	request.only = copy;
	std::string source = volume::device_path(context, copy.base.device);

	auto outcome = take(volume::pivot(context, request, run_of(args)));
	auto after = take(volume::find(context, outcome.device));
	std::string now = volume::device_path(context, after.table.base.device);

	std::string said = fmt::format("pivoted, it is on {} now", now);
	if (since) {
		auto took = std::chrono::steady_clock::now() - *since;
		said += fmt::format(
			" after {}",
			span_text(std::chrono::duration_cast<std::chrono::milliseconds>(took)));
	}
	if (outcome.stall_ms)
		said += fmt::format("; the switch took {}", stall_text(*outcome.stall_ms));
	if (source != now)
		said += fmt::format("; {} is not used any more", source);
	report_outcome_as("pivot", args, outcome, said);
}

volume::CopyId check_pivot(volume::Context &context, const std::string &name, bool until_reboot)
{
	auto volume = take(volume::find(context, name));
	if (!volume.lvm || until_reboot)
		return volume::copy_id(volume);
	Error error;
	error.status = Status::usage;
	error.device = volume.name();
	error.why = "this is an LV: after the pivot LVM's metadata still names the old place, and "
		    "the next activation goes back to it; agree with --until-reboot, or copy "
		    "without --pivot";
	refuse(std::move(error));
}

} // namespace blkctl::cli
