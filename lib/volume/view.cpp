// SPDX-License-Identifier: GPL-2.0-or-later
// view: what a volume holds now, to be read in peace while it is written to.
#include "volume/view.hpp"
#include "table/view.hpp"
#include "uapi/blkcopy.h"
#include "volume/bitmaps.hpp"
#include "volume/boot.hpp"
#include "volume/cache.hpp"
#include "volume/chain.hpp"
#include "volume/group.hpp"
#include "volume/image_note.hpp"
#include "volume/legs.hpp"
#include "volume/lv.hpp"
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
	return volume.is_preserving() && has_store(context, volume, store);
}

void add_forgetting(Change &change, const Volume &volume)
{
	auto &context = change.context();
	const auto info = volume.info;

	if (backup_record(context, info))
		change.add({"forget what was written down of a backup of " + label(info),
			    [&context, info]() -> Result<void> {
				    forget_backup(context, info);
				    return {};
			    },
			    {}});
}

void add_removal(Change &change, const dm::Info &view)
{
	auto &context = change.context();

	change.add({"remove the device " + label(view),
		    [&context, view] { return context.dm.remove(view.devno, visibility); },
		    {}});
}

bool has_metadata(const ViewRequest &request)
{
	return request.persistent || !request.metadata.empty();
}

// Errors: usage.
Result<void> check_can_last(Change &change, const Volume &volume, const ViewRequest &request)
{
	if (!has_metadata(request))
		return {};
	BLKCTL_TRY(const bool can, can_come_back(change.context(), volume));
	if (can)
		return {};
	return refusal(Status::usage, change.verb(), volume.name(),
		       "it was attached, and comes up at boot without us: writes would go past "
		       "what is kept",
		       "blkctl help " + change.verb());
}

// Adds the metadata of what is kept, and that the volume comes back with it.
Result<Place> add_view_metadata(Change &change, const Volume &volume, const ViewRequest &request,
				const Place &store, const table::Blkcopy &backup)
{
	auto &context = change.context();
	std::vector<DevNo> legs{volume.table.base.device};

	BLKCTL_TRY(const auto super, new_super(volume, meta::Mode::backup));
	if (store.block)
		legs.push_back(store.block->devno);
	const auto complete = [&context, volume,
			       store](meta::Superblock whole) -> Result<meta::Superblock> {
		const auto &base = volume.table.base;
		BLKCTL_TRY(whole.legs[0], leg_of(context.probe, base.device, base.offset,
						 volume.sectors, Stamped::no));
		BLKCTL_TRY(whole.legs[1],
			   leg_of(context.probe, *store.devno, 0, volume.sectors, Stamped::no));
		return whole;
	};
	BLKCTL_TRY(const auto place,
		   add_metadata(change, request.metadata, super, volume.devno(), legs, complete));
	BLKCTL_CHECK(check_not_on(context, change.verb(), volume, place));
	auto told = backup;
	told.features.paused = !request.fill;
	BLKCTL_CHECK(add_first_layer(change, volume, place, told, "with what is kept"));
	return place;
}

// Adds the table that it preserves with; who switches to it is at the instant. Returns what is new:
// the store, and the metadata if it has any.
Result<std::vector<Place>> add_arming(Change &change, const Volume &volume,
				      const ViewRequest &request)
{
	const TargetRules rules{
		.verb = change.verb(), .role = "store", .any_content = request.force};

	BLKCTL_CHECK(check_plain(change.verb(), volume));
	BLKCTL_CHECK(check_came_back_whole(change.context(), change.verb(), volume.name(), volume));
	BLKCTL_CHECK(check_can_last(change, volume, request));
	BLKCTL_TRY(const auto store, add_store(change, rules, volume, request.store));
	table::Blkcopy backup;
	backup.mode = table::Mode::backup;
	backup.base = volume.table.base;
	backup.block_sectors = volume.table.block_sectors;
	backup.bitmaps = volume.table.bitmaps;
	// Nothing is copied that nobody overwrites, unless that is asked for; and not before it is
	// said what is to be kept.
	backup.features.paused = !request.fill || request.only_changed;
	backup.features.backup_persistent = request.persistent;
	if (request.on_store_error != table::Policy::report)
		backup.params.on_top_error = request.on_store_error;
	std::optional<Place> meta;
	if (has_metadata(request)) {
		BLKCTL_TRY(meta, add_view_metadata(change, volume, request, store, backup));
	}
	const auto text = "0 " + std::to_string(volume.sectors) +
			  " " BLKCOPY_TARGET " " BLKCOPY_MODE_BACKUP " " +
			  backup.base.device.str() + " " + std::to_string(backup.base.offset) +
			  " " + store.text + " 0 " + (meta ? meta->text : "-") + " " +
			  std::to_string(backup.block_sectors) + options_text(backup);
	change.load(volume.info, text, [backup, store, meta, sectors = volume.sectors]() mutable {
		backup.top = table::Leg{*store.devno, 0};
		if (meta)
			backup.meta = meta->devno->str();
		return blkcopy_table(sectors, backup);
	});
	if (store.block) {
		add_second_look(change, rules, volume, *store.block);
		add_end_of_image(change, store.block->devno);
	}
	std::vector<Place> places{store};
	if (meta)
		places.push_back(*meta);
	return places;
}

