// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/pivoting.hpp"
#include "cli/common.hpp"
#include "cli/progress.hpp"
#include "cli/refusal.hpp"
#include "volume/volume.hpp"
#include <fmt/format.h>

namespace blkctl::cli
{

namespace
{

volume::PivotRequest request_of(const Arguments &args)
{
	volume::PivotRequest request;

	request.until_reboot = args.flag("until-reboot");
	request.persist = args.flag("persist");
	return request;
}

} // namespace

std::string old_leg_text(const volume::Volume &before, const std::string &source, bool persists)
{
	if (before.lvm && persists)
		return fmt::format("; LVM's extents of {} are stale from now on, and it activates "
				   "it no more by itself: /etc/blkctltab brings it back",
				   before.name());
	if (before.lvm)
		return fmt::format("; LVM's extents of {} are stale from now on, and its next "
				   "activation by LVM goes back to them",
				   before.name());
	// Only of these the old device is all the volume's.
	if (before.kind == volume::Kind::created)
		return fmt::format("; {0} is not used any more, but carries the same data, stale, "
				   "under the same UUIDs: wipefs -a {0} before the next boot",
				   source);
	return "; what it was on before carries the same data, stale, under the same UUIDs: keep "
	       "it from being used in its place";
}

void pivot_now(volume::Context &context, const Arguments &args, const volume::CopyId &copy,
	       std::optional<Start> since)
{
	auto request = request_of(args);
	// By number: the name may have changed since.
	request.name = copy.device.str();
	request.only = copy;
	request.was_ready = since.has_value();
	auto before = take(volume::find(context, copy.device));
	std::string source = volume::device_path(context, copy.base.device);

	auto outcome = take(volume::pivot(context, request, run_of(args)));
	if (args.flag("dry-run") && since && !outcome.already)
		outcome.steps.insert(outcome.steps.begin(),
				     "wait until every block is on both devices");
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
		said += old_leg_text(before, source, request.persist);
	report_outcome_as("pivot", args, outcome, said);
}

bool finish_pivot(volume::Context &context, const Arguments &args, const std::string &name)
{
	const auto volume = take(volume::find(context, name));
	if (volume.table.mode != table::Mode::track)
		return false;
	pivot_now(context, args, volume::copy_id(volume), {});
	return true;
}

volume::CopyId check_pivot(volume::Context &context, const std::string &name, const Arguments &args)
{
	auto volume = take(volume::find(context, name));

	take(volume::check_boot_after(context, volume, request_of(args)));
	return volume::copy_id(volume);
}

} // namespace blkctl::cli
