// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/crc32c.hpp"
#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <isa-l/crc.h>

namespace blkctl::meta
{

namespace
{

constexpr size_t piece = size_t{1} << 30; // ISA-L counts in int

} // namespace

void Crc32c::add(std::span<const uint8_t> bytes)
{
	while (!bytes.empty()) {
		const auto now = bytes.first(std::min(bytes.size(), piece));
		// It only reads; its prototype does not say so.
		state_ = crc32_iscsi(const_cast<uint8_t *>(now.data()),
				     static_cast<int>(now.size()), state_);
		bytes = bytes.subspan(now.size());
	}
}

void Crc32c::add_le64(uint64_t value)
{
	uint8_t bytes[sizeof(value)];

	boost::endian::store_little_u64(bytes, value);
	add(bytes);
}

uint32_t crc32c(std::span<const uint8_t> bytes)
{
	Crc32c crc;

	crc.add(bytes);
	return crc.value();
}

} // namespace blkctl::meta
