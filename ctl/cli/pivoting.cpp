// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/pivoting.hpp"
#include "cli/common.hpp"
#include "cli/progress.hpp"
#include "cli/refusal.hpp"
#include "volume/volume.hpp"
#include <fmt/format.h>

namespace blkctl::cli
{

void pivot_now(volume::Context &context, const Arguments &args, const std::string &name,
	       std::optional<Start> since)
{
	volume::PivotRequest request;
	request.name = name;
	request.until_reboot = args.flag("until-reboot");
	auto before = take(volume::find(context, name));
	std::string source = volume::device_path(context, before.table.base.device);

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

void check_pivot(volume::Context &context, const std::string &name, bool until_reboot)
{
	auto volume = take(volume::find(context, name));
	if (!volume.lvm || until_reboot)
		return;
	Error error;
	error.status = Status::usage;
	error.device = volume.name();
	error.why = "this is an LV: after the pivot LVM's metadata still names the old place, and "
		    "the next activation goes back to it; agree with --until-reboot, or copy "
		    "without --pivot";
	refuse(std::move(error));
}

} // namespace blkctl::cli
