// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/overlay.hpp"
#include "volume/boot.hpp"
#include "volume/chain.hpp"
#include "volume/image_note.hpp"
#include "volume/legs.hpp"
#include "volume/lv.hpp"
#include "volume/making.hpp"
#include "volume/mounts.hpp"
#include "volume/store.hpp"
#include "volume/uuid.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

constexpr const char *overlay_verb = "snapshot";

/*
 * From here on a flush is what makes durable where data is. What was told before that there is
 * nothing to flush would go on to believe it.
 */
Result<void> check_flushes(Context &context, const Volume &volume)
{
	BLKCTL_TRY(const auto above, keeps_flushes(context, volume.devno()));

	if (!above)
		return {};
	return refusal(Status::busy, overlay_verb, volume.name(),
		       above->path + ", which is on it, passes no flush on: it was set up when "
				     "there was no write cache below, and what it takes for "
				     "written would be lost with the power",
		       "load the table of " + above->path +
			       " again and resume it, or close and open it");
}

Result<void> check_can(const Volume &volume, const std::vector<Volume> &layers)
{
	const auto &name = volume.name();
	const auto mode = volume.table.mode;

	if (mode == table::Mode::overlay) {
		// The lowest, once it is merged, is a way to base and holds nothing itself.
		const auto overlays =
			std::count_if(layers.begin(), layers.end(), [](const Volume &layer) {
				return layer.table.mode != table::Mode::track;
			});
		if (size_t(overlays) + 1 < most_layers)
			return {};
		return refusal(Status::busy, overlay_verb, name,
			       "it has " + std::to_string(most_layers) + " layers already",
			       "blkctl commit " + name + ", or blkctl stream " + name);
	}
	return check_plain(overlay_verb, volume);
}

/*
 * What the new overlay is over. An overlay that is there moves to a hidden layer, which shares its
 * state: nothing of it is read again.
 */
struct Under {
	table::Leg base = {};
	std::shared_ptr<dm::Info> layer = {}; // none: the volume's own base
	unsigned number = 0;
};

Under under(const Volume &volume, const std::vector<Volume> &layers)
{
	if (volume.table.mode != table::Mode::overlay)
		return {.base = volume.table.base};
	return {.base = {},
		.layer = std::make_shared<dm::Info>(),
		.number = layers.empty() ? 1 : number_of(layers.back()) + 1};
}

Result<void> add_layer(Change &change, const Volume &volume, const Under &below)
{
	auto &context = change.context();
	const auto hex = volume_hex(volume.info.uuid, volume.info.name);
	const auto name = layer_name(volume.name(), below.number);
	const auto uuid = layer_uuid(hex, below.number);
	BLKCTL_TRY(const auto existing, find_by_name(context, name));
	auto moved = volume.table;
	// They are the volume's.
	moved.bitmaps = std::nullopt;
	const auto table = blkcopy_table(volume.sectors, moved);

	if (existing)
		return refusal(Status::busy, overlay_verb, volume.name(),
			       "there is a device " + name + " already", "dmsetup info " + name);
	below.layer->name = name;
	below.layer->read_only = volume.info.read_only;
	add_creation(change, name, uuid, below.layer, dm::Visibility::hidden);
	add_first_load(change, below.layer, table[0].str(), [table] { return dm::Table(table); });
	add_first_resume(change, below.layer, dm::Visibility::hidden);
	return {};
}

// A file in the state folder that no layer of the volume has.
Result<std::string> metadata_for(Context &context, const SnapshotRequest &request,
				 const Volume &volume, const std::vector<Volume> &layers)
{
	std::vector<std::string> taken;
	auto all = layers;

	if (!request.metadata.empty())
		return request.metadata;
	all.push_back(volume);
	for (const auto &layer : all)
		for (const auto &meta : {layer.table.meta_device(), layer.table.bitmaps})
			if (const auto text =
				    meta ? meta_text(context, *meta) : Result<std::string>(Error{}))
				taken.push_back(*text);
	BLKCTL_TRY(const auto entry, find_entry(context, volume));
	// What is kept of a layer whose own commit is over.
	for (const auto &kept : entry ? entry->layers : std::vector<tab::Layer>())
		for (const auto &layer : layers)
			if (kept.number == number_of(layer) && !layer.table.meta_device())
				taken.push_back(kept.meta);
	for (unsigned n = 1;; n++) {
		const auto name = volume.name() + (n == 1 ? "" : "." + std::to_string(n));
		auto file = default_metadata(context, name);
		if (std::find(taken.begin(), taken.end(), file) == taken.end())
			return file;
	}
}

} // namespace

// The overlay that was asked for, made before.
bool is_same_overlay(Context &context, const Volume &volume, const std::string &store)
{
	return volume.table.mode == table::Mode::overlay && has_store(context, volume, store);
}