// Adds writing down, right before the instant, which backup it is for; or that it is for none: what
// is written down is always of the view there is.
void add_record(Change &change, const Volume &volume, const std::shared_ptr<BackupRecord> &record)
{
	auto &context = change.context();
	const auto info = volume.info;

	if (!record) {
		add_forgetting(change, volume);
		return;
	}
	change.add({"write down which backup of " + label(info) + " it is for",
		    [&context, info, record] { return remember_backup(context, info, *record); },
		    [&context, info]() -> Result<void> {
			    forget_backup(context, info);
			    return {};
		    }});
}

// Errors: aborted, if what is to be there already is of another backup by now, or not there.
Result<void> check_again(Change &change, const Volume &volume, const ViewRequest &request,
			 bool armed)
{
	if (!request.again)
		return {};
	const auto record = backup_record(change.context(), volume.info);
	if (armed && record && record->id == request.record->id)
		return {};
	return refusal(Status::aborted, change.verb(), volume.name(),
		       "that backup was given up just now");
}

Result<bool> takes_discards(Context &context, const dm::Info &view)
{
	BLKCTL_TRY(const auto live, context.dm.table(view.devno, dm::Slot::live, false));
	const auto table =
		live.empty() ? Result<table::View>(Error{}) : table::parse_view(live[0].params);
	return table && table->discards;
}

// Whether nothing was given up of what is in no bitmap: that is done at once, or never.
bool keeps_all(const Volume &volume, const std::string &bitmap)
{
	const auto changed = bitmap_of(view_verb, volume, bitmap);
	const auto &status = volume.status;

	return changed && changed->dirty_blocks < status.total && status.zero == 0;
}

table::Policy policy_of(const Volume &volume)
{
	return volume.table.params.on_top_error.value_or(table::Policy::report);
}

// Errors: usage.
Result<void> check_policy(const ViewRequest &request)
{
	if (request.on_store_error != table::Policy::ignore)
		return {};
	return refusal(Status::usage, view_verb, request.view,
		       "an error of the store cannot be ignored: what that has not taken is lost "
		       "to the view",
		       "blkctl help view");
}

// Adds that all goes to the store from here on, unless that is so by now; `armed`: it is there
// already, and what its volume is, is of it.
void add_fill(Change &change, const Volume &volume, const ViewRequest &request, bool armed)
{
	const bool is_late = armed ? !volume.is_filling() : request.only_changed;

	if (!request.fill || !is_late)
		return;
	if (armed)
		add_told(change, volume, [](tab::Entry &entry) { entry.fill = true; });
	change.message(volume.info, "copy resume");
}

// A view that is there is as it was made; `view`: its device, which may not be there yet. One of a
// backup is checked by that.
Result<void> check_as_made(Change &change, const Volume &volume, const ViewRequest &request,
			   const std::optional<dm::Info> &view)
{
	auto &context = change.context();
	const auto no = [&](const std::string &why) {
		return refusal(Status::busy, change.verb(), request.view, "it is there, and " + why,
			       "blkctl remove " + request.view +
				       " to make another, of another instant");
	};

	if (request.persistent && !volume.table.features.backup_persistent)
		return no("not a persistent one");
	if (!request.metadata.empty() && !has_metadata_at(context, volume, request.metadata))
		return no("its metadata is elsewhere");
	if (request.on_store_error && *request.on_store_error != policy_of(volume))
		return refusal(Status::busy, change.verb(), request.view,
			       "it is there, with --on-store-error " +
				       std::string(word(policy_of(volume))),
			       "blkctl set " + volume.name() + " on-top-error=" +
				       std::string(word(*request.on_store_error)));
	if (request.fill && volume.state() == JobState::needs_attention)
		return refusal(Status::needs_attention, change.verb(), request.view,
			       "it is there, and its store has failed: " + volume.errors_text(),
			       "blkctl resume " + volume.name() + ", once the store is well");
	if (request.record || !view || !view->live_table)
		return {};
	if (request.only_changed && keeps_all(volume, request.bitmap))
		return no("keeps what has not changed, too");
	BLKCTL_TRY(const bool discards,
		   request.discards ? takes_discards(context, *view) : Result<bool>(true));
	return discards ? Result<void>() : no("takes no discards");
}

