// SPDX-License-Identifier: GPL-2.0-or-later
// pivot and abort: the two ends of a copy.
#include "base/size.hpp"
#include "uapi/blkcopy.h"
#include "volume/boot.hpp"
#include "volume/cache.hpp"
#include "volume/lv.hpp"
#include "volume/metadata.hpp"
#include "volume/settle.hpp"
#include "volume/steps.hpp"
#include "volume/target.hpp"
#include "volume/view.hpp"
#include <cerrno>

namespace blkctl::volume
{

namespace
{

using Clock = std::chrono::steady_clock;

// The kernel's event tells; this is for the case that somebody else's wake-up hid it.
constexpr auto look_again_after = std::chrono::milliseconds(1000);

Error no_job(const std::string &verb, const Volume &volume)
{
	return refusal(Status::not_found, verb, volume.name(), "it has no copy",
		       "blkctl copy " + volume.name() + " TARGET");
}

// Why a copy in this state cannot be pivoted; nullopt if it can.
std::optional<Error> why_not_pivot(const Volume &volume)
{
	const std::string verb = "pivot";
	const auto name = volume.name();
	const auto left = (volume.status.base_only * volume.status.block_sectors) * 512;
	const auto errors = volume.errors_text();

	switch (volume.state()) {
	case JobState::none:
	case JobState::preserving:
		return no_job(verb, volume);
	case JobState::copying:
		return refusal(Status::timed_out, verb, name,
			       "the copy is not ready: " + format_size(left) + " to go",
			       "blkctl wait " + name);
	case JobState::paused:
		return refusal(Status::timed_out, verb, name,
			       "the copy is not ready but paused: " + format_size(left) + " to go",
			       "blkctl resume " + name);
	case JobState::needs_attention:
		return refusal(Status::needs_attention, verb, name,
			       "the copy was stopped: " + errors,
			       "blkctl resume " + name + ", once the device is well");
	case JobState::failed:
		return refusal(Status::failed, verb, name, "the copy failed: " + errors,
			       "blkctl abort " + name);
	case JobState::aborted:
		return refusal(Status::aborted, verb, name, "the copy was aborted",
			       "blkctl abort " + name);
	case JobState::ready:
	case JobState::pivoted:
		break;
	}
	return std::nullopt;
}

// What is done at each look at a copy, which may have changed it by then. True: it is there.
using Look = std::function<Result<bool>(Volume &)>;

// Looks at a copy until it is there. Errors: those of why_not_pivot(), timed_out.
Result<void> look_until(Context &context, DevNo device, Clock::time_point deadline,
			const Look &look)
{
	BLKCTL_TRY(const auto events, context.dm.events());

	for (;;) {
		BLKCTL_CHECK(events->arm());
		BLKCTL_TRY(auto volume, find(context, device));
		BLKCTL_TRY(const bool there, look(volume));
		if (there)
			return {};
		const auto why_not = why_not_pivot(volume);
		if (why_not && why_not->status != Status::timed_out)
			return *why_not;
		const auto left =
			std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
		if (left.count() <= 0)
			return why_not ? *why_not
				       : refusal(Status::timed_out, "pivot", volume.name(),
						 "the kernel did not finish it in time",
						 "blkctl pivot " + volume.name());
		BLKCTL_CHECK(events->wait(std::min(left, look_again_after)));
	}
}

/*
 * Asks for the pivot until the kernel is there. The message answers at once; when a leg fails in
 * that instant the phase goes back to copying and the copier repairs it: then we ask again.
 * Asking while one is under way is refused and does no harm.
 */
Result<void> pivot_phase(Context &context, DevNo device, Clock::time_point deadline)
{
	return look_until(context, device, deadline, [&](Volume &volume) -> Result<bool> {
		if (volume.state() == JobState::ready) {
			const auto answer = context.dm.message(device, 0, "phase pivot");
			const int err = answer ? 0 : answer.error().sys_errno;
			if (err != 0 && err != EBUSY && err != EALREADY)
				return message_error(answer.error(), volume.info, "phase pivot");
			BLKCTL_TRY(volume, find(context, device));
		}
		return volume.state() == JobState::pivoted;
	});
}

// Waits until every block is on both, or it is pivoted.
Result<void> wait_until_ready(Context &context, DevNo device, Clock::time_point deadline)
{
	return look_until(context, device, deadline,
			  [](Volume &volume) -> Result<bool> { return !why_not_pivot(volume); });
}

// A pivot that was killed at its very end: all that is left is the hidden device.
Result<Outcome> finish_killed(Change &change, const Volume &volume)
{
	BLKCTL_TRY(const auto leftover, find_leftover(change.context(), volume.info));

	if (!leftover)
		return no_job(change.verb(), volume);
	change.remove_hidden(*leftover);
	return change.finish(volume.info);
}

// A copy that was killed before its switch: all that is there of it is the loaded table, and what
// is written down of it.
Result<Outcome> abort_loaded(Change &change, const Volume &volume)
{
	BLKCTL_TRY(const auto loaded,
		   change.context().dm.table(volume.devno(), dm::Slot::inactive, false));
	const bool mirror = loaded.size() == 1 && loaded[0].type == BLKCOPY_TARGET &&
			    loaded[0].params.starts_with(BLKCOPY_MODE_MIRROR " ");

	BLKCTL_TRY(const auto entry, find_entry(change.context(), volume));
	const bool written = entry && !entry->layers.empty();
	if (!mirror && !written)
		return no_job(change.verb(), volume);
	if (mirror)
		change.clear(volume.info);
	else if (written)
		BLKCTL_CHECK(clear_stale(change, volume.info)); // of a snapshot
	if (written) {
		// Or the next boot would begin the copy that was given up here.
		BLKCTL_CHECK(add_plain_entry(change, volume, volume.table.base));
		for (const auto &layer : entry->layers) {
			if (const auto place = find_place(change.context(), layer.meta);
			    place && place->block)
				add_loop_release(change, place->block->devno);
			add_unmake(change, layer.meta);
		}
	}
	return change.finish(volume.info);
}

// Why the copy that was meant cannot be pivoted, if it is not the volume's job any more.
Error not_there(const Volume &volume, Fate fate)
{
	if (fate == Fate::aborted)
		return refusal(Status::aborted, "pivot", volume.name(), "the copy was aborted",
			       "blkctl show " + volume.name());
	return refusal(Status::failed, "pivot", volume.name(), "another copy has taken its place",
		       "blkctl show " + volume.name());
}

// Whether a copy that was to be pivoted is on its target, or may be at any moment, for all we know.
bool may_be_on_target(Context &context, DevNo device)
{
	const auto now = find(context, device);

	return !now || now->state() == JobState::ready || now->state() == JobState::pivoted;
}

/*
 * Adds what is written down before the pivot: from then on the source misses what is written, and
 * whatever comes between is not to bring it back. Nor the target: until the pivot, and after one
 * that has not been, the source goes on and the target may fail. So a kill in between leaves both
 * named, and whoever knows the kernel's phase decides: pivot or abort, run again.
 * False, and nothing, where metadata that is written down says it better, or LVM may have it where
 * it was.
 */
Result<bool> add_entry_before(Change &change, const Volume &volume, const PivotRequest &request)
{
	auto &context = change.context();
	const auto device = volume.devno();
	BLKCTL_TRY(const auto entry, find_entry(context, volume));
	const bool by_metadata = volume.table.meta_device() && entry && !entry->layers.empty();

	if (!(request.persist || entry) || by_metadata || (volume.lvm && request.until_reboot))
		return false;
	change.add({"wait until " + volume.name() + " is ready",
		    [&context, device, timeout = request.timeout] {
			    return wait_until_ready(context, device, Clock::now() + timeout);
		    },
		    {}});
	BLKCTL_CHECK(add_undecided(change, volume, *volume.table.top, [&context, device] {
		return may_be_on_target(context, device);
	}));
	return true;
}

// And after it, unless it was said before that this one may be.
Result<void> add_entry_after(Change &change, const Volume &volume, const PivotRequest &request)
{
	const auto &top = *volume.table.top;
	BLKCTL_TRY(const bool written, is_written_down(change.context(), volume));

	if (volume.lvm && request.until_reboot)
		return written ? add_return(change, volume) : Result<void>();
	return request.persist ? add_alone(change, volume, top, true)
			       : add_plain_entry(change, volume, top, true);
}

/*
 * Adds what is left of a copy that is aborted. Its target may hold up all writes, and /etc be on
 * the volume: where the tab cannot be read the rest can wait, as by all that is written down of a
 * copy that is not pivoted the volume comes back on its source, or not at all.
 */
Result<void> add_end_of_copy(Change &change, const Volume &volume)
{
	const auto written = is_written_down(change.context(), volume);

	if (!written) {
		add_note(change.outcome().note, volume.name() + ": " + written.error().message() +
							"; to be aborted again once it is");
		return {};
	}
	return volume.table.meta_device() ? add_end_of_metadata(change, volume, volume.table.base)
					  : add_entry_repair(change, volume);
}

} // namespace

Result<void> check_boot_after(Context &context, const Volume &volume, const PivotRequest &request)
{
	if (request.persist && request.until_reboot)
		return refusal(Status::usage, "pivot", volume.name(),
			       "persist and until-reboot exclude each other", "blkctl help pivot");
	BLKCTL_TRY(const bool written, is_written_down(context, volume));
	const bool returns = request.until_reboot && written;
	if ((request.persist || returns) && !volume.lvm)
		return refusal(Status::usage, "pivot", volume.name(),
			       "it is no LV: where it comes back from is in " + context.tab_file +
				       ", without --persist and --until-reboot",
			       "blkctl pivot " + volume.name());
	BLKCTL_TRY(const bool can,
		   request.persist ? can_come_back(context, volume) : Result<bool>(true));
	if (!can)
		return refusal(Status::usage, "pivot", volume.name(),
			       "LVM has it in pieces that only LVM puts together",
			       "blkctl pivot " + volume.name() + " --until-reboot");
	if (!volume.lvm || request.until_reboot || request.persist ||
	    volume.state() == JobState::pivoted)
		return {};
	BLKCTL_TRY(const bool held, written ? is_held(context, volume.info) : Result<bool>(false));
	if (held)
		return {};
	return refusal(Status::usage, "pivot", volume.name(),
		       "it is an LV, and LVM will have it on its old extents again after a reboot",
		       "the same with --persist: blkctl brings it back as it is, or with "
		       "--until-reboot");
}

Result<Outcome> pivot(Context &context, const PivotRequest &request, Run run)
{
	Change change(context, "pivot", run);

	BLKCTL_TRY(const auto found, change.open(request.name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	const auto &device = volume.info;
	BLKCTL_CHECK(check_no_overlay("pivot", volume));
	const auto what_became = request.only ? fate(*request.only, volume) : Fate::there;

	if (what_became == Fate::pivoted)
		return change.nothing_to_do(device);
	if (what_became != Fate::there)
		return not_there(volume, what_became);
	if (volume.state() == JobState::none)
		return finish_killed(change, volume);
	// Who has waited for it may find a background copy no longer ready: then it is caught up.
	const bool again = request.was_ready && volume.state() == JobState::copying;
	if (const auto why_not = why_not_pivot(volume); why_not && !again)
		return *why_not;
	BLKCTL_CHECK(check_boot_after(context, volume, request));

	BLKCTL_CHECK(clear_stale(change, device));
	bool written = false;
	if (volume.state() != JobState::pivoted) {
		BLKCTL_CHECK(check_sectors(context, "pivot", volume, volume.table.top->device));
		// Or a steady writer may keep it from being ready at the instant it is asked.
		if (volume.table.params.copy_mode == table::CopyMode::background)
			change.message(
				device, "set " BLKCOPY_PARAM_COPY_MODE " " BLKCOPY_COPY_MODE_DUAL,
				"set " BLKCOPY_PARAM_COPY_MODE " " BLKCOPY_COPY_MODE_BACKGROUND);
		BLKCTL_TRY(written, add_entry_before(change, volume, request));
		change.add(
			{"send to " + label(device) + ": phase pivot, and wait until it is pivoted",
			 [&context, device, written, timeout = request.timeout]() -> Result<void> {
				 auto done =
					 pivot_phase(context, device.devno, Clock::now() + timeout);
				 if (done || !written)
					 return done;
				 auto error = done.error();
				 error.next += std::string(error.next.empty() ? "" : "; ") +
					       "until a pivot or an abort is done it is not "
					       "brought back at a boot";
				 return error;
			 },
			 {},
			 true});
	}
	if (written)
		BLKCTL_CHECK(add_decided(change, volume, *volume.table.top));
	else
		BLKCTL_CHECK(add_entry_after(change, volume, request));
	change.load(device, track_table(volume, *volume.table.top));
	change.switch_table(device, {}, volume.table.top->device);
	if (volume.kind == Kind::stacked) {
		BLKCTL_TRY(const auto hidden, context.dm.info(volume.table.base.device));
		change.remove_hidden(hidden);
	}
	BLKCTL_CHECK(add_end_of_metadata(change, volume, {}));
	return change.finish(device);
}

Result<Outcome> abort(Context &context, const std::string &name, Run run)
{
	Change change(context, "abort", run);

	BLKCTL_TRY(const auto found, change.open(name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	const auto &device = volume.info;

	// What a backup has left that was killed in its end has no mode any more.
	if (volume.table.mode == table::Mode::backup ||
	    (volume.table.mode == table::Mode::track && backup_record(context, device))) {
		BLKCTL_CHECK(add_end_of_job(change, volume, false));
		return change.finish(device);
	}
	BLKCTL_CHECK(check_no_overlay("abort", volume));
	if (volume.state() == JobState::none)
		return abort_loaded(change, volume);
	if (volume.state() == JobState::pivoted)
		return refusal(Status::failed, "abort", device.name,
			       "it is pivoted already: the target alone is up to date",
			       "blkctl pivot " + device.name);

	BLKCTL_CHECK(clear_stale(change, device));
	if (volume.status.phase != table::Phase::aborted)
		change.message(device, "phase abort");
	add_settle(change, volume);
	change.load(device, track_table(volume, volume.table.base));
	change.switch_table(device, {}, volume.table.top->device);
	BLKCTL_CHECK(add_end_of_copy(change, volume));
	return change.finish(device);
}

} // namespace blkctl::volume
