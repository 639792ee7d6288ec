// SPDX-License-Identifier: GPL-2.0-or-later
// view: what a volume holds now, to be read in peace while it is written to.
#include "volume/view.hpp"
#include "uapi/blkcopy.h"
#include "volume/making.hpp"
#include "volume/settle.hpp"
#include "volume/store.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *view_verb = "view";

// It has its node and no other name: what is on it carries the volume's labels and UUIDs, and links
// by those must go on meaning the volume.
constexpr auto visibility = dm::Visibility::hidden;

std::string uuid_for(const Volume &volume)
{
	return view_uuid(volume_hex(volume.info.uuid, volume.name()));
}

// What a killed view has left: the volume preserves into this very store already.
bool is_armed(Context &context, const Volume &volume, const std::string &store)
{
	return volume.table.mode == table::Mode::backup && volume.state() == JobState::preserving &&
	       has_store(context, volume, store);
}

// Adds the instant: from then on what is overwritten is in the store before.
Result<void> add_arming(Change &change, const Volume &volume, const ViewRequest &request)
{
	const TargetRules rules{.verb = view_verb, .role = "store", .any_content = request.force};

	BLKCTL_CHECK(check_plain(view_verb, volume));
	BLKCTL_TRY(const auto store, add_store(change, rules, volume, request.store));
	table::Blkcopy backup;
	backup.mode = table::Mode::backup;
	backup.base = volume.table.base;
	backup.block_sectors = volume.table.block_sectors;
	// Nothing is copied that nobody overwrites.
	backup.features.paused = true;
	const auto text = "0 " + std::to_string(volume.sectors) +
			  " " BLKCOPY_TARGET " " BLKCOPY_MODE_BACKUP " " +
			  backup.base.device.str() + " " + std::to_string(backup.base.offset) +
			  " " + store.text + " 0 - " + std::to_string(backup.block_sectors) +
			  " 1 " BLKCOPY_FEATURE_PAUSED;
	change.load(volume.info, text, [backup, store, sectors = volume.sectors]() mutable {
		backup.top = table::Leg{*store.devno, 0};
		return blkcopy_table(sectors, backup);
	});
	if (store.block)
		add_second_look(change, rules, volume, *store.block);
	add_instant(change, volume.info, request.no_freeze, track_table(volume, volume.table.base));
	return {};
}

// Adds the device that reads it.
void add_device(Change &change, const Volume &volume, const std::shared_ptr<dm::Info> &device)
{
	const dm::Table table{{0, volume.sectors, BLKCOPY_VIEW_TARGET, volume.devno().str()}};

	device->read_only = true;
	if (device->uuid.empty())
		add_creation(change, device->name, uuid_for(volume), device, visibility);
	add_first_load(change, device, table[0].str(), [table] { return dm::Table(table); });
	add_first_resume(change, device, visibility);
}

} // namespace

Result<Outcome> view(Context &context, const ViewRequest &request, Run run)
{
	Change change(context, view_verb, run);

	BLKCTL_CHECK(check_name(view_verb, request.view));
	BLKCTL_TRY(const auto found, change.open(request.name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	BLKCTL_CHECK(change.lock_name(request.view));
	BLKCTL_TRY(const auto existing, find_by_name(context, request.view));
	const bool armed = is_armed(context, volume, request.store);
	const bool own = existing && existing->uuid == uuid_for(volume);

	if (existing && !(own && !existing->live_table)) {
		if (own && armed)
			return change.nothing_to_do(*existing);
		return refusal(Status::busy, view_verb, request.view,
			       "there is a device of this name already",
			       own ? "blkctl remove " + request.view
				   : "dmsetup info " + request.view);
	}
	if (!armed)
		BLKCTL_CHECK(add_arming(change, volume, request));
	const auto device = std::make_shared<dm::Info>(existing.value_or(dm::Info{}));
	device->name = request.view;
	add_device(change, volume, device);
	BLKCTL_TRY(auto outcome, change.finish(volume.info));
	outcome.device = device->devno;
	return outcome;
}

Result<void> add_end_of_backup(Change &change, const Volume &volume)
{
	BLKCTL_CHECK(clear_stale(change, volume.info));
	if (volume.status.phase != table::Phase::broken)
		change.message(volume.info, "phase abort");
	add_settle(change, volume);
	change.load(volume.info, track_table(volume, volume.table.base));
	change.switch_table(volume.info, {}, volume.table.top->device);
	add_loop_release(change, volume.table.top->device);
	return {};
}

Result<Outcome> remove_view(Change &change, const dm::Info &info)
{
	auto &context = change.context();

	BLKCTL_CHECK(check_closed(context, change.verb(), info));
	BLKCTL_TRY(const auto live, context.dm.table(info.devno, dm::Slot::live, false));
	// The volume may be gone, or have gone on to something else.
	if (!live.empty()) {
		const auto below = context.probe.resolve(live[0].params);
		const auto there =
			below ? context.dm.info(*below) : Result<dm::Info>(below.error());
		if (there && there->live_table) {
			BLKCTL_TRY(const auto locked, change.open(there->devno.str()));
			const auto seen = find(context, locked.devno);
			if (seen && seen->table.mode == table::Mode::backup) {
				BLKCTL_TRY(const auto volume,
					   find_for_change(change, locked.devno));
				BLKCTL_CHECK(add_end_of_backup(change, volume));
			}
		}
	}
	change.add({"remove the device " + label(info),
		    [&context, info] { return context.dm.remove(info.devno, visibility); },
		    {}});
	return change.finish(info);
}

} // namespace blkctl::volume
