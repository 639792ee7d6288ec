// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/bitmap.hpp"
#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace blkctl::meta;

// The first byte: how many of the blocks and segments there are, in steps of 64.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t count = size ? uint64_t(data[0]) * 64 : 0;
	const Uuid uuid{1};
	Sector sector = {};

	std::copy_n(data, std::min(size, sector.size()), sector.begin());
	(void)decode_exact(sector, uuid, 0, 1, count);
	(void)decode_intent(sector, uuid, 0, count);
	seal(sector, {BLKCOPY_META_MAGIC_EXACT, uuid, 0, 5});
	const auto exact = decode_exact(sector, uuid, 0, 1, count);
	if (exact && encode(*exact) != sector)
		std::abort();
	// The record of a bitmap, of a volume of 1000 blocks.
	const Geometry geometry{.sectors = 8000, .block_sectors = 8, .bitmap_slots = 1};
	const auto words = decode_exact(sector, uuid, 0, 1);
	const auto record = words ? decode_record(words->words, geometry) : Damage::fields;
	if (record && encode_record(*record) != words->words)
		std::abort();
	seal(sector, {BLKCOPY_META_MAGIC_INTENT, uuid, 0, 5});
	const auto intent = decode_intent(sector, uuid, 0, count);
	if (intent && encode(*intent) != sector)
		std::abort();
	return 0;
}
