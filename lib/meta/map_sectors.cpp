// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/map_sectors.hpp"
#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <cstring>

namespace blkctl::meta
{

namespace
{

using boost::endian::little_to_native;
using boost::endian::native_to_little;

constexpr size_t payload_at = sizeof(blkcopy_meta_header);

Decoded<Header> unseal_mine(SectorView sector, uint64_t magic, const Uuid &uuid, uint64_t index)
{
	const auto header = unseal(sector, magic);

	if (!header)
		return header.error();
	if (header->uuid != uuid)
		return Damage::uuid;
	if (header->index != index)
		return Damage::index;
	return header;
}

// How many of the things that a sector has room for exist.
uint64_t used_of(uint64_t all, uint64_t index, uint64_t a_sector)
{
	return std::min(all - std::min(all, index * a_sector), a_sector);
}

} // namespace

Sector encode(const Exact &exact)
{
	blkcopy_meta_exact raw = {};
	Sector sector;

	for (size_t i = 0; i < exact.words.size(); i++)
		raw.words[i] = native_to_little(exact.words[i]);
	std::memcpy(sector.data(), &raw, sizeof(raw));
	seal(sector, {BLKCOPY_META_MAGIC_EXACT, exact.uuid, exact.index, exact.generation});
	return sector;
}

Sector encode(const Intent &intent)
{
	blkcopy_meta_intent raw = {};
	Sector sector;

	std::copy(intent.bits.begin(), intent.bits.end(), raw.bits);
	std::memcpy(sector.data(), &raw, sizeof(raw));
	seal(sector, {BLKCOPY_META_MAGIC_INTENT, intent.uuid, intent.index, intent.generation});
	return sector;
}

Decoded<Exact> decode_exact(SectorView sector, const Uuid &uuid, uint64_t index, unsigned slot)
{
	const auto header = unseal_mine(sector, BLKCOPY_META_MAGIC_EXACT, uuid, index);
	blkcopy_meta_exact raw;
	Exact exact;

	if (!header)
		return header.error();
	// A repair writes generation 1 over a sector of a bitmap of which nothing is left.
	if (header->generation == 0 || slot_of(header->generation) != slot)
		return Damage::generation;
	std::memcpy(&raw, sector.data(), sizeof(raw));
	exact.uuid = header->uuid;
	exact.index = header->index;
	exact.generation = header->generation;
	for (size_t i = 0; i < exact.words.size(); i++)
		exact.words[i] = little_to_native(raw.words[i]);
	return exact;
}

Decoded<Exact> decode_exact(SectorView sector, const Uuid &uuid, uint64_t index, unsigned slot,
			    uint64_t blocks)
{
	const auto exact = decode_exact(sector, uuid, index, slot);
	const auto used = used_of(blocks, index, blocks_a_sector);
	const auto whole = used / 32, part = used % 32;

	if (!exact)
		return exact;
	if (exact->generation < BLKCOPY_META_FIRST_GENERATION)
		return Damage::generation;
	for (auto i = whole; i < exact->words.size(); i++) {
		const auto kept = i == whole ? (uint64_t{1} << (2 * part)) - 1 : 0;
		if ((exact->words[i] & ~kept) != 0)
			return Damage::fields;
	}
	return exact;
}

Decoded<Intent> decode_intent(SectorView sector, const Uuid &uuid, uint64_t index,
			      uint64_t segments)
{
	const auto header = unseal_mine(sector, BLKCOPY_META_MAGIC_INTENT, uuid, index);
	const auto used = used_of(segments, index, segments_a_sector);
	Intent intent;

	if (!header)
		return header.error();
	std::copy_n(sector.data() + payload_at, intent.bits.size(), intent.bits.begin());
	for (auto i = used; i < segments_a_sector; i++)
		if ((intent.bits[i / 8] >> (i % 8)) & 1)
			return Damage::fields;
	intent.uuid = header->uuid;
	intent.index = header->index;
	intent.generation = header->generation;
	return intent;
}

} // namespace blkctl::meta
