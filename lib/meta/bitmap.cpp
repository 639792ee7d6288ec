// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/bitmap.hpp"
#include <algorithm>
#include <bit>
#include <boost/endian/conversion.hpp>
#include <cstring>

namespace blkctl::meta
{

namespace
{

constexpr uint64_t granules_a_word = 64;
constexpr size_t record_at = sizeof(blkcopy_meta_header);

struct RecordFlag {
	uint32_t bit;
	bool Bitmap::*value;
};

constexpr RecordFlag record_flags[] = {
	{BLKCOPY_META_BITMAP_RECORDING, &Bitmap::recording},
	{BLKCOPY_META_BITMAP_INCONSISTENT, &Bitmap::inconsistent},
	{BLKCOPY_META_BITMAP_LAPSED, &Bitmap::lapsed},
};

// The bits [first, first + count) of a word.
uint64_t mask_of(uint64_t first, uint64_t count)
{
	return (~uint64_t{0} >> (granules_a_word - count)) << first;
}

// A record lies where the words of an exact sector do.
blkcopy_meta_bitmap raw_of(const Words &words)
{
	blkcopy_meta_bitmap raw = {};
	Words on_disk;

	std::transform(words.begin(), words.end(), on_disk.begin(),
		       [](uint64_t word) { return boost::endian::native_to_little(word); });
	std::memcpy(reinterpret_cast<uint8_t *>(&raw) + record_at, on_disk.data(), sizeof(on_disk));
	return raw;
}

Words words_of(const blkcopy_meta_bitmap &raw)
{
	Words words;

	std::memcpy(words.data(), reinterpret_cast<const uint8_t *>(&raw) + record_at,
		    sizeof(words));
	for (auto &word : words)
		boost::endian::little_to_native_inplace(word);
	return words;
}

} // namespace

bool is_bitmap_name(std::string_view name)
{
	const auto good = [](char c) {
		return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		       std::string_view("-_.+:").find(c) != std::string_view::npos;
	};
	return !name.empty() && name.size() <= bitmap_name_max &&
	       std::all_of(name.begin(), name.end(), good);
}

uint64_t Changes::sectors() const
{
	return (granules_ + granules_a_sector - 1) / granules_a_sector;
}

bool Changes::at(uint64_t granule) const
{
	const auto found = sectors_.find(granule / granules_a_sector);
	const auto in = granule % granules_a_sector;

	return found != sectors_.end() &&
	       ((found->second[in / granules_a_word] >> (in % granules_a_word)) & 1) != 0;
}

void Changes::mark(const Range &range)
{
	const auto end = range.first + range.count;

	for (auto granule = range.first; granule < end;) {
		const auto in = granule % granules_a_sector, bit = in % granules_a_word;
		const auto count = std::min(granules_a_word - bit, end - granule);
		sectors_[granule / granules_a_sector][in / granules_a_word] |= mask_of(bit, count);
		granule += count;
	}
}

uint64_t Changes::count() const
{
	uint64_t count = 0;

	for (const auto &[index, words] : sectors_)
		for (const auto word : words)
			count += static_cast<uint64_t>(std::popcount(word));
	return count;
}

Words Changes::sector(uint64_t index) const
{
	const auto found = sectors_.find(index);

	return found == sectors_.end() ? Words{} : found->second;
}

void Changes::add_sector(uint64_t index, const Words &words)
{
	const auto used = range_of(index).count;
	auto sum = sector(index);

	for (size_t i = 0; i < sum.size() && i * granules_a_word < used; i++)
		sum[i] |= words[i] &
			  mask_of(0, std::min(granules_a_word, used - i * granules_a_word));
	if (std::any_of(sum.begin(), sum.end(), [](uint64_t word) { return word != 0; }))
		sectors_[index] = sum;
}

Range Changes::range_of(uint64_t index) const
{
	const auto first = std::min(granules_, index * granules_a_sector);

	return {first, std::min(granules_a_sector, granules_ - first)};
}

void Changes::each_range(const std::function<void(const Range &)> &call) const
{
	Range range;
	const auto add = [&](uint64_t first, uint64_t count) {
		if (range.count > 0 && range.first + range.count == first) {
			range.count += count;
			return;
		}
		if (range.count > 0)
			call(range);
		range = {first, count};
	};

	for (const auto &[index, words] : sectors_)
		for (size_t i = 0; i < words.size(); i++) {
			const auto at = index * granules_a_sector + i * granules_a_word;
			for (unsigned bit = 0; bit < granules_a_word;) {
				const auto rest = words[i] >> bit;
				if (rest == 0)
					break;
				bit += static_cast<unsigned>(std::countr_zero(rest));
				const auto count =
					static_cast<unsigned>(std::countr_one(words[i] >> bit));
				add(at + bit, count);
				bit += count;
			}
		}
	if (range.count > 0)
		call(range);
}

std::vector<Range> Changes::ranges() const
{
	std::vector<Range> found;

	each_range([&](const Range &range) { found.push_back(range); });
	return found;
}

uint64_t granules_of(const Geometry &geometry, uint32_t granule_sectors)
{
	return geometry.sectors / granule_sectors +
	       (geometry.sectors % granule_sectors != 0 ? 1 : 0);
}

bool is_granule(const Geometry &geometry, uint64_t granule_sectors)
{
	return std::has_single_bit(granule_sectors) && granule_sectors >= geometry.block_sectors;
}

Words encode_record(const std::optional<Bitmap> &bitmap)
{
	blkcopy_meta_bitmap raw = {};
	uint32_t bits = BLKCOPY_META_BITMAP_IN_USE;

	if (!bitmap)
		return Words{};
	for (const auto &flag : record_flags)
		bits |= *bitmap.*flag.value ? flag.bit : 0;
	raw.flags = boost::endian::native_to_little(bits);
	raw.granule_sectors = boost::endian::native_to_little(bitmap->granule_sectors);
	std::copy_n(bitmap->name.data(), std::min(bitmap->name.size(), bitmap_name_max), raw.name);
	return words_of(raw);
}

Decoded<std::optional<Bitmap>> decode_record(const Words &words, const Geometry &geometry)
{
	const auto raw = raw_of(words);
	const auto bits = boost::endian::little_to_native(raw.flags);
	Bitmap bitmap;

	if (bits == 0 && words == Words{})
		return std::optional<Bitmap>();
	for (const auto &flag : record_flags)
		bitmap.*flag.value = (bits & flag.bit) != 0;
	bitmap.granule_sectors = boost::endian::little_to_native(raw.granule_sectors);
	bitmap.name.assign(raw.name, strnlen(raw.name, bitmap_name_max + 1));
	if (!is_bitmap_name(bitmap.name) || !is_granule(geometry, bitmap.granule_sectors) ||
	    encode_record(bitmap) != words)
		return Damage::fields;
	bitmap.changes = Changes(granules_of(geometry, bitmap.granule_sectors));
	return std::optional<Bitmap>(std::move(bitmap));
}

Decoded<Exact> decode_bitmap_sector(SectorView sector, const Uuid &uuid, const Geometry &geometry,
				    uint64_t index, unsigned slot)
{
	const auto exact = decode_exact(sector, uuid, index, slot);

	if (!exact || index % layout_of(geometry)->bitmap_sectors != 0)
		return exact;
	const auto record = decode_record(exact->words, geometry);
	if (!record)
		return record.error();
	return exact;
}

void add_range(std::vector<Range> &ranges, const Range &range)
{
	if (!ranges.empty() && ranges.back().first + ranges.back().count == range.first)
		ranges.back().count += range.count;
	else
		ranges.push_back(range);
}

} // namespace blkctl::meta
