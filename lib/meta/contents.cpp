// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/contents.hpp"
#include "meta/bitmap_contents.hpp"
#include "meta/crc32c.hpp"
#include <algorithm>

namespace blkctl::meta
{

namespace
{

// Many sectors a read; an error is then looked for one by one.
constexpr uint64_t batch = 256;

// Sectors that may or may not be the newest: every combination is tried against the sum.
constexpr size_t most_doubtful = 10;

using Call = std::function<void(uint64_t sector, const Sector *)>;

// nullptr for one that cannot be read.
void each_sector(Device &device, uint64_t first, uint64_t count, const Call &call)
{
	std::vector<uint8_t> buffer;
	Sector sector;

	for (uint64_t at = 0; at < count; at += batch) {
		const auto now = std::min(batch, count - at);
		buffer.resize(now * sector_bytes);
		const bool all = device.read(first + at, buffer).has_value();
		for (uint64_t i = 0; i < now; i++) {
			bool good = all;
			if (all)
				std::copy_n(buffer.begin() +
						    static_cast<std::ptrdiff_t>(i * sector_bytes),
					    sector_bytes, sector.begin());
			else
				good = device.read(first + at + i, sector).has_value();
			call(at + i, good ? &sector : nullptr);
		}
	}
}

void read_intents(Device &device, const Layout &layout, Contents &contents)
{
	const auto &super = contents.super;

	each_sector(
		device, layout.first_intent, layout.nr_intent, [&](uint64_t i, const Sector *at) {
			const auto found = at ? decode_intent(*at, super.uuid, i, layout.segments)
					      : Decoded<Intent>(Damage::io);
			const auto first = i * segments_a_sector;
			const auto count = std::min(segments_a_sector, layout.segments - first);
			if (!found) {
				contents.segments.mark({first, count});
				contents.findings.push_back(
					{.place = Place::intent,
					 .index = i,
					 .damage = found.error(),
					 .verdict = super.clean ? Verdict::marked : Verdict::torn});
				return;
			}
			for (uint64_t bit = 0; bit < count; bit++)
				if ((found->bits[bit / 8] >> (bit % 8)) & 1)
					contents.segments.mark({first + bit, 1});
		});
}

// What is wrong with the two slots of a sector together. A slot that was never written is blank,
// and then generation 2 is in the other: it is not bad.
struct Pair {
	std::array<Decoded<Exact>, 2> slots = {Damage::blank, Damage::blank};

	bool is_blank() const
	{
		return !slots[0] && slots[0].error() == Damage::blank && !slots[1] &&
		       slots[1].error() == Damage::blank;
	}

	// Or what is in its place is of the time before nothing could be read.
	static bool goes_before(uint64_t older, uint64_t newer)
	{
		return older + 1 == newer ||
		       (newer >> 32 > older >> 32 &&
			static_cast<uint32_t>(newer) == BLKCOPY_META_ANEW_GENERATION);
	}

