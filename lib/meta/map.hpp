// SPDX-License-Identifier: GPL-2.0-or-later
// The block map and the intent map, as they are in memory.
#ifndef BLKCTL_META_MAP_HPP
#define BLKCTL_META_MAP_HPP

#include "meta/layout.hpp"
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace blkctl::meta
{

// Where a block's data is valid; the values are those on disk.
enum class Valid : uint8_t {
	base = BLKCOPY_META_IN_BASE,
	both = BLKCOPY_META_IN_BOTH,
	top = BLKCOPY_META_IN_TOP,
	zero = BLKCOPY_META_IN_NONE,
};
std::string_view word(Valid valid); // "base", "both", "top", "zero"
std::optional<Valid> valid_from(std::string_view word);

// Blocks or segments next to each other.
struct Range {
	uint64_t first = 0;
	uint64_t count = 0;

	bool operator==(const Range &) const = default;
};

// Blocks of one state next to each other; without a state: what is there is not known.
struct StateRun {
	Range range = {};
	std::optional<Valid> valid = {};

	bool operator==(const StateRun &) const = default;
};

class BlockMap
{
      public:
	explicit BlockMap(uint64_t blocks = 0);

	uint64_t blocks() const { return blocks_; }
	uint64_t sectors() const { return lost_.size(); } // that it takes on disk

	// Nothing if its sector is lost.
	std::optional<Valid> at(uint64_t block) const;
	void fill(const Range &range, Valid valid);

	// One sector's worth. A lost one reads as "base" and is not to be believed.
	Words sector(uint64_t index) const;
	void set_sector(uint64_t index, const Words &words);
	bool is_lost(uint64_t index) const { return lost_[index]; }
	void set_lost(uint64_t index, bool lost);
	// The blocks of one sector.
	Range range_of(uint64_t index) const;

	// In order, as long as can be.
	void each_run(const std::function<void(const StateRun &)> &call) const;
	std::vector<StateRun> runs() const;

	bool operator==(const BlockMap &) const = default;

      private:
	uint64_t blocks_;
	std::vector<uint64_t> words_;
	std::vector<bool> lost_;
};

class SegmentMap
{
      public:
	explicit SegmentMap(uint64_t segments = 0) : marked_(segments) {}

	uint64_t segments() const { return marked_.size(); }
	bool at(uint64_t segment) const { return marked_[segment]; }
	void mark(const Range &range);
	uint64_t count() const;
	std::vector<Range> ranges() const;

	bool operator==(const SegmentMap &) const = default;

      private:
	std::vector<bool> marked_;
};

} // namespace blkctl::meta

#endif
