// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/writing.hpp"
#include "meta/bitmap_contents.hpp"
#include <algorithm>

namespace blkctl::meta
{

namespace
{

constexpr size_t most_at_once = 256 * sector_bytes;

// These sectors read as zeroes. They are written to only where they do not: room for bitmaps takes
// none of a sparse file or a thin device.
Result<void> make_blank(Device &device, uint64_t first, uint64_t count)
{
	std::vector<uint8_t> buffer;

	while (count > 0) {
		const auto now = std::min<uint64_t>(count, most_at_once / sector_bytes);
		buffer.resize(now * sector_bytes);
		if (!device.read(first, buffer) || !is_blank(buffer)) {
			std::fill(buffer.begin(), buffer.end(), 0);
			BLKCTL_CHECK(device.write(first, buffer));
		}
		first += now;
		count -= now;
	}
	return {};
}

// Gathers sectors next to each other into long writes.
class Writer
{
      public:
	Writer(Device &device, uint64_t first, Before before)
		: device_(device), at_(first), before_(before)
	{
	}

	Result<void> add(const Sector &sector)
	{
		if (blank_ > 0)
			BLKCTL_CHECK(finish());
		buffer_.insert(buffer_.end(), sector.begin(), sector.end());
		return buffer_.size() >= most_at_once ? finish() : Result<void>();
	}

	// The next ones are to be blank, and maybe are.
	Result<void> add_blank(uint64_t sectors)
	{
		if (!buffer_.empty())
			BLKCTL_CHECK(finish());
		blank_ += sectors;
		return {};
	}

	Result<void> finish()
	{
		if (!buffer_.empty())
			BLKCTL_CHECK(device_.write(at_, buffer_));
		if (before_ != Before::zeroes)
			BLKCTL_CHECK(make_blank(device_, at_, blank_));
		at_ += buffer_.size() / sector_bytes + blank_;
		buffer_.clear();
		blank_ = 0;
		return {};
	}

      private:
	// Of one of the two there is nothing.
	Device &device_;
	uint64_t at_;
	Before before_;
	std::vector<uint8_t> buffer_;
	uint64_t blank_ = 0;
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

Saying saying_of(const BlockMap &map)
{
	return [&map](uint64_t index) {
		return map.is_lost(index) ? std::nullopt : std::optional<Words>(map.sector(index));
	};
}

Saying saying_of(const std::vector<Bitmap> &bitmaps, const Superblock &super)
{
	return [&bitmaps, super](uint64_t index) -> std::optional<Words> {
		const auto at = in_slot(super, index);
		for (const auto &bitmap : bitmaps) {
			if (bitmap.slot != at.slot)
				continue;
			if (at.is_record())
				return encode_record(bitmap);
			if (bitmap.changes.has_any(at.sector - 1))
				return bitmap.changes.sector(at.sector - 1);
		}
		return std::nullopt;
	};
}

Result<void> write_all(Device &device, Superblock super, const Saying &saying,
		       const SegmentMap &segments, Before before)
{
	BLKCTL_TRY(const auto layout, layout_of(super.geometry));
	std::vector<ExactState> exact(layout.nr_exact);
	const std::vector<uint8_t> no_superblocks(layout.first_intent * sector_bytes);
	Writer writer(device, layout.first_intent, before);
	const Sector blank = {};

	BLKCTL_CHECK(device.write(0, no_superblocks));
	BLKCTL_CHECK(device.flush());
	for (uint64_t i = 0; i < layout.nr_intent; i++)
		BLKCTL_CHECK(writer.add(encode(intent_of(super, segments, i))));
	for (uint64_t i = 0; i < layout.nr_exact; i++) {
		const auto words = saying(i);
		if (!words && super.has_bitmaps()) {
			exact[i].generation = BLKCOPY_META_FIRST_GENERATION - 1;
			BLKCTL_CHECK(writer.add_blank(2));
			continue;
		}
		if (words)
			exact[i].generation = BLKCOPY_META_FIRST_GENERATION;
		BLKCTL_CHECK(writer.add(
			words ? encode(Exact{.uuid = super.uuid, .index = i, .words = *words})
			      : blank));
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
