// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/superblock.hpp"
#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace blkctl::meta;

// A fuzzer does not guess checksums: the header is sealed over what it made of the rest.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Sector sector = {};

	std::copy_n(data, std::min(size, sector.size()), sector.begin());
	(void)decode_superblock(sector, 0);
	seal(sector, {BLKCOPY_META_MAGIC_SUPER, Uuid{1}, 0, 5});
	const auto value = decode_superblock(sector, 0);
	if (value && encode(*value, 0) != sector)
		std::abort();
	return 0;
}
