// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/superblock.hpp"
#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <cstring>

namespace blkctl::meta
{

namespace
{

using boost::endian::little_to_native;
using boost::endian::native_to_little;

struct Flag {
	uint32_t bit;
	bool Superblock::*value;
};

constexpr Flag flags[] = {
	{BLKCOPY_META_CLEAN, &Superblock::clean},
	{BLKCOPY_META_BASE_STALE, &Superblock::base_stale},
	{BLKCOPY_META_TOP_STALE, &Superblock::top_stale},
	{BLKCOPY_META_BASE_MIXED, &Superblock::base_mixed},
	{BLKCOPY_META_UNSEALED, &Superblock::unsealed},
	{BLKCOPY_META_UNORDERED, &Superblock::unordered},
	{BLKCOPY_META_DOUBTFUL, &Superblock::doubtful},
};

constexpr uint32_t known_flags = [] {
	uint32_t bits = 0;
	for (const auto &flag : flags)
		bits |= flag.bit;
	return bits;
}();
static_assert(known_flags == BLKCOPY_META_FLAGS);

template <size_t N> void put_text(char (&to)[N], const std::string &text)
{
	std::copy_n(text.data(), std::min(text.size(), N - 1), to);
}

// False unless it is text and then zeroes, one at least.
template <size_t N> bool get_text(const char (&from)[N], std::string &text)
{
	const auto *const end = std::find(std::begin(from), std::end(from), '\0');

	text.assign(std::begin(from), end);
	return end != std::end(from) &&
	       std::all_of(end, std::end(from), [](char c) { return c == '\0'; });
}

blkcopy_meta_leg encode_leg(const Leg &leg)
{
	blkcopy_meta_leg raw = {};

	put_text(raw.identity, leg.identity);
	raw.sectors = native_to_little(leg.sectors);
	raw.start = native_to_little(leg.start);
	raw.stamp = native_to_little(leg.stamp.value_or(0));
	raw.has_stamp = native_to_little(uint32_t(leg.stamp ? 1 : 0));
	return raw;
}

bool decode_leg(const blkcopy_meta_leg &raw, Leg &leg)
{
	const auto stamp = little_to_native(raw.stamp);
	const auto has_stamp = little_to_native(raw.has_stamp);

	if (!get_text(raw.identity, leg.identity) || !is_blank(raw.zero) || has_stamp > 1 ||
	    (!has_stamp && stamp != 0))
		return false;
	leg.sectors = little_to_native(raw.sectors);
	leg.start = little_to_native(raw.start);
	if (has_stamp)
		leg.stamp = stamp;
	return true;
}

bool is_mode(uint32_t value)
{
	return value >= BLKCOPY_META_MODE_MIRROR && value <= BLKCOPY_META_MODE_BACKUP;
}

bool is_phase(uint32_t value)
{
	return value <= BLKCOPY_META_PHASE_BROKEN;
}

// As many slots as fill the exact sectors, whole; more than there can be if they do not.
uint32_t bitmap_slots_of(const blkcopy_meta_super &raw, const Geometry &geometry)
{
	auto one = geometry;
	one.bitmap_slots = 1;
	const auto layout = layout_of(one);
	const auto nr = little_to_native(raw.nr_exact);
	const auto slots = layout ? nr / layout->bitmap_sectors : 0;

	if (slots == 0 || slots > bitmap_slots_max || slots * layout->bitmap_sectors != nr)
		return bitmap_slots_max + 1;
	return static_cast<uint32_t>(slots);
}

// The layout is written down, and has to be the one that follows from the geometry.
bool has_layout(const blkcopy_meta_super &raw, const Geometry &geometry)
{
	const auto layout = layout_of(geometry);

	return layout && little_to_native(raw.first_intent) == layout->first_intent &&
	       little_to_native(raw.nr_intent) == layout->nr_intent &&
	       little_to_native(raw.first_exact) == layout->first_exact &&
	       little_to_native(raw.nr_exact) == layout->nr_exact;
}

bool decode_fields(const blkcopy_meta_super &raw, Superblock &super)
{
	const auto bits = little_to_native(raw.flags);
	const auto mode = little_to_native(raw.mode), phase = little_to_native(raw.phase);

	super.geometry = {.sectors = little_to_native(raw.sectors),
			  .block_sectors = little_to_native(raw.block_sectors),
			  .segment_mib = little_to_native(raw.segment_mib)};
	if (mode == BLKCOPY_META_MODE_TRACK)
		super.geometry.bitmap_slots = bitmap_slots_of(raw, super.geometry);
	if ((bits & ~known_flags) != 0 || !is_mode(mode) || !is_phase(phase) || raw.zero1 != 0 ||
	    !has_layout(raw, super.geometry))
		return false;
	for (const auto &flag : flags)
		super.*flag.value = (bits & flag.bit) != 0;
	super.mode = static_cast<Mode>(mode);
	super.phase = static_cast<Phase>(phase);
	super.exact_sum = little_to_native(raw.exact_sum);
	return get_text(raw.name, super.name) && decode_leg(raw.leg[0], super.legs[0]) &&
	       decode_leg(raw.leg[1], super.legs[1]);
}

Error about(const Device &device, Status status, std::string why, std::string next = {})
{
	return {.status = status,
		.what = "read the metadata on",
		.device = device.name(),
		.why = std::move(why),
		.next = std::move(next)};
}

// Neither copy is good: the one that tells the most is what is reported.
Error no_superblock(const Superblocks &found, const Device &device)
{
	const auto first = found.copies[0].error(), second = found.copies[1].error();
	const auto either = [&](Damage damage) { return first == damage || second == damage; };
	const auto none = [](Damage damage) {
		return damage == Damage::blank || damage == Damage::magic;
	};

	if (either(Damage::version))
		return about(device, Status::failed,
			     "it is of another version of the format than " +
				     std::to_string(BLKCOPY_META_VERSION) + "; it is left alone",
			     "the blkctl that made it");
	if (either(Damage::incompat))
		return about(device, Status::failed,
			     "it has a feature that this version does not know; it is left alone",
			     "a newer blkctl");
	if (first == Damage::blank && second == Damage::blank)
		return about(device, Status::not_found, "there is none: it is blank",
			     "blkctl format " + device.name() + " --size SIZE");
	if (none(first) && none(second))
		return about(device, Status::not_found,
			     "there is none: something else is on the device");
	return about(device, Status::needs_attention,
		     "both copies of the superblock are bad: of the first, " +
			     std::string(describe(first)) + "; of the second, " +
			     std::string(describe(second)),
		     "blkctl restore " + device.name() + " DUMP");
}

} // namespace

Phase first_phase(Mode mode)
{
	switch (mode) {
	case Mode::mirror:
		return Phase::copying;
	case Mode::stream:
		return Phase::streaming;
	case Mode::commit:
		return Phase::merging;
	case Mode::backup:
		return Phase::preserving;
	case Mode::overlay:
	case Mode::track:
		break;
	}
	return Phase::idle;
}

Sector encode(const Superblock &super, unsigned copy)
{
	blkcopy_meta_super raw = {};
	Sector sector;
	uint32_t bits = 0;

	for (const auto &flag : flags)
		bits |= super.*flag.value ? flag.bit : 0;
	raw.version = native_to_little(uint32_t(BLKCOPY_META_VERSION));
	raw.flags = native_to_little(bits);
	raw.sectors = native_to_little(super.geometry.sectors);
	raw.block_sectors = native_to_little(super.geometry.block_sectors);
	raw.segment_mib = native_to_little(super.geometry.segment_mib);
	raw.mode = native_to_little(static_cast<uint32_t>(super.mode));
	raw.phase = native_to_little(static_cast<uint32_t>(super.phase));
	// A geometry that has no layout cannot be decoded either.
	if (const auto layout = layout_of(super.geometry)) {
		raw.first_intent = native_to_little(layout->first_intent);
		raw.nr_intent = native_to_little(layout->nr_intent);
		raw.first_exact = native_to_little(layout->first_exact);
		raw.nr_exact = native_to_little(layout->nr_exact);
	}
	raw.exact_sum = native_to_little(super.exact_sum);
	put_text(raw.name, super.name);
	for (size_t i = 0; i < super.legs.size(); i++)
		raw.leg[i] = encode_leg(super.legs[i]);
	std::memcpy(sector.data(), &raw, sizeof(raw));
	seal(sector, {BLKCOPY_META_MAGIC_SUPER, super.uuid, copy, super.generation});
	return sector;
}

Decoded<Superblock> decode_superblock(SectorView sector, unsigned copy)
{
	const auto header = unseal(sector, BLKCOPY_META_MAGIC_SUPER);
	blkcopy_meta_super raw;
	Superblock super;

	if (!header)
		return header.error();
	std::memcpy(&raw, sector.data(), sizeof(raw));
	if (little_to_native(raw.version) != BLKCOPY_META_VERSION)
		return Damage::version;
	if (raw.incompat != 0)
		return Damage::incompat;
	if (header->index != copy)
		return Damage::index;
	if (!is_blank(raw.zero2) || !decode_fields(raw, super))
		return Damage::fields;
	super.uuid = header->uuid;
	super.generation = header->generation;
	return super;
}

std::optional<unsigned> Superblocks::newest() const
{
	if (!copies[0] && !copies[1])
		return std::nullopt;
	if (!copies[0] || !copies[1])
		return copies[0] ? 0 : 1;
	if (copies[0]->uuid != copies[1]->uuid)
		return std::nullopt;
	return copies[1]->generation > copies[0]->generation ? 1 : 0;
}

Superblocks read_superblocks(Device &device)
{
	Superblocks found;

	for (unsigned copy = 0; copy < found.copies.size(); copy++) {
		Sector sector = {};
		if ((copy + 1) * sector_bytes <= device.bytes() && !device.read(copy, sector))
			found.copies[copy] = Damage::io;
		else
			found.copies[copy] = decode_superblock(sector, copy);
	}
	return found;
}

Result<Superblock> pick(const Superblocks &found, Device &device)
{
	const auto newest = found.newest();

	if (!newest && found.copies[0] && found.copies[1])
		return about(device, Status::needs_attention,
			     "its two superblocks are of two volumes: '" + found.copies[0]->name +
				     "' (" + hex(found.copies[0]->uuid) + ") and '" +
				     found.copies[1]->name + "' (" + hex(found.copies[1]->uuid) +
				     ")",
			     "blkctl restore " + device.name() + " DUMP");
	if (!newest)
		return no_superblock(found, device);
	// Hands off, also if an older blkctl left a copy that we could read.
	for (const auto &copy : found.copies)
		if (!copy && (copy.error() == Damage::version || copy.error() == Damage::incompat))
			return no_superblock({{copy.error(), copy.error()}}, device);

	const auto &super = *found.copies[*newest];
	const auto needed = layout_of(super.geometry)->bytes();
	if (device.bytes() < needed)
		return about(device, Status::needs_attention,
			     "it is cut off: the metadata of '" + super.name + "' has " +
				     std::to_string(needed) + " bytes, the device " +
				     std::to_string(device.bytes()));
	return super;
}

Result<Superblock> read_superblock(Device &device)
{
	return pick(read_superblocks(device), device);
}

} // namespace blkctl::meta
