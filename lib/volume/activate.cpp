// SPDX-License-Identifier: GPL-2.0-or-later
// activate: a volume comes back from what is written down of it.
#include "base/random.hpp"
#include "volume/bitmap_metadata.hpp"
#include "volume/boot.hpp"
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

Result<void> check_unheld(Context &context, const std::string &name, const Place &place,
			  const std::optional<DevNo> &own)
{
	if (!place.block)
		return {};
	BLKCTL_TRY(const auto use, foreign_use(context, place.block->devno, own));
	if (!use)
		return {};
	return refusal(Status::busy, activate_verb, name,
		       udev::describe(*use, device_path(context, use->device)),
		       next_about(context, *use));
}

// What can be said before anything is done.
Result<void> check_layer(Context &context, const std::string &name, const RecordedLayer &layer,
			 const std::optional<DevNo> &own)
{
	BLKCTL_CHECK(check_unheld(context, name, layer.meta, own));
	for (const auto &[which, leg] :
	     {std::pair(Which::base, layer.base), std::pair(Which::top, layer.top)}) {
		if (!leg)
			continue;
		BLKCTL_CHECK(check_unheld(context, name, *leg, own));
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

// A layer's superblock as it is on the disk, to be changed there.
struct OpenSuper {
	std::unique_ptr<meta::Device> device = {};
	meta::Superblock super = {};
};

Result<OpenSuper> open_super(Context &context, const RecordedLayer &layer)
{
	const auto path = device_path(context, *layer.meta.devno);
	OpenSuper opened;

	BLKCTL_TRY(opened.device, context.open_meta(path, meta::Access::write));
	BLKCTL_TRY(opened.super, meta::read_superblock(*opened.device));
	return opened;
}

/*
 * The base of an overlay is still written to when its metadata is made. From here on it is known by
 * its content, whatever has brought the volume down.
 */
Result<void> write_stamp(Context &context, const RecordedLayer &layer, DevNo base)
{
	BLKCTL_TRY(auto written, open_super(context, layer));
	auto &leg = written.super.legs[0];

	if (leg.stamp)
		return {};
	BLKCTL_TRY(leg.stamp,
		   stamp_of(context.probe, base, leg.start, written.super.geometry.sectors));
	return meta::update_superblock(*written.device, written.super);
}

// Before the first write that its store does not get to see.
Result<void> write_broken(Context &context, const RecordedLayer &layer)
{
	BLKCTL_TRY(auto written, open_super(context, layer));

	written.super.phase = meta::Phase::broken;
	return meta::update_superblock(*written.device, written.super);
}

// The metadata of the bitmaps that an entry names; its loop device is added to the plan.
Result<std::optional<Place>> add_bitmaps(Change &change, const tab::Entry &entry,
					 const std::string &hex, const OwnDevice &existing)
{
	const auto own = number_of(existing);

	if (entry.bitmaps.empty())
		return std::optional<Place>();
	BLKCTL_TRY(auto place, find_bitmap_metadata(change.context(), activate_verb, entry, hex));
	BLKCTL_CHECK(check_unheld(change.context(), entry.name, place, own));
	if (!place.block)
		add_loop(change, place, own);
	return std::optional(std::move(place));
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
	const auto base = layer.on_layer ? "(layer below)" : layer.base ? layer.base->text : "-";
	auto text = "0 " + std::to_string(super.geometry.sectors) + " blkcopy ";

	if (!needs_top(super))
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
	const auto uuid =
		hidden ? layer_uuid(recorded.hex, layer.number) : volume_uuid(recorded.hex);
	const auto own = number_of(existing);
	const auto device = std::make_shared<dm::Info>(existing.value_or(dm::Info{}));
	const auto lower = below;
	const auto base = [layer, lower] {
		if (layer.on_layer)
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
	// A job that is over needs one of the three alone.
	const bool on_two = needs_base(layer.super) && needs_top(layer.super);
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
			    [&context, layer, base] { return write_stamp(context, layer, base()); },
			    {}});
	if (!existing)
		add_creation(change, name, uuid, device, visibility);
	else if (existing->inactive_table)
		change.clear(*existing);
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

Result<Outcome> activate_recorded(Change &change, const tab::Entry &entry, bool break_view)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto recorded, read_recorded(context, activate_verb, entry, break_view));
	BLKCTL_TRY(const auto existing,
		   find_own(context, recorded.name, volume_uuid(recorded.hex)));
	std::vector<OwnDevice> devices;

	const bool active = existing && existing->live_table;
	if (active && break_view)
		return refusal(Status::busy, activate_verb, recorded.name, "it is active",
			       "blkctl abort " + recorded.name + " breaks its view");
	if (active)
		return change.nothing_to_do(*existing);
	for (const auto &layer : recorded.layers) {
		BLKCTL_TRY(const auto own,
			   layer.number == 0
				   ? Result<OwnDevice>(existing)
				   : find_own(context, layer_name(recorded.name, layer.number),
					      layer_uuid(recorded.hex, layer.number)));
		if (!own || !own->live_table)
			BLKCTL_CHECK(check_layer(context, recorded.name, layer, number_of(own)));
		devices.push_back(own);
	}
	BLKCTL_CHECK(change.need_module());
	Builder builder{change, entry};
	BLKCTL_TRY(builder.bitmaps, add_bitmaps(change, entry, recorded.hex, existing));
	for (size_t i = 0; i < recorded.layers.size(); i++)
		builder.add_layer(recorded, recorded.layers[i], devices[i]);
	const auto device = builder.below;
	BLKCTL_TRY(auto outcome, change.finish(*device));
	outcome.device = device->devno;
	return outcome;
}

