// SPDX-License-Identifier: GPL-2.0-or-later
// commit and stream: two devices become one again.
#include "uapi/blkcopy.h"
#include "volume/metadata.hpp"
#include <cerrno>

namespace blkctl::volume
{

namespace
{

/*
 * All of it is in `kept`, and durably so: the metadata says it too. Then the metadata and the other
 * device are of no use. Killed between the switch and the end, files are left.
 */
Result<Outcome> finish_job(Change &change, const Volume &volume, const table::Leg &kept)
{
	change.message(volume.info, "phase finish");
	change.load(volume.info, track_table(volume, kept));
	change.switch_table(volume.info, {}, kept.device);
	add_release(change, *volume.table.meta_device());
	// A base was somebody's device before: it stays as it is.
	if (kept != *volume.table.top)
		add_release(change, volume.table.top->device);
	return change.finish(volume.info);
}

Result<Outcome> start_job(Change &change, const Volume &volume, table::Mode mode)
{
	auto table = volume.table;

	table.mode = mode;
	table.features.copy_on_read = false;
	table.features.paused = false;
	change.load(volume.info, blkcopy_table(volume.sectors, table));
	change.switch_table(volume.info);
	change.outcome().copy = copy_id(volume);
	change.outcome().copy->mode = mode;
	return change.finish(volume.info);
}

Result<Outcome> run_job(Context &context, const std::string &name, Run run, table::Mode mode)
{
	Change change(context, std::string(word(mode)), run);
	BLKCTL_TRY(const auto found, change.open(name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	const auto now = volume.table.mode;

	if (!volume.table.is_durable())
		return refusal(Status::not_found, change.verb(), volume.name(),
			       "it is no overlay: all of it is on one device",
			       "blkctl snapshot " + volume.name() + "=STORE");
	if (now != mode && now != table::Mode::overlay)
		return refusal(Status::busy, change.verb(), volume.name(),
			       "a " + std::string(word(now)) + " of it runs",
			       "blkctl " + std::string(word(now)) + " " + volume.name() +
				       ", to finish it");
	BLKCTL_CHECK(clear_stale(change, volume.info));
	if (now == table::Mode::overlay)
		return start_job(change, volume, mode);

	const auto &top = *volume.table.top;
	const bool down = mode == table::Mode::commit;
	switch (volume.state()) {
	case JobState::ready:
		return finish_job(change, volume, down ? volume.table.base : top);
	case JobState::needs_attention:
	case JobState::failed:
		return refusal(Status::needs_attention, change.verb(), volume.name(),
			       "it was stopped: " + volume.errors_text(),
			       "blkctl resume " + volume.name() + ", once the device is well");
	default:
		break;
	}
	change.outcome().copy = copy_id(volume);
	return change.nothing_to_do(volume.info);
}

} // namespace

Result<Outcome> commit(Context &context, const std::string &name, Run run)
{
	return run_job(context, name, run, table::Mode::commit);
}

Result<Outcome> stream(Context &context, const std::string &name, Run run)
{
	return run_job(context, name, run, table::Mode::stream);
}

} // namespace blkctl::volume
