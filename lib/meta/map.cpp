// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/map.hpp"
#include <algorithm>
#include <utility>

namespace blkctl::meta
{

namespace
{

constexpr uint64_t blocks_a_word = 32;

constexpr std::pair<Valid, std::string_view> words[] = {
	{Valid::base, "base"}, {Valid::both, "both"}, {Valid::top, "top"}, {Valid::zero, "zero"}};

// A word of equal blocks.
uint64_t uniform(Valid valid)
{
	constexpr uint64_t each = 0x5555555555555555;

	return each * static_cast<uint64_t>(valid);
}

} // namespace

std::string_view word(Valid valid)
{
	for (const auto &[value, name] : words)
		if (value == valid)
			return name;
	return "?";
}

std::optional<Valid> valid_from(std::string_view word)
{
	for (const auto &[value, name] : words)
		if (name == word)
			return value;
	return std::nullopt;
}

BlockMap::BlockMap(uint64_t blocks)
	: blocks_(blocks),
	  words_((blocks + blocks_a_sector - 1) / blocks_a_sector * words_a_sector),
	  lost_((blocks + blocks_a_sector - 1) / blocks_a_sector)
{
}

std::optional<Valid> BlockMap::at(uint64_t block) const
{
	if (lost_[block / blocks_a_sector])
		return std::nullopt;
	return static_cast<Valid>((words_[block / blocks_a_word] >> (2 * (block % blocks_a_word))) &
				  3);
}

void BlockMap::fill(const Range &range, Valid valid)
{
	auto block = range.first;
	const auto end = range.first + range.count;

	while (block < end) {
		auto &word = words_[block / blocks_a_word];
		if (block % blocks_a_word == 0 && end - block >= blocks_a_word) {
			word = uniform(valid);
			block += blocks_a_word;
			continue;
		}
		const auto shift = 2 * (block % blocks_a_word);
		word = (word & ~(uint64_t{3} << shift)) | (static_cast<uint64_t>(valid) << shift);
		block++;
	}
}

Words BlockMap::sector(uint64_t index) const
{
	Words found;

	std::copy_n(words_.begin() + static_cast<std::ptrdiff_t>(index * words_a_sector),
		    found.size(), found.begin());
	return found;
}

void BlockMap::set_sector(uint64_t index, const Words &words)
{
	std::copy(words.begin(), words.end(),
		  words_.begin() + static_cast<std::ptrdiff_t>(index * words_a_sector));
	lost_[index] = false;
}

void BlockMap::set_lost(uint64_t index, bool lost)
{
	lost_[index] = lost;
	if (lost)
		fill(range_of(index), Valid::base);
}

Range BlockMap::range_of(uint64_t index) const
{
	const auto first = index * blocks_a_sector;

	return {first, std::min(blocks_a_sector, blocks_ - first)};
}

void BlockMap::each_run(const std::function<void(const StateRun &)> &call) const
{
	StateRun run;
	const auto add = [&](uint64_t count, std::optional<Valid> valid) {
		if (valid != run.valid && run.range.count > 0) {
			call(run);
			run.range = {run.range.first + run.range.count, 0};
		}
		run.valid = valid;
		run.range.count += count;
	};

	for (uint64_t block = 0; block < blocks_;) {
		const auto valid = at(block);
		const auto whole = blocks_ - block >= blocks_a_word && block % blocks_a_word == 0;
		// Words do not span sectors.
		const bool even =
			whole && (!valid || words_[block / blocks_a_word] == uniform(*valid));
		const auto count = even ? blocks_a_word : 1;
		add(count, valid);
		block += count;
	}
	if (run.range.count > 0)
		call(run);
}

std::vector<StateRun> BlockMap::runs() const
{
	std::vector<StateRun> found;

	each_run([&](const StateRun &run) { found.push_back(run); });
	return found;
}

void SegmentMap::mark(const Range &range)
{
	std::fill_n(marked_.begin() + static_cast<std::ptrdiff_t>(range.first), range.count, true);
}

uint64_t SegmentMap::count() const
{
	return static_cast<uint64_t>(std::count(marked_.begin(), marked_.end(), true));
}

std::vector<Range> SegmentMap::ranges() const
{
	std::vector<Range> found;

	for (uint64_t i = 0; i < marked_.size(); i++) {
		if (!marked_[i])
			continue;
		if (found.empty() || found.back().first + found.back().count != i)
			found.push_back({i, 0});
		found.back().count++;
	}
	return found;
}

} // namespace blkctl::meta