// Errors: not_found, busy.
Result<void> check_bitmap(Change &change, const Volume &volume, const std::string &bitmap,
			  bool frozen)
{
	if (bitmap.empty())
		return {};
	BLKCTL_TRY(const auto status, bitmap_of(change.verb(), volume, bitmap));
	if (!frozen && status.state == BLKCOPY_BITMAP_DISABLED)
		return refusal(Status::busy, change.verb(), volume.name(),
			       "bitmap \"" + bitmap +
				       "\" is disabled: what has changed is not in it",
			       "blkctl bitmap enable " + volume.name() + " " + bitmap);
	if ((status.state == BLKCOPY_BITMAP_FROZEN) == frozen)
		return {};
	return refusal(Status::busy, change.verb(), volume.name(),
		       frozen ? "bitmap \"" + bitmap +
					"\" is not frozen any more: it is not of "
					"the view's instant"
			      : "bitmap \"" + bitmap + "\" is frozen already",
		       frozen ? "blkctl abort " + volume.name()
			      : "blkctl bitmap thaw " + volume.name() + " " + bitmap +
					", if the backup it was frozen for has failed");
}

// What it has is of the view: nobody else can say so later.
void add_frozen_note(Change &change, const Volume &volume, const std::string &bitmap)
{
	auto &context = change.context();
	const auto text = bitmap.empty() ? "forget which bitmap was frozen for a view before"
					 : "remember that bitmap " + bitmap + " is of the view";

	if (bitmap.empty() && !frozen_bitmap(context, volume.info))
		return;
	change.add({text,
		    [&context, info = volume.info, bitmap]() -> Result<void> {
			    forget_frozen(context, info);
			    if (!bitmap.empty())
				    remember_frozen(context, info, bitmap);
			    return {};
		    },
		    {}});
}

// Adds the instant: from then on what is overwritten is in the stores before.
void add_instant_of_all(Change &change, const std::vector<Volume> &volumes,
			const std::vector<ViewRequest> &requests)
{
	const bool no_freeze = requests.front().no_freeze;
	std::vector<dm::GroupMessage> messages;
	std::vector<dm::Info> devices;

	for (size_t i = 0; i < volumes.size(); i++) {
		devices.push_back(volumes[i].info);
		if (!requests[i].bitmap.empty())
			messages.push_back({volumes[i].devno(),
					    "bitmap freeze " + requests[i].bitmap,
					    "bitmap thaw " + requests[i].bitmap});
	}
	if (volumes.size() == 1 && messages.empty())
		add_instant(change, devices[0], no_freeze,
			    track_table(volumes[0], volumes[0].table.base));
	else
		change.switch_tables(devices, !no_freeze, messages);
}

// Adds the device that reads it.
void add_device(Change &change, const Volume &volume, bool discards,
		const std::shared_ptr<dm::Info> &device)
{
	const table::View params{.live = volume.devno(), .discards = discards};
	const dm::Table table{{0, volume.sectors, BLKCOPY_VIEW_TARGET, table::print(params)}};

	// Nobody can discard on a read-only device; a write to it fails in the kernel.
	device->read_only = !discards;
	if (device->uuid.empty())
		add_creation(change, device->name, uuid_for(volume), device, visibility);
	add_first_load(change, device, table[0].str(), [table] { return dm::Table(table); });
	add_first_resume(change, device, visibility);
}

} // namespace

Result<Outcome> view(Context &context, const ViewRequest &request, Run run)
{
	return view_all(context, {request}, run);
}

