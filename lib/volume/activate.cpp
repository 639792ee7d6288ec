// SPDX-License-Identifier: GPL-2.0-or-later
// activate: a volume comes back from what is written down of it.
#include "base/random.hpp"
#include "volume/bitmap_metadata.hpp"
#include "volume/bitmap_stamp.hpp"
#include "volume/boot.hpp"
#include "volume/chain.hpp"
#include "volume/damage.hpp"
#include "volume/lv.hpp"
#include "volume/making.hpp"
#include "volume/recorded.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"
#include <thread>

namespace blkctl::volume
{

namespace
{

constexpr const char *activate_verb = "activate";
constexpr auto look_again = std::chrono::milliseconds(200);

using OwnDevice = std::optional<dm::Info>;

// The device of this name, if it is the volume's own; one of somebody else is in the way.
Result<OwnDevice> find_own(Context &context, const std::string &name, const std::string &uuid)
{
	BLKCTL_TRY(const auto found, find_by_name(context, name));

	if (!found || found->uuid == uuid)
		return found;
	return refusal(Status::busy, activate_verb, name,
		       "there is another device of this name already", "dmsetup info " + name);
}

std::optional<DevNo> number_of(const OwnDevice &device)
{
	return device ? std::optional(device->devno) : std::nullopt;
}

// What can be said before anything is done. Of an LV that LVM has in a PV the rest of that is
// others'.
Result<void> check_layer(Context &context, const std::string &name, const RecordedLayer &layer,
			 const std::optional<DevNo> &own, bool in_pv)
{
	BLKCTL_CHECK(check_unheld(context, activate_verb, name, layer.meta, own));
	for (const auto &[which, leg] :
	     {std::pair(Which::base, layer.base), std::pair(Which::top, layer.top)}) {
		if (!leg)
			continue;
		if (which == Which::top || !in_pv)
			BLKCTL_CHECK(check_unheld(context, activate_verb, name, *leg, own));
		if (leg->block)
			BLKCTL_CHECK(
				check_leg(context.probe, layer.super, which, leg->block->devno));
	}
	return {};
}

// Of what only is there since the plan began.
Result<void> check_again(Context &context, const RecordedLayer &layer, DevNo base)
{
	if (needs_base(layer.super))
		BLKCTL_CHECK(check_leg(context.probe, layer.super, Which::base, base));
	if (layer.top)
		BLKCTL_CHECK(check_leg(context.probe, layer.super, Which::top, *layer.top->devno));
	return {};
}

// Before the first write that its store does not get to see.
Result<void> write_broken(Context &context, const RecordedLayer &layer)
{
	BLKCTL_TRY(auto written, open_super(context, *layer.meta.devno));

	written.super.phase = meta::Phase::broken;
	return meta::update_superblock(*written.device, written.super);
}

// What is written while LVM has it is in no bitmap.
void add_lvm_doubt(Change &change, const std::optional<Place> &bitmaps,
		   const std::optional<lvm::LogicalVolume> &lv)
{
	if (!bitmaps || !lv || lv->is_skipped)
		return;
	add_bitmap_doubt(change, *bitmaps, "LVM was not told to leave it to blkctl");
	add_hold(change, *lv);
}

// LVM may have been made to activate it all the same. Said to its bitmaps too, as it may be gone
// again before the next look.
Result<void> check_ours(Change &change, const OwnDevice &existing, const tab::Entry &entry)
{
	auto &context = change.context();

	if (!existing || !existing->live_table || entry.lv.empty())
		return {};
	BLKCTL_TRY(const auto live, context.dm.table(existing->devno, dm::Slot::live, false));
	if (!live.empty() && live[0].type == BLKCOPY_TARGET)
		return {};
	if (!entry.bitmaps.empty() && !change.dry())
		(void)void_bitmaps(context, entry);
	return refusal(Status::busy, activate_verb, entry.name,
		       "LVM has activated it as it was before, without what is elsewhere",
		       !entry.bitmaps.empty() && is_on_extents(context, entry)
			       ? "blkctl attach " + entry.name
			       : "lvchange -an, and blkctl activate " + entry.name);
}

// The table that LVM would give an LV, on a device that is hidden: what attach has made of it.
Result<std::shared_ptr<dm::Info>> add_hidden(Change &change, const lvm::LogicalVolume &lv,
					     const std::string &hex)
{
	auto &context = change.context();
	const auto name = hidden_name(lv.mapper_name);
	BLKCTL_TRY(const auto existing, find_own(context, name, hidden_uuid(hex)));
	const auto device = std::make_shared<dm::Info>(existing.value_or(dm::Info{}));
	BLKCTL_TRY(const auto table, lvm_table(context, activate_verb, lv));

	device->name = name;
	if (existing && existing->live_table)
		return device;
	if (!existing)
		add_creation(change, name, hidden_uuid(hex), device, dm::Visibility::hidden);
	else if (existing->inactive_table)
		change.clear(*existing);
	add_first_load(change, device, "the table that LVM has for " + lv.path(),
		       [table] { return dm::Table(table); });
	add_first_resume(change, device, dm::Visibility::hidden);
	return device;
}

// An LV in LVM's eyes.
struct Lvm {
	std::optional<lvm::LogicalVolume> lv = {}; // if LVM knows it, or has to
	bool in_pv = false;                        // the base is where LVM has it
};

/*
 * Of a volume whose base is where LVM has it: that has to be as it was, and LVM not to have had it
 * since. `alone`: all of it is there, so LVM may have it.
 */
Result<void> check_not_lvms(const lvm::LogicalVolume &lv, bool alone)
{
	if (lv.is_skipped || alone)
		return {};
	return refusal(
		Status::needs_attention, activate_verb, lv.mapper_name,
		"LVM is not told to leave it to blkctl, and may have had it since: whether its "
		"base was written to is not known",
		"lvchange --setactivationskip y " + lv.path() +
			" if it was not, and the same again");
}

Result<Lvm> check_lv(Context &context, const tab::Entry &entry, const Recorded &recorded)
{
	const auto &lowest = recorded.layers.front();
	const auto &super = lowest.super;
	Lvm found;

	if (entry.lv.empty())
		return found;
	BLKCTL_TRY(found.lv, find_lv(context, entry.lv));
	if (found.lv)
		BLKCTL_CHECK(check_lv_name(context, activate_verb, *found.lv, entry));
	if (lowest.on_hidden) {
		BLKCTL_TRY(found.lv, find_lv_of(context, activate_verb, entry));
		BLKCTL_CHECK(check_size(activate_verb, *found.lv, super.geometry.sectors));
	} else if (lowest.base && lowest.base->block) {
		BLKCTL_TRY(found.in_pv, is_in_pv(context, activate_verb, entry,
						 {lowest.base->block->devno, super.legs[0].start},
						 super.geometry.sectors));
	}
	if (lowest.on_hidden || found.in_pv)
		BLKCTL_CHECK(check_not_lvms(*found.lv, !needs_top(recorded.layers.back())));
	return found;
}

struct Builder {
	Change &change;
	const tab::Entry &entry;
	std::optional<Place> bitmaps = {};
	// Of the layer below, once there is one.
	std::shared_ptr<dm::Info> below = {};

