// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/block_map.hpp"
#include "uapi/blkcopy.h"
#include <algorithm>
#include <charconv>
#include <fmt/format.h>

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
	uint64_t from = 0;
	for (;;) {
		BLKCTL_TRY(auto text, context.dm.message(volume.devno(), 0,
							 fmt::format("{} {}", message, from)));
		BLKCTL_TRY(auto page, parse_map_page(text));
		all.insert(all.end(), page.runs.begin(), page.runs.end());
		if (!page.next)
			return all;
		if (*page.next <= from)
			return bad_page(text);
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
