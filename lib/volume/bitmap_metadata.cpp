// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/bitmap_metadata.hpp"

namespace blkctl::volume
{

Result<Place> add_bitmap_metadata(Change &change, const std::string &text, const BitmapsOf &of)
{
	meta::Superblock super;

	BLKCTL_TRY(super.uuid, meta::parse_uuid(of.hex));
	super.name = of.name;
	super.geometry = {.sectors = of.sectors,
			  .block_sectors = of.block_sectors,
			  .segment_mib = of.segment_mib,
			  .bitmap_slots = of.slots};
	super.mode = meta::Mode::track;
	super.phase = meta::first_phase(super.mode);
	return add_metadata(change, text, super, of.own, of.legs,
			    [](const meta::Superblock &whole) { return whole; });
}

Result<Place> find_bitmap_metadata(Context &context, const std::string &verb,
				   const tab::Entry &entry, const std::string &hex)
{
	auto place = find_place(context, entry.bitmaps);

	if (!place)
		return refusal(Status::not_found, verb, entry.name,
			       "the metadata of its bitmaps, " + entry.bitmaps + ", is not there");
	BLKCTL_TRY(const auto super, superblock_of(context, *place));
	const auto wrong = [&](const std::string &why) {
		const auto path = place->block ? place->block->path : place->file;
		return refusal(Status::needs_attention, verb, entry.name,
			       "the metadata on " + path + " " + why, "blkctl check " + path);
	};
	if (super.mode != meta::Mode::track)
		return wrong("is not of bitmaps");
	if (super.name != entry.name)
		return wrong("is that of '" + super.name + "'");
	if (!hex.empty() && meta::hex(super.uuid) != hex)
		return wrong("is of another volume of this name: its UUID is " +
			     meta::hex(super.uuid));
	return place;
}

Result<std::optional<Place>> add_recorded_bitmaps(Change &change, const tab::Entry &entry,
						  const std::string &hex,
						  const std::optional<DevNo> &own)
{
	if (entry.bitmaps.empty())
		return std::optional<Place>();
	BLKCTL_TRY(auto place, find_bitmap_metadata(change.context(), change.verb(), entry, hex));
	BLKCTL_CHECK(check_unheld(change.context(), change.verb(), entry.name, place, own));
	if (!place.block)
		add_loop(change, place, own);
	return std::optional(std::move(place));
}

void add_bitmap_metadata_end(Change &change, const Volume &volume)
{
	const auto meta = volume.table.bitmaps;

	if (!meta)
		return;
	add_loop_release(change, *meta);
	add_unmake(change, file_behind(change.context(), *meta));
}

bool are_on(Context &context, const tab::Entry &entry, const Place &place)
{
	const auto there = find_place(context, entry.bitmaps);

	return !entry.bitmaps.empty() && there && is_same_place(*there, place);
}

void add_recorded_bitmaps_end(Change &change, const tab::Entry &entry)
{
	const auto place = find_place(change.context(), entry.bitmaps);

	if (entry.bitmaps.empty() || !place || place->file.empty())
		return;
	if (place->block)
		add_loop_release(change, place->block->devno);
	add_unmake(change, place->file);
}

} // namespace blkctl::volume