	void add_layer(const Recorded &recorded, const RecordedLayer &layer,
		       const OwnDevice &existing);
	std::string table_text(const RecordedLayer &layer) const;
};

std::string Builder::table_text(const RecordedLayer &layer) const
{
	const auto &super = layer.super;
	const auto base = layer.on_layer    ? "(layer below)"
			  : layer.on_hidden ? "(hidden device)"
			  : layer.base      ? layer.base->text
					    : "-";
	auto text = "0 " + std::to_string(super.geometry.sectors) + " blkcopy ";

	if (!needs_top(layer))
		return text + "track " + base;
	if (!needs_base(super))
		return text + "track " + layer.top->text;
	return text + std::string(meta::word(super.mode)) + " " + base + " " +
	       std::to_string(super.legs[0].start) + " " + layer.top->text + " " +
	       std::to_string(super.legs[1].start) + " " + layer.meta.text + " " +
	       std::to_string(super.geometry.block_sectors);
}

void Builder::add_layer(const Recorded &recorded, const RecordedLayer &layer,
			const OwnDevice &existing)
{
	auto &context = change.context();
	const bool hidden = layer.number != 0;
	const auto visibility = hidden ? dm::Visibility::hidden : dm::Visibility::visible;
	const auto name = hidden ? layer_name(recorded.name, layer.number) : recorded.name;
	const auto uuid = hidden ? layer_uuid(recorded.hex, layer.number) : recorded.uuid;
	const auto own = number_of(existing);
	const auto device = std::make_shared<dm::Info>(existing.value_or(dm::Info{}));
	const auto lower = below;
	const auto base = [layer, lower] {
		if (layer.on_layer || layer.on_hidden)
			return lower->devno;
		return layer.base ? *layer.base->devno : DevNo{};
	};
	const auto options = entry;
	// They are the volume's, not a layer's.
	const auto tracked = hidden ? std::nullopt : bitmaps;

	below = device;
	device->name = name;
	if (existing && existing->live_table)
		return;
	// What a killed one has loaded holds the devices.
	if (existing && existing->inactive_table)
		change.clear(*existing);
	// A job that is over needs one of the three alone.
	const bool on_two = needs_base(layer.super) && needs_top(layer);
	const bool on_meta = on_two || layer.breaks_view;
	for (const auto &place :
	     {on_meta ? std::optional(layer.meta) : std::nullopt, layer.base, layer.top})
		if (place && !place->block)
			add_loop(change, *place, own);
	change.add({"make sure that the devices of " + name + " are the ones recorded",
		    [&context, layer, base] { return check_again(context, layer, base()); },
		    {}});
	if (layer.breaks_view)
		change.add({"write down that the view of " + name + " is broken, for good",
			    [&context, layer] { return write_broken(context, layer); },
			    {}});
	if (is_frozen(layer.super, Which::base))
		change.add({"write down what the base of " + name + " looks like",
			    [&context, layer, base] {
				    return write_stamp(context, *layer.meta.devno, base());
			    },
			    {}});
	if (tracked)
		add_bitmap_check(change, *tracked, [layer, options, base] {
			return table_of(layer, options, base()).base;
		});
	if (!existing)
		add_creation(change, name, uuid, device, visibility);
	add_first_load(change, device,
		       table_text(layer) + (tracked ? ", bitmaps on " + tracked->text : ""),
		       [layer, base, options, tracked] {
			       auto table = table_of(layer, options, base());
			       if (tracked)
				       table.bitmaps = *tracked->devno;
			       return blkcopy_table(layer.super.geometry.sectors, table);
		       });
	add_first_resume(change, device, visibility);
}

// Said at once: whoever mounts it meets I/O errors.
void say_unreadable(Context &context, const Volume &volume, Outcome &outcome)
{
	const auto layers = layers_below(context, volume);
	auto all = layers ? *layers : std::vector<Volume>();

	all.push_back(volume);
	for (const auto &each : all)
		if (each.is_unreadable())
			add_note(outcome.note,
				 "some of its metadata cannot be read, and what that speaks of "
				 "gives I/O errors: " +
					 how_to_mend(context, volume.name(), each));
}

Result<Outcome> activate_recorded(Change &change, const tab::Entry &entry, bool break_view)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto recorded, read_recorded(context, activate_verb, entry, break_view));
	BLKCTL_TRY(const auto existing, find_own(context, recorded.name, recorded.uuid));
	BLKCTL_CHECK(check_ours(change, existing, entry));
	std::vector<OwnDevice> devices;