Result<Outcome> view_all(Context &context, const std::vector<ViewRequest> &requests, Run run)
{
	Change change(context, view_verb, run);
	std::vector<std::optional<dm::Info>> existing;
	std::vector<std::string> names, stores;
	size_t armed = 0, done = 0;

	for (const auto &request : requests) {
		BLKCTL_CHECK(check_name(view_verb, request.view));
		BLKCTL_CHECK(check_policy(request));
		if (request.only_changed && request.bitmap.empty())
			return refusal(Status::usage, view_verb, request.name,
				       "what has changed is in no bitmap that is named");
		names.push_back(request.name);
		stores.push_back(request.store);
	}
	BLKCTL_CHECK(check_stores(change, stores));
	BLKCTL_TRY(const auto volumes, open_all(change, names));
	for (size_t i = 0; i < requests.size(); i++) {
		BLKCTL_CHECK(change.lock_name(requests[i].view));
		BLKCTL_TRY(const auto found, find_by_name(context, requests[i].view));
		const bool is_ours = found && found->uuid == uuid_for(volumes[i]);
		const bool has_store = is_armed(context, volumes[i], requests[i].store);
		if (found && !(is_ours && (!found->live_table || has_store)))
			return refusal(Status::busy, view_verb, requests[i].view,
				       "there is a device of this name already",
				       is_ours ? "blkctl remove " + requests[i].view
					       : "dmsetup info " + requests[i].view);
		armed += has_store ? 1 : 0;
		done += has_store && found && found->live_table ? 1 : 0;
		existing.push_back(found);
	}
	if (armed > 0 && armed < requests.size())
		return refusal(Status::busy, view_verb, names_of(volumes),
			       "some of them have these views already, of another instant",
			       "blkctl list");
	for (size_t i = 0; i < requests.size(); i++)
		BLKCTL_CHECK(check_again(change, volumes[i], requests[i], armed > 0));
	for (size_t i = 0; i < requests.size(); i++)
		BLKCTL_CHECK(check_bitmap(change, volumes[i], requests[i].bitmap, armed > 0));
	if (armed > 0)
		for (size_t i = 0; i < requests.size(); i++)
			BLKCTL_CHECK(check_as_made(change, volumes[i], requests[i], existing[i]));
	const auto is_as_asked = [&](size_t i) {
		return !requests[i].fill || volumes[i].is_filling();
	};
	bool as_asked = done == requests.size();
	for (size_t i = 0; i < requests.size(); i++)
		as_asked = as_asked && is_as_asked(i);
	if (as_asked)
		return change.nothing_to_do(*existing[0]);
	if (armed == 0) {
		BLKCTL_CHECK(check_apart(change, volumes));
		for (size_t i = 0; i < requests.size(); i++) {
			BLKCTL_TRY(const auto places, add_arming(change, volumes[i], requests[i]));
			BLKCTL_CHECK(check_places(change, volumes, volumes[i], places));
		}
		for (size_t i = 0; i < requests.size(); i++) {
			add_record(change, volumes[i], requests[i].record);
			add_frozen_note(change, volumes[i], requests[i].bitmap);
		}
		add_instant_of_all(change, volumes, requests);
	}
	for (size_t i = 0; i < requests.size(); i++)
		if (requests[i].only_changed)
			change.message(volumes[i].info, "preserve " + requests[i].bitmap);
	for (size_t i = 0; i < requests.size(); i++)
		add_fill(change, volumes[i], requests[i], armed > 0);
	std::vector<std::shared_ptr<dm::Info>> devices;
	for (size_t i = 0; i < requests.size(); i++) {
		devices.push_back(std::make_shared<dm::Info>(existing[i].value_or(dm::Info{})));
		devices[i]->name = requests[i].view;
		if (!existing[i] || !existing[i]->live_table)
			add_device(change, volumes[i], requests[i].discards, devices[i]);
	}
	dm::Info all = volumes[0].info;
	all.name = names_of(volumes);
	BLKCTL_TRY(auto outcome, change.finish(all));
	outcome.device = devices[0]->devno;
	return outcome;
}

Result<void> add_end_of_backup(Change &change, const Volume &volume)
{
	BLKCTL_CHECK(clear_stale(change, volume.info));
	if (volume.status.phase != table::Phase::broken)
		change.message(volume.info, "phase abort");
	add_settle(change, volume);
	// Before the switch: a kill behind it leaves nothing but files that the next view takes.
	if (volume.table.meta_device())
		BLKCTL_CHECK(add_plain_entry(change, volume, volume.table.base, true));
	change.load(volume.info, track_table(volume, volume.table.base));
	change.switch_table(volume.info, {}, volume.table.top->device);
	add_loop_release(change, volume.table.top->device);
	BLKCTL_CHECK(add_end_of_metadata(change, volume, {}));
	add_forgetting(change, volume);
	return {};
}

