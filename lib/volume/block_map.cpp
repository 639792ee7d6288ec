// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/block_map.hpp"
#include "uapi/blkcopy.h"
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace blkctl::volume
{

namespace
{

std::optional<uint64_t> number(std::string_view text)
{
	uint64_t value = 0;
	const char *last = text.data() + text.size();
	auto [stop, error] = std::from_chars(text.data(), last, value);
	if (text.empty() || error != std::errc() || stop != last)
		return std::nullopt;
	return value;
}

// A list may have millions: each character is looked at once.
std::optional<BlockRun> run_from(std::string_view word)
{
	BlockRun run{};
	const char *const last = word.data() + word.size();
	const auto first = std::from_chars(word.data(), last, run.first);

	if (first.ec != std::errc() || first.ptr == last || *first.ptr != '+')
		return std::nullopt;
	const auto count = std::from_chars(first.ptr + 1, last, run.count);
	if (count.ec != std::errc() || count.ptr != last || run.count == 0)
		return std::nullopt;
	return run;
}

std::string_view first_word(const char *at, const char *last)
{
	return {at, std::find_if(at, last, [](char c) { return c == ' '; })};
}

/*
 * std::from_chars() of what begins with a digit. Most gaps have two or three, and there may be
 * millions of them.
 */
std::from_chars_result short_number(const char *at, const char *last, uint64_t &value)
{
	const char *stop = at;
	uint64_t sum = 0;

	for (; stop != last && stop - at < 10 && *stop >= '0' && *stop <= '9'; stop++)
		sum = sum * 10 + static_cast<uint64_t>(*stop - '0');
	if (stop - at == 10)
		return std::from_chars(at, last, value);
	value = sum;
	return {stop, std::errc()};
}

Error bad_page(std::string_view word)
{
	Error error;
	error.what = "read the block map";
	error.why = fmt::format("\"{}\" is no run of blocks", word);
	return error;
}

} // namespace

Result<std::vector<BlockRun>> read_runs(Context &context, const Volume &volume,
					const std::string &message, uint64_t most)
{
	std::vector<BlockRun> all;
	// 64 MiB of memory at most before there is anything.
	all.reserve(std::min<uint64_t>(most, uint64_t{1} << 22));
	bool gaps = true;
	uint64_t from = 0;
	for (;;) {
		auto text = context.dm.message(
			volume.devno(), 0,
			fmt::format("{} {}{}", message, from, gaps ? " " BLKCOPY_MSG_GAPS : ""));
		if (!text && gaps) {
			// The module was loaded before it could.
			gaps = false;
			continue;
		}
		if (!text)
			return text.error();
		BLKCTL_TRY(auto page, gaps ? parse_gap_page(*text, from) : parse_map_page(*text));
		all.insert(all.end(), page.runs.begin(), page.runs.end());
		if (!page.next)
			return all;
		if (*page.next <= from)
			return bad_page(*text);
		from = *page.next;
	}
}

Result<MapPage> parse_map_page(std::string_view text)
{
	constexpr size_t run_length = 12; // of most, in characters
	MapPage page;
	bool ended = false;
	page.runs.reserve(text.size() / run_length);
	if (text.ends_with('\n'))
		text.remove_suffix(1);
	while (!text.empty()) {
		const size_t end = text.find(' ');
		std::string_view word = text.substr(0, end);
		text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
		if (word.empty())
			continue;
		if (ended)
			return bad_page(word);
		if (auto run = run_from(word)) {
			page.runs.push_back(*run);
			continue;
		}
		// The last word is where to go on.
		ended = true;
		if (word == BLKCOPY_MSG_MAP_END)
			continue;
		page.next = number(word);
		if (!page.next)
			return bad_page(word);
	}
	if (!ended)
		return bad_page("");
	return page;
}

Result<MapPage> parse_gap_page(std::string_view text, uint64_t from)
{
	constexpr size_t run_length = 3; // of most, in characters
	const char *at = text.data();
	const char *const last = at + text.size();
	MapPage page;
	uint64_t block = from; // the one behind the last run
	page.runs.reserve(text.size() / run_length);
	while (at != last && *at >= '0' && *at <= '9') {
		const auto *const word = at;
		uint64_t gap = 0;
		uint64_t count = 1;
		auto end = short_number(at, last, gap);
		if (end.ec == std::errc() && end.ptr != last && *end.ptr == '+')
			end = std::from_chars(end.ptr + 1, last, count);
		const uint64_t room = std::numeric_limits<uint64_t>::max() - block;
		// A space, and a word behind it.
		if (end.ec != std::errc() || end.ptr == last || *end.ptr != ' ' || count == 0 ||
		    gap > room || count > room - gap)
			return bad_page(first_word(word, last));
		page.runs.push_back({block + gap, count});
		block += gap + count;
		at = end.ptr + 1;
	}
	const auto word = first_word(at, last);
	if (word.size() != static_cast<size_t>(last - at))
		return bad_page({at, last});
	if (word == BLKCOPY_MSG_MAP_END)
		return page;
	page.next = word.starts_with(BLKCOPY_MSG_GAPS_NEXT) ? number(word.substr(1)) : std::nullopt;
	if (!page.next)
		return bad_page(word);
	return page;
}

transport::Range range_of(const Volume &volume, const BlockRun &run)
{
	const uint64_t block = uint64_t{volume.status.block_sectors} * transport::sector_bytes;
	const uint64_t offset = run.first * block;

	return {offset,
		std::min(run.count * block, volume.sectors * transport::sector_bytes - offset)};
}

std::vector<transport::Range> ranges_of(const Volume &volume, const std::vector<BlockRun> &runs)
{
	std::vector<transport::Range> ranges;

	ranges.reserve(runs.size());
	for (const auto &run : runs)
		ranges.push_back(range_of(volume, run));
	return ranges;
}

Result<BlockMap> read_block_map(Context &context, const Volume &volume)
{
	BlockMap map;
	BLKCTL_TRY(map.base, read_runs(context, volume, "map list base"));
	BLKCTL_TRY(map.both, read_runs(context, volume, "map list both"));
	BLKCTL_TRY(map.top, read_runs(context, volume, "map list top"));
	BLKCTL_TRY(map.zero, read_runs(context, volume, "map list zero"));
	return map;
}

} // namespace blkctl::volume