	std::array<std::optional<Damage>, 2> damage(bool bitmaps) const
	{
		std::array<std::optional<Damage>, 2> found;

		for (unsigned slot = 0; slot < 2; slot++)
			if (!slots[slot])
				found[slot] = slots[slot].error();
		// Of a bitmap it may be the first write that has failed.
		const bool first =
			slots[0] ? slots[0]->generation == BLKCOPY_META_FIRST_GENERATION : bitmaps;
		if (first && found[1] == Damage::blank)
			found[1].reset();
		if (slots[0] && slots[1]) {
			const auto older = slots[0]->generation < slots[1]->generation ? 0u : 1u;
			if (!goes_before(slots[older]->generation, slots[1 - older]->generation))
				found[older] = Damage::generation;
		}
		return found;
	}
};

void judge(uint64_t index, const Pair &pair, Contents &contents)
{
	auto &state = contents.exact[index];
	const bool bitmaps = contents.super.has_bitmaps();
	const auto damage = pair.damage(bitmaps);

	if (bitmaps && pair.is_blank()) {
		state.generation = BLKCOPY_META_FIRST_GENERATION - 1;
		return;
	}
	for (unsigned slot = 0; slot < 2; slot++) {
		if (pair.slots[slot] && pair.slots[slot]->generation > state.generation) {
			state.good = slot;
			state.generation = pair.slots[slot]->generation;
		}
		if (!damage[slot])
			continue;
		state.bad++;
		contents.findings.push_back({.place = Place::exact,
					     .index = index,
					     .slot = slot,
					     .damage = damage[slot],
					     .verdict = Verdict::torn});
	}
	if (bitmaps && state.good)
		take_bitmap_sector(contents, index, pair.slots[*state.good]->words);
	else if (bitmaps)
		doubt_bitmap_sector(contents, index);
	else if (state.good)
		contents.map.set_sector(index, pair.slots[*state.good]->words);
	else
		contents.map.set_lost(index, true);
}

// A good slot is left, and what it says may be outdated.
void doubt(uint64_t index, Contents &contents)
{
	if (contents.super.has_bitmaps()) {
		doubt_bitmap_sector(contents, index);
		return;
	}
	contents.doubtful[index] = contents.map.sector(index);
	contents.map.set_lost(index, true);
}

/*
 * After a stop in good order the sum of the newest generations is known. The sectors with a bad
 * slot are tried both ways: their good slot is the newest, or the bad one was. Returns those whose
 * good slot is outdated; nothing if no way gives the sum.
 */
std::optional<std::vector<uint64_t>> outdated(const Contents &contents)
{
	std::vector<uint64_t> doubtful;
	auto tried = contents.exact;

	for (uint64_t i = 0; i < tried.size(); i++)
		if (tried[i].good && tried[i].bad)
			doubtful.push_back(i);
	if (sum_of(tried) == contents.super.exact_sum)
		return std::vector<uint64_t>();
	if (doubtful.size() > most_doubtful)
		return std::nullopt;
	for (size_t way = 1; way < size_t{1} << doubtful.size(); way++) {
		std::vector<uint64_t> old;
		for (size_t i = 0; i < doubtful.size(); i++) {
			const bool is_old = ((way >> i) & 1) != 0;
			const auto index = doubtful[i];
			tried[index].generation = contents.exact[index].generation + is_old;
			if (is_old)
				old.push_back(index);
		}
		if (sum_of(tried) == contents.super.exact_sum)
			return old;
	}
	return std::nullopt;
}

// Sets which sectors are in doubt, and that nothing is torn: what else is bad is a spare.
void mark_doubtful(Contents &contents, const std::function<bool(uint64_t index)> &is_doubtful)
{
	for (auto &finding : contents.findings)
		if (finding.place == Place::exact)
			finding.verdict = is_doubtful(finding.index) &&
							  says_something(contents, finding.index)
						  ? Verdict::doubtful
						  : Verdict::spare;
	for (uint64_t i = 0; i < contents.exact.size(); i++) {
		if (contents.exact[i].is_lost() || !is_doubtful(i) || !says_something(contents, i))
			continue;
		doubt(i, contents);
		if (contents.exact[i].bad == 0)
			contents.findings.push_back({.place = Place::exact,
						     .index = i,
						     .slot = contents.exact[i].good.value_or(0),
						     .verdict = Verdict::doubtful});
	}
}

// After a stop in good order nothing is torn: what is bad is proven to be the older, or an error.
void judge_clean(Contents &contents)
{
	const auto old = outdated(contents);
	const bool lost = std::any_of(contents.exact.begin(), contents.exact.end(),
				      [](const ExactState &state) { return state.is_lost(); });

	mark_doubtful(contents, [&](uint64_t index) {
		if (old)
			return std::find(old->begin(), old->end(), index) != old->end();
		// A lost one hides what the sum was made of: then what is whole is believed, but
		// not bits of zeroes: maybe they were written, and say that nothing has changed.
		return !lost || contents.exact[index].bad > 0 || is_blank_bits(contents, index);
	});
}

// After any other stop, of a volume that was in doubt before: what is torn is not told from that.
void judge_doubted(Contents &contents)
{
	mark_doubtful(contents, [&](uint64_t index) { return contents.exact[index].bad > 0; });
}

/*
 * After a stop without warning what is bad was being written; but what a device does not give may
 * have been durable, and the marks of what it says gone.
 */
void judge_unclean(Contents &contents)
{
	for (auto &finding : contents.findings) {
		if (finding.place != Place::exact || finding.damage != Damage::io ||
		    !contents.exact[finding.index].good || !says_something(contents, finding.index))
			continue;
		finding.verdict = Verdict::doubtful;
		doubt(finding.index, contents);
	}
}

// Nothing good is left of a sector.
Verdict judge_lost(const Contents &contents, const Finding &finding)
{
	if (!contents.super.has_bitmaps())
		return Verdict::lost;
	if (!says_something(contents, finding.index))
		return contents.super.clean ? Verdict::spare : Verdict::torn;
	// The first write there ever was: whoever waited for it was never told that it is done.
	const bool first = contents.exact[finding.index].bad == 1;
	return !contents.super.clean && first && finding.damage != Damage::io ? Verdict::torn
									      : Verdict::lost;
}

} // namespace

std::string_view word(Place place)
{
	switch (place) {
	case Place::superblock:
		return "superblock";
	case Place::intent:
		return "intent";
	case Place::exact:
		break;
	}
	return "exact";
}

std::string_view word(Verdict verdict)
{
	switch (verdict) {
	case Verdict::torn:
		return "torn";
	case Verdict::spare:
		return "spare";
	case Verdict::marked:
		return "marked";
	case Verdict::doubtful:
		return "doubtful";
	case Verdict::lost:
		break;
	}
	return "lost";
}

std::string describe(const Finding &finding)
{
	std::string text;

	switch (finding.place) {
	case Place::superblock:
		text = "superblock, copy " + std::to_string(finding.index);
		break;
	case Place::intent:
		text = "intent sector " + std::to_string(finding.index);
		break;
	case Place::exact:
		text = "exact sector " + std::to_string(finding.index) + ", slot " +
		       std::to_string(finding.slot);
		break;
	}
	text += ": ";
	text += finding.damage ? describe(*finding.damage)
			       : "it is not what was left at the stop in good order";
	return text + " (" + std::string(word(finding.verdict)) + ")";
}

uint64_t Contents::count(Verdict verdict) const
{
	return static_cast<uint64_t>(
		std::count_if(findings.begin(), findings.end(),
			      [&](const Finding &each) { return each.verdict == verdict; }));
}

bool Contents::is_well() const
{
	return count(Verdict::torn) == findings.size();
}

std::vector<Range> Contents::unreadable() const
{
	std::vector<Range> found;

	for (uint64_t i = 0; i < map.sectors(); i++)
		if (map.is_lost(i))
			add_range(found, map.range_of(i));
	return found;
}

uint32_t sum_of(const std::vector<ExactState> &exact)
{
	Crc32c crc;

	for (const auto &state : exact)
		crc.add_le64(state.generation);
	return crc.value();
}

void each_slot(Device &device, const Superblock &super, const OnSlot &call)
{
	const auto layout = *layout_of(super.geometry);

	each_sector(
		device, layout.first_exact, 2 * layout.nr_exact, [&](uint64_t i, const Sector *at) {
			const auto slot = static_cast<unsigned>(i % 2);
			call(i / 2, slot,
			     !at ? Decoded<Exact>(Damage::io)
			     : super.has_bitmaps()
				     ? decode_bitmap_sector(*at, super.uuid, super.geometry, i / 2,
							    slot)
				     : decode_exact(*at, super.uuid, i / 2, slot, layout.blocks));
		});
}

Result<Contents> read_contents(Device &device)
{
	const auto supers = read_superblocks(device);
	Contents contents;

	BLKCTL_TRY(contents.super, pick(supers, device));
	contents.super_copy = *supers.newest();
	const auto layout = *layout_of(contents.super.geometry);
	contents.map = BlockMap(contents.super.has_bitmaps() ? 0 : layout.blocks);
	contents.segments = SegmentMap(layout.segments);
	contents.exact.resize(layout.nr_exact);
	for (unsigned copy = 0; copy < supers.copies.size(); copy++)
		if (!supers.copies[copy])
			contents.findings.push_back({.place = Place::superblock,
						     .index = copy,
						     .damage = supers.copies[copy].error(),
						     .verdict = Verdict::spare});

	read_intents(device, layout, contents);
	Pair pair;
	each_slot(device, contents.super,
		  [&](uint64_t index, unsigned slot, const Decoded<Exact> &found) {
			  pair.slots[slot] = found;
			  if (slot == 1)
				  judge(index, pair, contents);
		  });
	if (contents.super.clean)
		judge_clean(contents);
	else if (contents.super.has_bitmaps() || !contents.super.doubtful)
		judge_unclean(contents);
	else
		judge_doubted(contents);
	for (auto &finding : contents.findings)
		if (finding.place == Place::exact && contents.exact[finding.index].is_lost())
			finding.verdict = judge_lost(contents, finding);
	find_lost_bitmaps(contents);
	return contents;
}

} // namespace blkctl::meta
