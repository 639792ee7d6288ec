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

std::optional<BlockRun> run_from(std::string_view word)
{
	size_t plus = word.find('+');
	if (plus == std::string_view::npos)
		return std::nullopt;
	auto first = number(word.substr(0, plus));
	auto count = number(word.substr(plus + 1));
	if (!first || !count || *count == 0)
		return std::nullopt;
	return BlockRun{*first, *count};
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
					const std::string &message)
{
	std::vector<BlockRun> all;
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
	MapPage page;
	bool ended = false;
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

std::vector<transport::Range> ranges_of(const Volume &volume, const std::vector<BlockRun> &runs)
{
	const uint64_t block = uint64_t{volume.status.block_sectors} * transport::sector_bytes;
	const uint64_t size = volume.sectors * transport::sector_bytes;
	std::vector<transport::Range> ranges;

	ranges.reserve(runs.size());
	for (const auto &run : runs) {
		const auto offset = run.first * block;
		ranges.push_back({offset, std::min(run.count * block, size - offset)});
	}
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