Result<Prepared> prepare_overlay(Change &change, const SnapshotRequest &request,
				 const Volume &volume)
{
	auto &context = change.context();
	const TargetRules rules{
		.verb = overlay_verb, .role = "store", .any_content = request.force};
	BLKCTL_TRY(const auto layers, layers_below(context, volume));

	BLKCTL_CHECK(check_can(volume, layers));
	BLKCTL_CHECK(check_came_back_whole(context, overlay_verb, volume.name(), volume));
	BLKCTL_CHECK(check_flushes(context, volume));
	BLKCTL_TRY(const auto store, add_store(change, rules, volume, request.store));
	BLKCTL_TRY(const auto super, new_super(volume, meta::Mode::overlay));
	std::vector<DevNo> legs{volume.table.base.device};
	if (volume.table.top)
		legs.push_back(volume.table.top->device);
	if (store.block)
		legs.push_back(store.block->devno);
	const auto below = under(volume, layers);
	if (below.layer)
		BLKCTL_CHECK(add_layer(change, volume, below));
	const auto base_of = [below] {
		return below.layer ? table::Leg{below.layer->devno, 0} : below.base;
	};
	// The base is still written to: it gets its stamp from whoever looks at it first.
	const auto complete = [&context, volume, store,
			       base_of](meta::Superblock whole) -> Result<meta::Superblock> {
		const auto base = base_of();
		BLKCTL_TRY(whole.legs[0], leg_of(context.probe, base.device, base.offset,
						 volume.sectors, Stamped::no));
		BLKCTL_TRY(whole.legs[1],
			   leg_of(context.probe, *store.devno, 0, volume.sectors, Stamped::no));
		return whole;
	};
	BLKCTL_TRY(const auto meta, metadata_for(context, request, volume, layers));
	BLKCTL_TRY(const auto place,
		   add_metadata(change, meta, super, volume.devno(), legs, complete));
	BLKCTL_CHECK(check_not_on(context, overlay_verb, volume, place));
	// What is written down of it would bring its base back, without what is written from now
	// on.
	BLKCTL_TRY(const bool written, is_written_down(context, volume));
	const bool writes_down = request.boot || written;
	// After a commit neither LVM nor we would bring it back.
	if (!request.boot && volume.lvm && volume.table.bitmaps)
		return refusal(Status::usage, overlay_verb, volume.name(),
			       "it is an LV with bitmaps on metadata, which comes back at boot",
			       "the same without --no-boot");
	BLKCTL_TRY(const bool comes_back,
		   writes_down ? can_come_back(context, volume) : Result<bool>(false));
	table::Blkcopy overlay;
	overlay.mode = table::Mode::overlay;
	overlay.block_sectors = volume.table.block_sectors;
	overlay.bitmaps = volume.table.bitmaps;
	if (request.waits_for_space)
		overlay.params.on_top_error = table::Policy::enospc;
	if (comes_back) {
		say_if_nameless(change, legs);
		BLKCTL_CHECK(add_entry(
			change, volume,
			"write in " + context.tab_file + " that " + volume.name() + " comes back " +
				(request.boot ? "at boot" : "when it is named"),
			[&context, volume, place, below, overlay, boot = request.boot](
				const auto &before) -> Result<std::optional<tab::Entry>> {
				BLKCTL_TRY(auto entry,
					   entry_above(context, volume, before, below.number,
						       *place.devno, overlay));
				entry.noauto |= !boot;
				return std::optional(entry);
			}));
		BLKCTL_CHECK(add_hold(change, volume.info));
	}

	const auto sectors = volume.sectors;
	const auto base_text =
		below.layer ? "(the layer " + below.layer->name + ") 0"
			    : below.base.device.str() + " " + std::to_string(below.base.offset);
	Prepared prepared{.volume = volume,
			  .number = below.number + 1,
			  .comes_back = comes_back,
			  .places = {store, place}};
	prepared.rehearsal_text = "0 " + std::to_string(sectors) + " blkcopy overlay " + base_text +
				  " " + store.text + " 0 " + place.text + " " +
				  std::to_string(overlay.block_sectors);
	prepared.text = prepared.rehearsal_text + options_text(overlay);
	const auto table_with = [overlay, store, place, sectors,
				 base_of](const std::optional<DevNo> &bitmaps) {
		auto table = overlay;
		table.base = base_of();
		table.top = table::Leg{*store.devno, 0};
		table.meta = place.devno->str();
		table.bitmaps = bitmaps;
		return blkcopy_table(sectors, table);
	};
	prepared.table = [table_with, bitmaps = overlay.bitmaps] { return table_with(bitmaps); };
	prepared.rehearsal = [table_with] { return table_with({}); };
	change.load(volume.info, prepared.text, prepared.table);
	if (store.block) {
		add_second_look(change, rules, volume, *store.block);
		add_end_of_image(change, store.block->devno);
	}
	return prepared;
}

void add_remembering(Change &change, const Prepared &prepared)
{
	auto &context = change.context();
	const auto &volume = prepared.volume;

	// Of a layer below a layer its own metadata says what is where.
	if (!prepared.comes_back || volume.table.mode == table::Mode::overlay)
		return;
	change.add({"write down what " + device_path(context, volume.table.base.device) +
			    " looks like",
		    [&context, volume]() -> Result<void> {
			    remember_base(context, volume.name(), volume.table.base,
					  volume.sectors);
			    return {};
		    },
		    {}});
}

} // namespace blkctl::volume
