// SPDX-License-Identifier: GPL-2.0-or-later
// A metadata device in memory, and volumes small enough to look at sector by sector.
#ifndef BLKCTL_TESTS_MEMORY_DEVICE_HPP
#define BLKCTL_TESTS_MEMORY_DEVICE_HPP

#include "meta/format.hpp"
#include "meta/writing.hpp"
#include <algorithm>
#include <set>
#include <vector>

namespace blkctl::fake
{

class MemoryDevice final : public meta::Device
{
      public:
	explicit MemoryDevice(uint64_t sectors) : memory(sectors * meta::sector_bytes) {}

	std::vector<uint8_t> memory;
	std::set<uint64_t> broken; // sectors that cannot be read
	unsigned writes = 0;
	int writes_left = -1; // then they fail: the power is gone

	const std::string &name() const override { return name_; }
	uint64_t bytes() const override { return memory.size(); }

	Result<void> read(uint64_t sector, std::span<uint8_t> to) override
	{
		BLKCTL_CHECK(check(sector, to.size()));
		for (uint64_t i = 0; i < to.size() / meta::sector_bytes; i++)
			if (broken.count(sector + i))
				return errno_error("read", name_, EIO);
		std::copy_n(at(sector), to.size(), to.begin());
		return {};
	}

	Result<void> write(uint64_t sector, std::span<const uint8_t> from) override
	{
		BLKCTL_CHECK(check(sector, from.size()));
		if (writes_left == 0)
			return errno_error("write", name_, EIO);
		writes_left -= writes_left > 0 ? 1 : 0;
		writes++;
		std::copy(from.begin(), from.end(), at(sector));
		return {};
	}

	Result<void> flush() override { return {}; }

	std::vector<uint8_t>::iterator at(uint64_t sector)
	{
		return memory.begin() + static_cast<std::ptrdiff_t>(sector * meta::sector_bytes);
	}
	meta::Sector sector(uint64_t sector)
	{
		meta::Sector copy;
		std::copy_n(at(sector), copy.size(), copy.begin());
		return copy;
	}
	void put(uint64_t sector, const meta::Sector &from)
	{
		std::copy(from.begin(), from.end(), at(sector));
	}
	void spoil(uint64_t sector) { *(at(sector) + 2000) ^= 4; }

      private:
	Result<void> check(uint64_t sector, size_t bytes) const
	{
		if (sector * meta::sector_bytes + bytes > memory.size())
			return errno_error("reach", name_, EIO);
		return {};
	}

	std::string name_ = "/dev/meta";
};

inline const meta::Uuid some_uuid{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

// Three exact sectors, the last with room; one intent sector.
inline meta::Superblock some_super()
{
	meta::Superblock super;

	super.uuid = some_uuid;
	super.name = "data";
	super.geometry = {.sectors = (2 * meta::blocks_a_sector + 100) * 8 - 3,
			  .block_sectors = 8,
			  .segment_mib = 1};
	super.mode = meta::Mode::overlay;
	super.legs[0] = {.identity = "dm:x", .sectors = 300000, .start = 8, .stamp = 7};
	super.legs[1] = {.identity = "serial:y", .sectors = 400000};
	return super;
}

inline MemoryDevice formatted(const meta::Superblock &super = some_super())
{
	MemoryDevice device(meta::layout_of(super.geometry)->end());

	if (!meta::format(device, super, meta::Overwrite::no))
		std::abort();
	device.writes = 0;
	return device;
}

// Writes exact sector `index` as the kernel does, with this word in front.
inline void write_exact(MemoryDevice &device, uint64_t index, uint64_t generation, uint64_t word)
{
	const auto layout = *meta::layout_of(some_super().geometry);
	meta::Exact exact{.uuid = some_uuid, .index = index, .generation = generation};

	exact.words[0] = word;
	device.put(layout.slot(index, meta::slot_of(generation)), meta::encode(exact));
}

// The superblock as it is left, with this sum and these flags.
inline void close(MemoryDevice &device, bool clean, const std::vector<uint64_t> &generations,
		  bool doubtful = false)
{
	auto super = *meta::read_superblock(device);
	std::vector<meta::ExactState> exact;

	exact.reserve(generations.size());
	for (const auto generation : generations)
		exact.push_back({.generation = generation});
	super.clean = clean;
	super.doubtful = doubtful;
	super.exact_sum = clean ? meta::sum_of(exact) : 0;
	super.generation++;
	if (!meta::write_superblocks(device, super, 1))
		std::abort();
}

} // namespace blkctl::fake

#endif