	const bool active = existing && existing->live_table;
	if (active && break_view)
		return refusal(Status::busy, activate_verb, recorded.name, "it is active",
			       "blkctl abort " + recorded.name + " breaks its view");
	if (active)
		return change.nothing_to_do(*existing);
	BLKCTL_TRY(const auto lvms, check_lv(context, entry, recorded));
	for (const auto &layer : recorded.layers) {
		BLKCTL_TRY(const auto own,
			   layer.number == 0
				   ? Result<OwnDevice>(existing)
				   : find_own(context, layer_name(recorded.name, layer.number),
					      layer_uuid(recorded.hex, layer.number)));
		if (!own || !own->live_table)
			BLKCTL_CHECK(check_layer(context, recorded.name, layer, number_of(own),
						 lvms.in_pv && &layer == &recorded.layers.front()));
		devices.push_back(own);
	}
	BLKCTL_CHECK(change.need_module());
	if (lvms.lv && needs_top(recorded.layers.back()))
		add_hold(change, *lvms.lv);
	Builder builder{change, entry};
	BLKCTL_TRY(builder.bitmaps,
		   add_recorded_bitmaps(change, entry, recorded.hex, number_of(existing)));
	add_lvm_doubt(change, builder.bitmaps, lvms.lv);
	if (recorded.layers.front().on_hidden) {
		BLKCTL_TRY(builder.below, add_hidden(change, *lvms.lv, recorded.hex));
	}
	for (size_t i = 0; i < recorded.layers.size(); i++)
		builder.add_layer(recorded, recorded.layers[i], devices[i]);
	const auto device = builder.below;
	BLKCTL_TRY(auto outcome, change.finish(*device));
	outcome.device = device->devno;
	if (const auto volume = find(context, device->devno); volume && !change.dry())
		say_unreadable(context, *volume, outcome);
	return outcome;
}

