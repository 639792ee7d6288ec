// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/writing.hpp"
#include <algorithm>

namespace blkctl::meta
{

namespace
{

// Gathers sectors next to each other into long writes.
class Writer
{
      public:
	Writer(Device &device, uint64_t first) : device_(device), at_(first) {}

	Result<void> add(const Sector &sector)
	{
		buffer_.insert(buffer_.end(), sector.begin(), sector.end());
		return buffer_.size() >= most ? finish() : Result<void>();
	}

	Result<void> finish()
	{
		if (buffer_.empty())
			return {};
		BLKCTL_CHECK(device_.write(at_, buffer_));
		at_ += buffer_.size() / sector_bytes;
		buffer_.clear();
		return {};
	}

      private:
	static constexpr size_t most = 256 * sector_bytes;

	Device &device_;
	uint64_t at_;
	std::vector<uint8_t> buffer_;
};

} // namespace

Intent intent_of(const Superblock &super, const SegmentMap &segments, uint64_t index)
{
	const auto first = index * segments_a_sector;
	const auto count = std::min(segments_a_sector, segments.segments() - first);
	Intent intent{.uuid = super.uuid, .index = index};

	for (uint64_t bit = 0; bit < count; bit++)
		if (segments.at(first + bit))
			intent.bits[bit / 8] |= static_cast<uint8_t>(1u << (bit % 8));
	return intent;
}

Result<void> write_all(Device &device, Superblock super, const BlockMap &map,
		       const SegmentMap &segments)
{
	BLKCTL_TRY(const auto layout, layout_of(super.geometry));
	std::vector<ExactState> exact(layout.nr_exact);
	const std::vector<uint8_t> no_superblocks(layout.first_intent * sector_bytes);
	Writer writer(device, layout.first_intent);
	const Sector blank = {};

	BLKCTL_CHECK(device.write(0, no_superblocks));
	BLKCTL_CHECK(device.flush());
	for (uint64_t i = 0; i < layout.nr_intent; i++)
		BLKCTL_CHECK(writer.add(encode(intent_of(super, segments, i))));
	for (uint64_t i = 0; i < layout.nr_exact; i++) {
		if (!map.is_lost(i))
			exact[i].generation = BLKCOPY_META_FIRST_GENERATION;
		BLKCTL_CHECK(writer.add(map.is_lost(i) ? blank
						       : encode(Exact{.uuid = super.uuid,
								      .index = i,
								      .words = map.sector(i)})));
		BLKCTL_CHECK(writer.add(blank));
	}
	BLKCTL_CHECK(writer.finish());
	BLKCTL_CHECK(device.flush());

	super.generation = BLKCOPY_META_FIRST_GENERATION - 1;
	super.exact_sum = super.clean ? sum_of(exact) : 0;
	return write_superblocks(device, super, 1);
}

Result<void> write_superblocks(Device &device, const Superblock &super, unsigned first)
{
	auto next = super;

	for (const unsigned copy : {first, 1 - first}) {
		BLKCTL_CHECK(device.write(copy, encode(next, copy)));
		BLKCTL_CHECK(device.flush());
		next.generation++;
	}
	return {};
}

Result<void> update_superblock(Device &device, Superblock super)
{
	super.generation++;
	return write_superblocks(device, super, static_cast<unsigned>(super.generation % 2));
}

} // namespace blkctl::meta
