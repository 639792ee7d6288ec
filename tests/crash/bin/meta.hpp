// SPDX-License-Identifier: GPL-2.0-or-later
//
// Just enough of the metadata format for a test: sealing sectors and choosing
// among them, written apart from the library on purpose.
#ifndef BLKCTL_CRASH_META_HPP
#define BLKCTL_CRASH_META_HPP

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../../../kernel/uapi/blkcopy_meta.h"

static_assert(std::endian::native == std::endian::little);

namespace meta
{

constexpr uint64_t kSize = BLKCOPY_META_SECTOR_SIZE;

inline uint32_t crc32c(const void *data, size_t len)
{
	static const auto kTable = [] {
		std::array<uint32_t, 256> t{};
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;
			for (int k = 0; k < 8; k++)
				c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
			t[i] = c;
		}
		return t;
	}();
	uint32_t crc = ~0u;
	for (const auto *p = static_cast<const unsigned char *>(data); len--; p++)
		crc = kTable[(crc ^ *p) & 0xff] ^ crc >> 8;
	return ~crc;
}

// Of a whole sector, whatever its crc field says.
inline uint32_t crc_of(const void *sector)
{
	unsigned char copy[kSize];
	memcpy(copy, sector, kSize);
	memset(copy + offsetof(blkcopy_meta_header, crc), 0, sizeof(uint32_t));
	return crc32c(copy, kSize);
}

inline void seal(void *sector, uint64_t magic, const unsigned char *uuid, uint64_t index,
		 uint64_t generation)
{
	auto *h = static_cast<blkcopy_meta_header *>(sector);
	h->magic = magic;
	memcpy(h->uuid, uuid, sizeof(h->uuid));
	h->index = index;
	h->generation = generation;
	h->crc = crc_of(sector);
}

inline bool good(const void *sector, uint64_t magic, uint64_t index)
{
	const auto *h = static_cast<const blkcopy_meta_header *>(sector);
	return h->magic == magic && h->index == index && h->crc == crc_of(sector);
}

} // namespace meta

#endif