// The device of a volume that is on one.
Result<Place> plain_place(Change &change, const tab::Entry &entry, const OwnDevice &named,
			  const std::optional<lvm::LogicalVolume> &lv)
{
	auto &context = change.context();
	auto place = find_place(context, entry.device);

	if (!place)
		return refusal(Status::not_found, activate_verb, entry.name,
			       "its device " + entry.device + " is not there");
	bool in_pv = false;
	if (!entry.lv.empty() && place->block) {
		BLKCTL_TRY(in_pv, is_in_pv(context, activate_verb, entry,
					   {place->block->devno, entry.offset},
					   entry.sectors.value_or(0)));
	}
	if (!in_pv) {
		BLKCTL_CHECK(
			check_unheld(context, activate_verb, entry.name, *place, number_of(named)));
		if (lv)
			add_hold(change, *lv);
	}
	const auto least = entry.offset + entry.sectors.value_or(1);
	if (place->block && place->block->sectors < least)
		return refusal(Status::needs_attention, activate_verb, entry.name,
			       place->block->path +
				       " is too small: " + std::to_string(place->block->sectors) +
				       " sectors, " + std::to_string(least) + " are needed");
	return place;
}

/*
 * Of a pivot that was killed, and no kernel is left that knows whether it has been: of the two one
 * may have failed or been left behind since, and nothing on them tells which.
 */
Result<void> check_decided(Context &context, const tab::Entry &entry)
{
	if (entry.was.empty())
		return {};
	return refusal(Status::needs_attention, activate_verb, entry.name,
		       "a pivot from " + entry.was + " to " + entry.device +
			       " was not finished, and it is not known which of them is up to date",
		       "look at both, and write the right one as the DEVICE of " + entry.name +
			       " in " + context.tab_file + ", without was");
}

/*
 * An LV that is on its extents, with bitmaps, and that LVM has extended or moved since: by LVM's
 * own table it comes up all the same, as a boot may hang on it. The bitmaps are of what it was.
 */
Result<Outcome> give_back(Change &change, const tab::Entry &entry, const lvm::LogicalVolume &lv,
			  const OwnDevice &named)
{
	auto &context = change.context();
	const auto device = std::make_shared<dm::Info>(named.value_or(dm::Info{}));
	const auto table = lvm_table(context, activate_verb, lv);

	device->name = entry.name;
	if (named && named->inactive_table)
		change.clear(*named);
	if (table) {
		if (!named)
			add_creation(change, entry.name, lvm_uuid(entry.lv), device);
		add_first_load(change, device, "the table that LVM has for " + lv.path(),
			       [table] { return dm::Table(*table); });
		add_first_resume(change, device);
	}
	add_release(change, lv);
	BLKCTL_CHECK(add_entry_removal(change, entry.name, true));
	add_recorded_bitmaps_end(change, entry);
	change.outcome().note = entry.name +
				": LVM has given it another size, type or place since; it is LVM's "
				"again, and its bitmaps are lost" +
				(table ? "" : "; to bring it up: lvchange -ay " + lv.path());
	BLKCTL_TRY(auto outcome, change.finish(*device));
	outcome.device = device->devno;
	return outcome;
}

