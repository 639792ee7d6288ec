// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/bitmap_contents.hpp"
#include <algorithm>

namespace blkctl::meta
{

namespace
{

void add_unreadable(Bitmap &bitmap, const Range &range)
{
	auto ranges = std::move(bitmap.unreadable);

	ranges.push_back(range);
	std::sort(ranges.begin(), ranges.end(),
		  [](const Range &a, const Range &b) { return a.first < b.first; });
	bitmap.unreadable.clear();
	for (const auto &each : ranges)
		add_range(bitmap.unreadable, each);
}

// nullptr: none is known of.
template <class Bitmaps> auto *find_bitmap(Bitmaps &all, uint32_t slot)
{
	const auto found =
		std::find_if(all.begin(), all.end(), [&](auto &each) { return each.slot == slot; });

	return found == all.end() ? nullptr : &*found;
}

bool is_never_written(const ExactState &state)
{
	return !state.good && state.bad == 0;
}

/*
 * A record is written before its bits, and once more when the slot becomes free: one of zeroes with
 * bits behind it is not what was left at a stop in good order.
 */
void find_blank_records(Contents &contents)
{
	const auto sectors = static_cast<std::ptrdiff_t>(in_slot(contents.super, 0).sectors);

	for (auto at = contents.exact.begin(); at != contents.exact.end(); at += sectors) {
		const auto index = static_cast<uint64_t>(at - contents.exact.begin());
		const bool is_found = std::any_of(
			contents.findings.begin(), contents.findings.end(), [&](const auto &each) {
				return each.place == Place::exact && each.index == index;
			});
		if (is_found || !is_never_written(*at) ||
		    std::all_of(at, at + sectors, is_never_written))
			continue;
		contents.findings.push_back({.place = Place::exact,
					     .index = index,
					     .damage = Damage::blank,
					     .verdict = Verdict::lost});
	}
}

} // namespace

InSlot in_slot(const Superblock &super, uint64_t index)
{
	const auto sectors = layout_of(super.geometry)->bitmap_sectors;

	return {static_cast<uint32_t>(index / sectors), index % sectors, sectors};
}

const Bitmap *bitmap_in(const Contents &contents, uint32_t slot)
{
	return find_bitmap(contents.bitmaps, slot);
}

void take_bitmap_sector(Contents &contents, uint64_t index, const Words &words)
{
	const auto at = in_slot(contents.super, index);

	if (at.is_record()) {
		auto bitmap = *decode_record(words, contents.super.geometry);
		if (!bitmap)
			return;
		bitmap->slot = at.slot;
		contents.bitmaps.push_back(std::move(*bitmap));
	} else if (auto *const bitmap = find_bitmap(contents.bitmaps, at.slot)) {
		bitmap->changes.add_sector(at.sector - 1, words);
	}
}

void doubt_bitmap_sector(Contents &contents, uint64_t index)
{
	const auto at = in_slot(contents.super, index);
	auto *const bitmap = find_bitmap(contents.bitmaps, at.slot);

	if (!bitmap)
		return;
	if (at.is_record()) {
		bitmap->inconsistent = true;
		return;
	}
	const auto range = bitmap->changes.range_of(at.sector - 1);
	if (range.count == 0)
		return;
	bitmap->changes.mark(range);
	add_unreadable(*bitmap, range);
}

bool says_something(const Contents &contents, uint64_t index)
{
	if (!contents.super.has_bitmaps())
		return true;
	const auto at = in_slot(contents.super, index);
	const auto *const bitmap = bitmap_in(contents, at.slot);

	return at.is_record() || (bitmap && at.sector <= bitmap->changes.sectors());
}

bool is_blank_bits(const Contents &contents, uint64_t index)
{
	return contents.super.has_bitmaps() && is_never_written(contents.exact[index]) &&
	       !in_slot(contents.super, index).is_record();
}

void find_lost_bitmaps(Contents &contents)
{
	if (!contents.super.has_bitmaps())
		return;
	if (contents.super.clean)
		find_blank_records(contents);
	for (const auto &finding : contents.findings) {
		if (finding.place != Place::exact ||
		    (finding.verdict != Verdict::lost && finding.verdict != Verdict::doubtful))
			continue;
		const auto at = in_slot(contents.super, finding.index);
		if (at.is_record() && !bitmap_in(contents, at.slot))
			contents.lost_bitmaps.push_back(at.slot);
	}
	auto &slots = contents.lost_bitmaps;
	std::sort(slots.begin(), slots.end());
	slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
}

Changes Contents::changed(const Bitmap &bitmap) const
{
	const uint64_t segment = uint64_t{super.geometry.segment_mib} << 11;
	auto all = bitmap.changes;

	if (!bitmap.recording)
		return all;
	for (const auto &range : segments.ranges()) {
		const auto end =
			std::min((range.first + range.count) * segment, super.geometry.sectors);
		const auto first = range.first * segment / bitmap.granule_sectors;
		const auto last = (end - 1) / bitmap.granule_sectors;
		all.mark({first, last - first + 1});
	}
	return all;
}

} // namespace blkctl::meta
