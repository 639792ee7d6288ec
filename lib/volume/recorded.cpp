// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/recorded.hpp"
#include "volume/boot.hpp"
#include "volume/uuid.hpp"
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>

namespace blkctl::volume
{

namespace
{

table::Mode mode_of(meta::Mode mode)
{
	switch (mode) {
	case meta::Mode::mirror:
		return table::Mode::mirror;
	case meta::Mode::stream:
		return table::Mode::stream;
	case meta::Mode::overlay:
		return table::Mode::overlay;
	case meta::Mode::track:
		return table::Mode::track;
	case meta::Mode::backup:
		return table::Mode::backup;
	case meta::Mode::commit:
		break;
	}
	return table::Mode::commit;
}

// Without what the kernel would refuse in this mode: who wrote the entry may have meant another.
void drop_meaningless(table::Blkcopy &table)
{
	const bool copies = table.mode != table::Mode::overlay;

	table.features.copy_on_read &= table.mode == table::Mode::stream;
	table.features.paused &= copies;
	table.features.detect_zeroes &= copies;
	if (!copies)
		table.params = {.on_top_error = table.params.on_top_error};
}

bool is_file(const std::string &path)
{
	struct stat st;

	return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

// Whether what a tab names is this place.
bool is_at(Context &context, const std::string &text, const Place &place)
{
	const auto listed = find_place(context, text);

	return listed && is_same_place(*listed, place);
}

// Metadata does not say whether its volume is an LV, but its digits are made from the LV's.
Result<tab::Entry> unlisted(Context &context, tab::Entry entry)
{
	BLKCTL_TRY(const auto place, find_place(context, entry.layers.back().meta));
	BLKCTL_TRY(const auto super, superblock_of(context, place));
	BLKCTL_TRY(const auto lvs, context.lvm.list());

	for (const auto &lv : lvs)
		if (volume_hex(lvm_uuid(lv.id), entry.name) == meta::hex(super.uuid))
			entry.lv = lv.id;
	return entry;
}

Result<RecordedLayer> read_layer(Context &context, const std::string &verb, const std::string &name,
				 const tab::Layer &layer)
{
	RecordedLayer found{.number = layer.number};
	auto place = find_place(context, layer.meta);

	if (!place)
		return refusal(Status::not_found, verb, name.empty() ? layer.meta : name,
			       "its metadata " + layer.meta + " is not there");
	found.meta = std::move(*place);
	BLKCTL_TRY(found.super, superblock_of(context, found.meta));
	return found;
}

// A file that no loop device shows yet has no identity but its path, and that is the one sought.
Result<Place> find_leg(Context &context, const std::string &verb, const meta::Superblock &super,
		       Which which)
{
	const auto index = static_cast<size_t>(which);
	const auto &leg = super.legs[index];
	const std::string word = which_words[index];

	if (leg.identity.empty())
		return refusal(Status::needs_attention, verb, super.name,
			       "its metadata records no " + word, "blkctl check META");
	auto place = find_place(context, leg.identity);
	if (!place && super.mode == meta::Mode::backup && which == Which::top)
		return refusal(
			Status::not_found, verb, super.name,
			"the store of its view, " + leg.identity + ", is not there",
			"blkctl activate " + super.name +
				" --break-view if it is lost: the view is, too, and no more");
	if (!place)
		return refusal(Status::not_found, verb, super.name,
			       "its " + word + " " + leg.identity + " is not there",
			       "the same once it is");
	if (place->block)
		return place;
	std::error_code ignored;
	const auto bytes = std::filesystem::file_size(place->file, ignored);
	if (bytes / 512 < leg.start + super.geometry.sectors)
		return refusal(Status::needs_attention, verb, super.name,
			       "its " + word + " " + place->file +
				       " is too small: " + std::to_string(bytes) + " bytes",
			       "put it back as it was");
	return place;
}

Result<void> find_legs(Context &context, const std::string &verb, RecordedLayer &layer)
{
	if (needs_base(layer.super) && !layer.on_layer && !layer.on_hidden) {
		BLKCTL_TRY(layer.base, find_leg(context, verb, layer.super, Which::base));
	}
	if (needs_top(layer)) {
		BLKCTL_TRY(layer.top, find_leg(context, verb, layer.super, Which::top));
	}
	return {};
}

// Each is about the volume, and is over the one before.
Result<void> check_together(const std::string &verb, Recorded &recorded)
{
	const auto &name = recorded.name;

	for (size_t i = 0; i < recorded.layers.size(); i++) {
		auto &layer = recorded.layers[i];
		const auto wrong = [&](const std::string &why) {
			const auto where =
				layer.meta.block ? layer.meta.block->path : layer.meta.file;
			return refusal(Status::needs_attention, verb, name,
				       fmt::format("the metadata on {} {}", where, why),
				       "blkctl check " + where);
		};
		if (layer.super.name != name)
			return wrong("is that of '" + layer.super.name + "'");
		if (meta::hex(layer.super.uuid) != recorded.hex)
			return wrong("is of another volume: its UUID is " +
				     meta::hex(layer.super.uuid) + ", and the others' is " +
				     recorded.hex);
		if (i == 0)
			continue;
		const auto &below = recorded.layers[i - 1];
		layer.on_layer = needs_base(layer.super);
		const auto wanted = "dm:" + layer_uuid(recorded.hex, below.number);
		if (layer.on_layer && layer.super.legs[0].identity != wanted)
			return wrong("is not over layer " + std::to_string(below.number) +
				     ": its base is " + layer.super.legs[0].identity);
		if (layer.super.geometry.sectors != below.super.geometry.sectors)
			return wrong("is of a volume of another size than the layer below");
	}
	return {};
}

} // namespace

std::string uuid_for(const tab::Entry &entry, const std::string &hex)
{
	return entry.lv.empty() ? volume_uuid(hex) : lvm_uuid(entry.lv);
}

bool needs_base(const meta::Superblock &super)
{
	return super.phase != meta::Phase::streamed && super.phase != meta::Phase::pivoted;
}

bool needs_top(const RecordedLayer &layer)
{
	const auto phase = layer.super.phase;

	if (phase == meta::Phase::merged)
		return layer.on_layer;
	return phase != meta::Phase::aborted && phase != meta::Phase::broken;
}

Result<tab::Entry> entry_for(Context &context, const std::string &verb, const std::string &text)
{
	const bool is_path = text.find('/') != std::string::npos || parse_devno(text);
	const auto file = default_metadata(context, text);

	if (!is_path) {
		BLKCTL_TRY(const auto entry, find_entry(context, text));
		if (entry)
			return *entry;
		if (is_file(file))
			return unlisted(context, {.name = text, .layers = {{0, file}}});
		return refusal(Status::not_found, verb, text,
			       "it is not in " + context.tab_file + ", and there is no " + file,
			       "blkctl " + verb + " META, with the device its metadata is on");
	}
	BLKCTL_TRY(const auto place, find_place(context, text));
	BLKCTL_TRY(const auto super, superblock_of(context, place));
	// The tab knows more of it, if it is in there.
	BLKCTL_TRY(const auto entry, find_entry(context, super.name));
	for (const auto &layer : entry ? entry->layers : std::vector<tab::Layer>())
		if (is_at(context, layer.meta, place))
			return *entry;
	if (super.mode == meta::Mode::track && entry && is_at(context, entry->bitmaps, place))
		return *entry;
	if (super.mode == meta::Mode::track)
		return refusal(Status::not_found, verb, text,
			       "it holds bitmaps of '" + super.name + "', and only an entry in " +
				       context.tab_file + " says what that is on");
	if (!is_good_name(super.name))
		return refusal(Status::needs_attention, verb, text, "its metadata names no volume",
			       "blkctl check " + text);
	return unlisted(context, {.name = super.name, .layers = {{0, text}}});
}

Result<Recorded> read_records(Context &context, const std::string &verb, const tab::Entry &entry)
{
	Recorded recorded{.name = entry.name};

	for (const auto &each : entry.layers) {
		BLKCTL_TRY(auto layer, read_layer(context, verb, entry.name, each));
		recorded.layers.push_back(std::move(layer));
	}
	recorded.hex = meta::hex(recorded.layers.back().super.uuid);
	BLKCTL_CHECK(check_together(verb, recorded));
	recorded.uuid = uuid_for(entry, recorded.hex);
	if (!entry.lv.empty() && volume_hex(recorded.uuid, recorded.name) != recorded.hex)
		return refusal(Status::needs_attention, verb, recorded.name,
			       "its metadata is not that of the LV in " + context.tab_file,
			       "blkctl check " + entry.layers.back().meta);
	auto &lowest = recorded.layers.front();
	lowest.on_hidden = !entry.lv.empty() && needs_base(lowest.super) &&
			   lowest.super.legs[0].identity == "dm:" + hidden_uuid(recorded.hex);
	return recorded;
}

Result<Recorded> read_recorded(Context &context, const std::string &verb, const tab::Entry &entry,
			       bool break_view)
{
	BLKCTL_TRY(auto recorded, read_records(context, verb, entry));
	if (break_view) {
		auto &volume = recorded.layers.back();
		if (volume.super.mode != meta::Mode::backup)
			return refusal(Status::not_found, verb, recorded.name,
				       "it has no persistent view",
				       "blkctl activate " + entry.name);
		volume.breaks_view = volume.super.phase != meta::Phase::broken;
		volume.super.phase = meta::Phase::broken;
	}
	// A layer that needs none below is the lowest.
	for (size_t i = recorded.layers.size(); i-- > 1;)
		if (!needs_base(recorded.layers[i].super)) {
			recorded.layers.erase(recorded.layers.begin(),
					      recorded.layers.begin() +
						      static_cast<std::ptrdiff_t>(i));
			break;
		}
	auto &lowest = recorded.layers.front().super;
	if (!lowest.legs[0].stamp)
		lowest.legs[0].stamp = entry.stamp;
	for (auto &layer : recorded.layers)
		BLKCTL_CHECK(find_legs(context, verb, layer));
	return recorded;
}

Result<OpenSuper> open_super(Context &context, DevNo meta)
{
	OpenSuper opened;

	BLKCTL_TRY(opened.device,
		   context.open_meta(device_path(context, meta), meta::Access::write));
	BLKCTL_TRY(opened.super, meta::read_superblock(*opened.device));
	return opened;
}

Result<void> write_stamp(Context &context, DevNo meta, DevNo base)
{
	BLKCTL_TRY(auto written, open_super(context, meta));
	auto &leg = written.super.legs[0];

	if (leg.stamp)
		return {};
	BLKCTL_TRY(leg.stamp,
		   stamp_of(context.probe, base, leg.start, written.super.geometry.sectors));
	return meta::update_superblock(*written.device, written.super);
}

table::Blkcopy table_of(const RecordedLayer &layer, const tab::Entry &entry, DevNo base)
{
	const auto &super = layer.super;
	const table::Leg lower{base, super.legs[0].start};
	table::Blkcopy table;

	table.base = lower;
	table.block_sectors = super.geometry.block_sectors;
	if (!needs_top(layer))
		return table;
	const table::Leg upper{*layer.top->devno, super.legs[1].start};
	if (!needs_base(super)) {
		table.base = upper;
		return table;
	}
	table.mode = mode_of(super.mode);
	table.top = upper;
	table.meta = layer.meta.devno->str();
	if (layer.number != 0)
		return table;
	table.features = entry.features;
	table.params = entry.params;
	drop_meaningless(table);
	if (table.mode == table::Mode::backup) {
		table.features.paused = !entry.fill;
		table.features.backup_persistent = !super.unordered;
	}
	return table;
}

} // namespace blkctl::volume
