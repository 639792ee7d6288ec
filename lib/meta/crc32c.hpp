// SPDX-License-Identifier: GPL-2.0-or-later
// CRC32C (Castagnoli) as the metadata has it: seed ~0, inverted at the end. "123456789" gives
// 0xe3069283. The kernel's crc32c(~0, ...) leaves the inversion to its caller.
#ifndef BLKCTL_META_CRC32C_HPP
#define BLKCTL_META_CRC32C_HPP

#include <cstdint>
#include <span>

namespace blkctl::meta
{

// Bytes may be added piece by piece.
class Crc32c
{
      public:
	void add(std::span<const uint8_t> bytes);
	void add_le64(uint64_t value); // its eight bytes, the lowest first
	uint32_t value() const { return ~state_; }

      private:
	uint32_t state_ = ~uint32_t{0};
};

uint32_t crc32c(std::span<const uint8_t> bytes);

} // namespace blkctl::meta

#endif