// A volume that is on one device.
Result<Outcome> activate_plain(Change &change, const tab::Entry &entry)
{
	auto &context = change.context();
	auto place = find_place(context, entry.device);
	if (!place)
		return refusal(Status::not_found, activate_verb, entry.name,
			       "its device " + entry.device + " is not there");
	BLKCTL_TRY(const auto random, random_hex());
	const auto uuid = volume_uuid(entry.uuid.empty() ? random : entry.uuid);
	BLKCTL_TRY(const auto named, find_by_name(context, entry.name));
	// Without a UUID in the entry it is known by its kind.
	const bool ours =
		named && (entry.uuid.empty() ? is_volume_uuid(named->uuid) : named->uuid == uuid);
	if (named && !ours)
		return refusal(Status::busy, activate_verb, entry.name,
			       "there is another device of this name already",
			       "dmsetup info " + entry.name);
	if (named && named->live_table)
		return change.nothing_to_do(*named);
	const auto own = number_of(named);
	BLKCTL_CHECK(check_unheld(context, entry.name, *place, own));
	const auto least = entry.offset + entry.sectors.value_or(1);
	if (place->block && place->block->sectors < least)
		return refusal(Status::needs_attention, activate_verb, entry.name,
			       place->block->path +
				       " is too small: " + std::to_string(place->block->sectors) +
				       " sectors, " + std::to_string(least) + " are needed");

	const auto device = std::make_shared<dm::Info>(named.value_or(dm::Info{}));
	device->name = entry.name;
	device->read_only = place->block && place->block->read_only;
	BLKCTL_CHECK(change.need_module());
	if (!place->block)
		add_loop(change, *place, own);
	BLKCTL_TRY(const auto bitmaps, add_bitmaps(change, entry, entry.uuid, named));
	if (!named)
		add_creation(change, entry.name, uuid, device);
	else if (named->inactive_table)
		change.clear(*named);
	add_first_load(change, device,
		       "blkcopy track " + place->text + " " + std::to_string(entry.offset) +
			       (bitmaps ? ", bitmaps on " + bitmaps->text : ""),
		       [&context, place = *place, bitmaps, entry] {
			       table::Blkcopy track;
			       const auto block = context.probe.describe(*place.devno);
			       const auto all = block ? block->sectors : 0;
			       track.base = {*place.devno, entry.offset};
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