Result<void> add_rest_of_view(Change &change, const Volume &volume)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto devices, context.dm.list());

	for (const auto &each : devices) {
		BLKCTL_TRY(const auto view, context.dm.info(each.devno));
		if (view.uuid != uuid_for(volume))
			continue;
		BLKCTL_CHECK(check_closed(context, change.verb(), view));
		add_removal(change, view);
	}
	return {};
}

std::string backup_view(const std::string &name)
{
	return name + "-backup";
}

namespace
{

// The view of a backup, which nobody reads any more.
Result<void> add_end_of_view(Change &change, const Volume &volume)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto view, find_by_name(context, backup_view(volume.name())));

	if (view && view->uuid == uuid_for(volume) && view->open_count == 0)
		add_removal(change, *view);
	return {};
}

// What was kept in its bitmap is forgotten, or comes back to the rest.
void add_end_of_bitmap(Change &change, const Volume &volume, const BackupRecord &record, bool clear)
{
	const auto bitmap = bitmap_of(change.verb(), volume, record.bitmap);

	if (!bitmap || bitmap->state != BLKCOPY_BITMAP_FROZEN)
		return;
	// One that was frozen anew since keeps changes that are in no backup.
	const bool ours = record.kept == bitmap->dirty_blocks;
	change.message(volume.info,
		       (clear && ours ? "bitmap clear " : "bitmap thaw ") + record.bitmap);
}

// A file that was made for it goes. It is in use until the switch, by its loop device alone, which
// goes when it is not used any more.
void add_end_of_store(Change &change, const BackupRecord &record, const Volume &volume)
{
	auto &context = change.context();

	if (record.store.empty())
		return;
	// Of one that was killed after its switch.
	if (volume.table.mode != table::Mode::backup)
		for (const auto &loop : context.probe.loops())
			if (loop.file == record.store)
				add_loop_release(change, loop.devno);
	change.add({"remove " + record.store,
		    [&context, file = record.store] { return context.loops.unmake(file); },
		    {}});
}

} // namespace

Result<void> add_end_of_job(Change &change, const Volume &volume, bool clear)
{
	auto &context = change.context();
	const auto record = backup_record(context, volume.info);

	// Before what is written down goes: a kill in between leaves nothing that nobody knows.
	BLKCTL_CHECK(add_end_of_view(change, volume));
	if (record)
		add_end_of_store(change, *record, volume);
	if (volume.table.mode == table::Mode::backup) {
		if (record)
			add_end_of_bitmap(change, volume, *record, clear);
		return add_end_of_backup(change, volume);
	}
	add_forgetting(change, volume);
	return {};
}

Result<Outcome> end_backup(Context &context, const std::vector<std::string> &names,
			   const std::string &id, bool clear, Run run)
{
	Change change(context, "backup", run);
	BLKCTL_TRY(const auto volumes, open_all(change, names));

	for (const auto &volume : volumes) {
		const auto record = backup_record(context, volume.info);
		if (record && record->id == id)
			BLKCTL_CHECK(add_end_of_job(change, volume, clear));
		else if (!record)
			BLKCTL_CHECK(add_end_of_view(change, volume));
	}
	dm::Info all = volumes[0].info;
	all.name = names_of(volumes);
	return change.finish(all);
}

Result<Outcome> remove_view(Change &change, const dm::Info &info)
{
	auto &context = change.context();

	bool with_its_backup = false;

	BLKCTL_CHECK(check_closed(context, change.verb(), info));
	BLKCTL_TRY(const auto live, context.dm.table(info.devno, dm::Slot::live, false));
	// The volume may be gone, or have gone on to something else.
	if (!live.empty()) {
		const auto below = table::parse_view(live[0].params);
		const auto there =
			below ? context.dm.info(below->live) : Result<dm::Info>(below.error());
		if (there && there->live_table) {
			BLKCTL_TRY(const auto locked, change.open(there->devno.str()));
			const auto seen = find(context, locked.devno);
			if (seen && seen->table.mode == table::Mode::backup) {
				// Of a layer by an earlier version.
				BLKCTL_TRY(const auto volume,
					   find_for_change(change, locked.devno, Hidden::allowed));
				with_its_backup = info.name == backup_view(volume.name());
				BLKCTL_CHECK(with_its_backup ? add_end_of_job(change, volume, false)
							     : add_end_of_backup(change, volume));
			}
		}
	}
	if (!with_its_backup)
		add_removal(change, info);
	return change.finish(info);
}

} // namespace blkctl::volume