// A volume that is on one device.
Result<Outcome> activate_plain(Change &change, const tab::Entry &entry)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto random, random_hex());
	const auto hex = entry.lv.empty() ? entry.uuid : hidden_hex(lvm_uuid(entry.lv));
	const auto uuid = uuid_for(entry, hex.empty() ? random : hex);
	BLKCTL_TRY(const auto named, find_by_name(context, entry.name));
	// Without a UUID in the entry it is known by its kind.
	const bool ours =
		named && (hex.empty() ? is_volume_uuid(named->uuid) : named->uuid == uuid);
	if (named && !ours)
		return refusal(Status::busy, activate_verb, entry.name,
			       "there is another device of this name already",
			       "dmsetup info " + entry.name);
	BLKCTL_CHECK(check_ours(change, named, entry));
	if (named && named->live_table)
		return change.nothing_to_do(*named);
	BLKCTL_CHECK(check_decided(context, entry));
	BLKCTL_TRY(const auto lv, find_lv(context, entry.lv));
	if (lv)
		BLKCTL_CHECK(check_lv_name(context, activate_verb, *lv, entry));
	if (lv && !entry.bitmaps.empty() && is_on_extents(context, entry) &&
	    was_changed(context, entry, *lv))
		return give_back(change, entry, *lv, named);

	const auto device = std::make_shared<dm::Info>(named.value_or(dm::Info{}));
	std::shared_ptr<dm::Info> hidden;
	Place place{.text = "(hidden device)"};
	device->name = entry.name;
	BLKCTL_CHECK(change.need_module());
	// What a killed one has loaded holds the devices.
	if (named && named->inactive_table)
		change.clear(*named);
	if (is_on_hidden(entry)) {
		BLKCTL_TRY(const auto own, find_lv_of(context, activate_verb, entry));
		BLKCTL_CHECK(check_size(activate_verb, own, entry.sectors.value_or(0)));
		BLKCTL_TRY(hidden, add_hidden(change, own, hex));
	} else {
		BLKCTL_TRY(place, plain_place(change, entry, named, lv));
		device->read_only = place.block && place.block->read_only;
		if (!place.block)
			add_loop(change, place, number_of(named));
	}
	BLKCTL_TRY(const auto bitmaps, add_recorded_bitmaps(change, entry, hex, number_of(named)));
	add_lvm_doubt(change, bitmaps, lv);
	const auto data = [place, hidden, offset = entry.offset] {
		return table::Leg{hidden ? hidden->devno : *place.devno, offset};
	};
	if (bitmaps)
		add_bitmap_check(change, *bitmaps, data);
	if (!named)
		add_creation(change, entry.name, uuid, device);
	add_first_load(change, device,
		       "blkcopy track " + place.text + " " + std::to_string(entry.offset) +
			       (bitmaps ? ", bitmaps on " + bitmaps->text : ""),
		       [&context, data, bitmaps, entry] {
			       table::Blkcopy track;
			       track.base = data();
			       const auto block = context.probe.describe(track.base.device);
			       const auto all = block ? block->sectors : 0;
			       track.block_sectors = entry.block_sectors;
			       if (bitmaps)
				       track.bitmaps = *bitmaps->devno;
			       return blkcopy_table(entry.sectors.value_or(all - entry.offset),
						    track);
		       });
	add_first_resume(change, device);
	BLKCTL_TRY(auto outcome, change.finish(*device));
	outcome.device = device->devno;
	return outcome;
}

Result<Outcome> activate_now(Context &context, const ActivateRequest &request, Run run)
{
	Change change(context, activate_verb, run);
	BLKCTL_TRY(const auto entry, entry_for(context, activate_verb, request.what));

	BLKCTL_CHECK(change.lock_name(entry.name));
	if (!entry.layers.empty())
		return activate_recorded(change, entry, request.break_view);
	if (request.break_view)
		return refusal(Status::not_found, activate_verb, entry.name,
			       "it has no persistent view", "blkctl activate " + entry.name);
	return activate_plain(change, entry);
}

} // namespace

Result<Outcome> activate(Context &context, const ActivateRequest &request, Run run)
{
	const auto deadline = std::chrono::steady_clock::now() + request.timeout;

	for (;;) {
		auto outcome = activate_now(context, request, run);
		// Devices come when they come.
		if (outcome || outcome.error().status != Status::not_found ||
		    std::chrono::steady_clock::now() >= deadline)
			return outcome;
		std::this_thread::sleep_for(look_again);
	}
}

Result<ToActivate> to_activate(Context &context)
{
	BLKCTL_TRY(const auto tab, read_tab(context));
	ToActivate found{.names = {}, .bad = tab.errors()};

	for (const auto &entry : tab.entries())
		if (!entry.noauto)
			found.names.push_back(entry.name);
	return found;
}

} // namespace blkctl::volume
