// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/leftovers.hpp"
#include "volume/boot.hpp"
#include "volume/chain.hpp"
#include "volume/lv.hpp"
#include "volume/recorded.hpp"
#include "volume/uuid.hpp"
#include <algorithm>
#include <set>

namespace blkctl::volume
{

namespace
{

// Every device that the volume is made from.
std::set<DevNo> devices_of(const Volume &volume, const std::vector<Volume> &layers)
{
	std::set<DevNo> found;
	auto all = layers;

	all.push_back(volume);
	for (const auto &each : all) {
		found.insert(each.devno());
		found.insert(each.table.base.device);
		if (each.table.top)
			found.insert(each.table.top->device);
		if (const auto meta = each.table.meta_device())
			found.insert(*meta);
		if (each.table.bitmaps)
			found.insert(*each.table.bitmaps);
	}
	return found;
}

Result<std::vector<dm::Info>> loose_layers(Context &context, const std::string &hex,
					   const std::set<DevNo> &used)
{
	std::vector<dm::Info> found;
	BLKCTL_TRY(const auto listed, context.dm.list());

	for (const auto &each : listed) {
		const auto info = context.dm.info(each.devno);
		const auto number = info ? layer_number(info->uuid) : 0;
		if (number != 0 && info->uuid == layer_uuid(hex, number) && !used.count(each.devno))
			found.push_back(*info);
	}
	// A layer holds the one below it.
	std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) {
		return layer_number(a.uuid) > layer_number(b.uuid);
	});
	return found;
}

// Where metadata of the volume may be that is not in use any more.
std::vector<std::string> candidates(Context &context, const std::string &name,
				    const std::optional<tab::Entry> &entry)
{
	std::vector<std::string> found;

	for (const auto &layer : entry ? entry->layers : std::vector<tab::Layer>())
		found.push_back(layer.meta);
	for (unsigned n = 1; n <= 2 * most_layers; n++)
		found.push_back(
			default_metadata(context, name + (n == 1 ? "" : "." + std::to_string(n))));
	return found;
}

std::optional<meta::Superblock> read_super(Context &context, const Place &place)
{
	const auto super = superblock_of(context, place);

	return super ? std::optional(*super) : std::nullopt;
}

bool is_over(const meta::Superblock &super)
{
	return super.phase == meta::Phase::merged || super.phase == meta::Phase::streamed;
}

// Metadata of a job that is over, or of one that never began.
bool is_done(const meta::Superblock &super)
{
	return is_over(super) || super.generation <= BLKCOPY_META_FIRST_GENERATION;
}

// What is kept of a layer whose own commit is over: see finish_commit(). And of a volume that an
// earlier version has brought back without it, before that end: see check_came_back_whole().
bool is_kept(const std::optional<tab::Entry> &entry, const Volume &volume,
	     const std::vector<Volume> &layers, const std::string &meta)
{
	const auto keeps = [](const tab::Layer &listed, const Volume &layer) {
		return listed.number == number_of(layer) && layer.table.mode == table::Mode::track;
	};

	for (const auto &listed : entry ? entry->layers : std::vector<tab::Layer>()) {
		if (listed.meta != meta)
			continue;
		if (!layers.empty() && keeps(listed, volume))
			return true;
		for (const auto &layer : layers)
			if (keeps(listed, layer))
				return true;
	}
	return false;
}

// Metadata of the volume that it does not use.
struct Unused {
	std::string text = {}; // as the tab has it
	Place place = {};
	meta::Superblock super = {};
};

/*
 * What is done with. Once a volume is on the device alone that a stream has filled, so is all that
 * was below it.
 */
std::vector<Unused> find_unused(Context &context, const Volume &volume,
				const std::optional<tab::Entry> &entry,
				const std::vector<Volume> &layers, const std::set<DevNo> &used)
{
	const auto hex = volume_hex(volume.info.uuid, volume.info.name);
	std::set<std::string> seen;
	std::vector<Unused> found;
	bool streamed = false;

	for (const auto &text : candidates(context, volume.name(), entry)) {
		const auto place = find_place(context, text);
		const bool in_use = !place || (place->block && used.count(place->block->devno)) ||
				    is_kept(entry, volume, layers, text) ||
				    !seen.insert(text).second;
		const auto super = in_use ? std::nullopt : read_super(context, *place);
		if (!super || meta::hex(super->uuid) != hex)
			continue;
		streamed |= super->phase == meta::Phase::streamed;
		found.push_back({text, *place, *super});
	}
	const bool all = streamed && volume.table.mode == table::Mode::track;
	std::erase_if(found, [&](const Unused &each) { return !all && !is_done(each.super); });
	// The one that tells of the others goes last.
	std::stable_partition(found.begin(), found.end(), [](const Unused &each) {
		return each.super.phase != meta::Phase::streamed;
	});
	return found;
}

