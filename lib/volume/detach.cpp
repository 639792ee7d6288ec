// SPDX-License-Identifier: GPL-2.0-or-later
// detach: giving an attached device back as it was.
#include "table/linear.hpp"
#include "volume/bitmap_metadata.hpp"
#include "volume/boot.hpp"
#include "volume/cache.hpp"
#include "volume/lv.hpp"
#include "volume/steps.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *detach_verb = "detach";

// An LV that has LVM's own table, and that is still written down as ours.
Result<bool> add_rest_of_return(Change &change, const dm::Info &device)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto entry, find_lv_entry(context, device));

	if (!entry)
		return false;
	BLKCTL_TRY(const auto lv, find_lv(context, entry->lv));
	if (!lv)
		return false;
	BLKCTL_TRY(const auto live, context.dm.table(device.devno, dm::Slot::live, false));
	const auto own = lvm_table(context, detach_verb, *lv);
	if (!own || *own != live)
		return false;
	BLKCTL_CHECK(add_release(change, device));
	BLKCTL_CHECK(add_entry_removal(change, entry->name, true));
	add_recorded_bitmaps_end(change, *entry);
	return true;
}

// A detach that was killed after its switch: all that is left is the hidden device, or that LVM has
// it again.
Result<Outcome> finish_killed(Change &change, const dm::Info &device, const Error &not_a_volume)
{
	BLKCTL_TRY(const auto leftover, find_leftover(change.context(), device));

	BLKCTL_TRY(const bool returns, add_rest_of_return(change, device));
	if (!leftover && !returns)
		return not_a_volume;
	BLKCTL_CHECK(clear_stale(change, device));
	if (leftover)
		change.remove_hidden(*leftover);
	return change.finish(device);
}

/*
 * A pivot moves the volume from where it was attached, and its old table leads to data that is
 * stale since. A stacked volume is where it was: a pivot makes it one that is not stacked.
 */
Result<void> check_origin(Context &context, const Volume &volume)
{
	// Nobody remembers it over a boot, but LVM knows.
	const auto lvms = is_where_lvm_has_it(context, volume, volume.table.base);
	if (lvms && *lvms)
		return {};
	const auto known = origin(context, volume.info);
	const auto where = device_path(context, volume.table.base.device);

	if (known == volume.table.base)
		return {};
	auto why = known ? "a copy has moved it from " + device_path(context, known->device) +
				   " to " + where
			 : "it is on " + where + ", and whether it was attached there is not known";
	why += ": the table it had may lead to stale data";
	if (volume.lvm)
		why += "; it is an LV, and LVM's metadata names the old place all the same";
	return refusal(Status::usage, detach_verb, volume.name(), std::move(why),
		       "blkctl detach " + volume.name() + " --to-copy, to leave it on " + where +
			       " by a linear table");
}

} // namespace

Result<Outcome> detach(Context &context, const DetachRequest &request, Run run)
{
	Change change(context, detach_verb, run);

	BLKCTL_TRY(const auto found, change.open(request.name));
	const auto examined = find_for_change(change, found.devno);
	if (!examined) {
		if (examined.error().status == Status::not_found)
			return finish_killed(change, found, examined.error());
		return examined.error();
	}
	const auto &volume = *examined;
	const auto &device = volume.info;

	if (volume.kind == Kind::created)
		return refusal(Status::usage, detach_verb, device.name,
			       "it was created, not attached", "blkctl remove " + device.name);
	BLKCTL_CHECK(check_no_overlay(detach_verb, volume));
	if (volume.state() != JobState::none)
		return refusal(Status::busy, detach_verb, device.name, "it has a copy",
			       "blkctl abort " + device.name);

	if (volume.kind != Kind::stacked && !request.to_copy)
		BLKCTL_CHECK(check_origin(context, volume));

	BLKCTL_CHECK(clear_stale(change, device));
	BLKCTL_TRY(const auto before, context.dm.table(device.devno, dm::Slot::live, false));
	if (volume.kind == Kind::stacked) {
		BLKCTL_TRY(const auto hidden, context.dm.info(volume.table.base.device));
		BLKCTL_TRY(auto original, context.dm.table(hidden.devno, dm::Slot::live, true));
		if (original.empty())
			return refusal(Status::failed, detach_verb, device.name,
				       "its hidden device " + hidden.name + " has no table");
		change.load(device, std::move(original), true);
		change.switch_table(device, before);
		change.remove_hidden(hidden);
	} else {
		const table::Linear linear{volume.table.base};
		change.load(device, {{0, volume.sectors, "linear", table::print(linear)}});
		change.switch_table(device);
	}
	// Where LVM has it not, it goes on coming back by us.
	auto rest = volume;
	rest.table.bitmaps.reset();
	BLKCTL_CHECK(add_plain_entry(change, rest, volume.table.base));
	add_bitmap_metadata_end(change, volume);
	BLKCTL_TRY(auto outcome, change.finish(device));
	if (!change.dry()) {
		forget_switch(context, device);
		forget_origin(context, device);
	}
	return outcome;
}

} // namespace blkctl::volume
