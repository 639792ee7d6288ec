// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/sector.hpp"
#include "meta/crc32c.hpp"
#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <cstddef>
#include <cstring>

namespace blkctl::meta
{

namespace
{

using boost::endian::little_to_native;
using boost::endian::native_to_little;

uint32_t checksum(SectorView sector)
{
	constexpr size_t at = offsetof(blkcopy_meta_header, crc);
	constexpr uint8_t none[sizeof(blkcopy_meta_header::crc)] = {};
	Crc32c crc;

	crc.add(sector.first(at));
	crc.add(none);
	crc.add(sector.subspan(at + sizeof(none)));
	return crc.value();
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

} // namespace

std::string hex(const Uuid &uuid)
{
	constexpr const char *digits = "0123456789abcdef";
	std::string text;

	for (const auto byte : uuid) {
		text += digits[byte >> 4];
		text += digits[byte & 15];
	}
	return text;
}

Result<Uuid> parse_uuid(std::string_view hex)
{
	const auto bad = [&] {
		return Error{.status = Status::usage,
			     .what = "read the UUID",
			     .device = "'" + std::string(hex) + "'",
			     .why = "not 32 hex digits in lower case"};
	};
	Uuid uuid;

	if (hex.size() != 2 * uuid.size())
		return bad();
	for (size_t i = 0; i < uuid.size(); i++) {
		const int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return bad();
		uuid[i] = static_cast<uint8_t>(high * 16 + low);
	}
	return uuid;
}

std::string_view word(Damage damage)
{
	switch (damage) {
	case Damage::io:
		return "io";
	case Damage::blank:
		return "blank";
	case Damage::magic:
		return "magic";
	case Damage::crc:
		return "crc";
	case Damage::version:
		return "version";
	case Damage::incompat:
		return "incompat";
	case Damage::uuid:
		return "uuid";
	case Damage::index:
		return "index";
	case Damage::generation:
		return "generation";
	case Damage::fields:
		break;
	}
	return "fields";
}

std::string_view describe(Damage damage)
{
	switch (damage) {
	case Damage::io:
		return "it cannot be read";
	case Damage::blank:
		return "it is blank";
	case Damage::magic:
		return "something else is there";
	case Damage::crc:
		return "its checksum is wrong: bits have changed, or its write was torn";
	case Damage::version:
		return "it is of another version of the format";
	case Damage::incompat:
		return "it has a feature that this version does not know";
	case Damage::uuid:
		return "it is of another volume";
	case Damage::index:
		return "it belongs to another place on the device";
	case Damage::generation:
		return "its generation is not the one that belongs there";
	case Damage::fields:
		break;
	}
	return "its values make no sense";
}

void seal(Sector &sector, const Header &header)
{
	blkcopy_meta_header raw = {};

	raw.magic = native_to_little(header.magic);
	std::copy(header.uuid.begin(), header.uuid.end(), raw.uuid);
	raw.index = native_to_little(header.index);
	raw.generation = native_to_little(header.generation);
	std::memcpy(sector.data(), &raw, sizeof(raw));
	raw.crc = native_to_little(checksum(sector));
	std::memcpy(sector.data(), &raw, sizeof(raw));
}

Decoded<Header> unseal(SectorView sector, uint64_t magic)
{
	blkcopy_meta_header raw;
	Header header;

	std::memcpy(&raw, sector.data(), sizeof(raw));
	header.magic = little_to_native(raw.magic);
	if (header.magic != magic)
		return is_blank(sector) ? Damage::blank : Damage::magic;
	if (little_to_native(raw.crc) != checksum(sector))
		return Damage::crc;
	if (raw.reserved != 0 || !is_blank(raw.zero))
		return Damage::fields;
	std::copy(std::begin(raw.uuid), std::end(raw.uuid), header.uuid.begin());
	header.index = little_to_native(raw.index);
	header.generation = little_to_native(raw.generation);
	return header;
}

bool is_blank(std::span<const uint8_t> bytes)
{
	// Room for bitmaps is gigabytes of zeroes: each byte is compared to the one before it.
	return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1,
							      bytes.size() - 1) == 0);
}

} // namespace blkctl::meta