void add_releases(Change &change, const Unused &unused, const std::set<DevNo> &used)
{
	auto &context = change.context();

	for (const auto &leg : unused.super.legs)
		if (const auto found = find_place(context, leg.identity);
		    found && found->block && !used.count(found->block->devno))
			add_loop_release(change, found->block->devno);
	if (unused.place.block)
		add_loop_release(change, unused.place.block->devno);
}

// A layer alone may be of either: of an end, as that does nothing that was not asked for.
Leftovers whose(const Volume &volume, const std::vector<Unused> &unused,
		const std::vector<dm::Info> &loose)
{
	if (unused.empty() && loose.empty())
		return Leftovers::none;
	if (std::any_of(unused.begin(), unused.end(),
			[](const Unused &each) { return is_over(each.super); }))
		return Leftovers::of_end;
	// The layer of a volume that goes on was never without a table.
	const bool half_made = std::any_of(loose.begin(), loose.end(),
					   [](const dm::Info &each) { return !each.live_table; });
	return !unused.empty() || volume.info.inactive_table || half_made ? Leftovers::of_snapshot
									  : Leftovers::of_end;
}

// Adds that the entry says what the volume is on now.
Result<void> add_entry_now(Change &change, const Volume &volume)
{
	auto &context = change.context();
	BLKCTL_TRY(const bool returns, volume.table.mode == table::Mode::track
					       ? add_return_from(change, volume, volume.table.base)
					       : Result<bool>(false));

	if (returns)
		return {};
	BLKCTL_CHECK(add_entry(
		change, volume,
		"write in " + context.tab_file + " what " + volume.name() + " is on now",
		[&context, volume](const auto &before) -> Result<std::optional<tab::Entry>> {
			BLKCTL_TRY(const auto now, entry_of(context, volume, before));
			return std::optional(now);
		}));
	return add_hold(change, volume.info);
}

} // namespace

Result<void> clear_loose_layers(Context &context, const std::string &verb, const std::string &name,
				Run run)
{
	if (run == Run::dry)
		return {};
	Change change(context, verb, run);
	BLKCTL_TRY(const auto found, change.open(name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	BLKCTL_TRY(const auto layers, layers_below(context, volume));
	BLKCTL_TRY(const auto loose,
		   loose_layers(context, volume_hex(volume.info.uuid, volume.info.name),
				devices_of(volume, layers)));

	if (loose.empty())
		return {};
	BLKCTL_CHECK(clear_stale(change, volume.info));
	for (const auto &layer : loose)
		change.remove_hidden(layer);
	BLKCTL_CHECK(change.finish(volume.info));
	return {};
}

Result<Leftovers> add_leftovers(Change &change, const Volume &volume,
				const std::vector<Volume> &layers)
{
	auto &context = change.context();
	const auto hex = volume_hex(volume.info.uuid, volume.info.name);
	const auto used = devices_of(volume, layers);
	BLKCTL_TRY(const auto entry, find_entry(context, volume));
	const auto unused = find_unused(context, volume, entry, layers, used);
	std::set<std::string> files;
	bool in_tab = false;
	BLKCTL_TRY(const auto loose, loose_layers(context, hex, used));

	for (const auto &layer : loose)
		change.remove_hidden(layer);
	for (const auto &each : unused) {
		add_releases(change, each, used);
		files.insert(each.text);
	}
	for (const auto &layer : entry ? entry->layers : std::vector<tab::Layer>())
		in_tab |= files.count(layer.meta) != 0;
	if (in_tab)
		BLKCTL_CHECK(add_entry_now(change, volume));
	for (const auto &each : unused)
		add_unmake(change, each.text);
	return whose(volume, unused, loose);
}

} // namespace blkctl::volume
