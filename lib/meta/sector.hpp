// SPDX-License-Identifier: GPL-2.0-or-later
// What all sectors of a metadata device have in common, and what can be wrong with one.
#ifndef BLKCTL_META_SECTOR_HPP
#define BLKCTL_META_SECTOR_HPP

#include "base/error.hpp"
#include "meta/layout.hpp"
#include <array>
#include <boost/system/result.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace blkctl::meta
{

using Sector = std::array<uint8_t, sector_bytes>;
using SectorView = std::span<const uint8_t, sector_bytes>;
using Uuid = std::array<uint8_t, 16>;

// 32 hex digits in lower case.
std::string hex(const Uuid &uuid);
Result<Uuid> parse_uuid(std::string_view hex);

// Why nothing in a sector is believed. In the order in which it is looked for.
enum class Damage {
	io,         // the device does not give it
	blank,      // all zeroes
	magic,      // something else is there
	crc,        // bits have changed, or its write was torn
	version,    // a superblock of another version of the format
	incompat,   // a superblock with a feature this version does not know
	uuid,       // of another volume
	index,      // of another place on the device
	generation, // not the slot for its generation, or not one after the other slot's
	fields,     // values that no writer of this version leaves
};
std::string_view word(Damage damage);     // "io", "blank", ...
std::string_view describe(Damage damage); // "it is blank", ...

template <class T> using Decoded = boost::system::result<T, Damage>;

struct Header {
	uint64_t magic = 0;
	Uuid uuid = {};
	uint64_t index = 0;
	uint64_t generation = 0;

	bool operator==(const Header &) const = default;
};

// Writes the header with the checksum of the rest; the rest is as it is to be by then.
void seal(Sector &sector, const Header &header);

// The header of a sector whose magic and checksum are right.
Decoded<Header> unseal(SectorView sector, uint64_t magic);

bool is_blank(std::span<const uint8_t> bytes);

} // namespace blkctl::meta

#endif
