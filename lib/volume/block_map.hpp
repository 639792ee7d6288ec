// SPDX-License-Identifier: GPL-2.0-or-later
// The block map of a volume, as the kernel lists it: which blocks are where.
#ifndef BLKCTL_VOLUME_BLOCK_MAP_HPP
#define BLKCTL_VOLUME_BLOCK_MAP_HPP

#include "transport/image.hpp"
#include "volume/volume.hpp"
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace blkctl::volume
{

// Blocks next to each other.
struct BlockRun {
	uint64_t first = 0;
	uint64_t count = 0;

	bool operator==(const BlockRun &) const = default;
};

struct BlockMap {
	std::vector<BlockRun> base; // in the base only
	std::vector<BlockRun> both;
	std::vector<BlockRun> top; // in the top only
	std::vector<BlockRun> zero;
};

// One answer to `map list`: runs, and where the next answer starts; nothing: it was the last.
struct MapPage {
	std::vector<BlockRun> runs;
	std::optional<uint64_t> next;
};

// Parses "first+count ... NEXT|end". Errors: failed, naming the word.
Result<MapPage> parse_map_page(std::string_view text);

// The same with gaps: "gap[+count] ... @NEXT|end", of an answer about `from` and on.
Result<MapPage> parse_gap_page(std::string_view text, uint64_t from);

// The runs a message lists, from the first block on: "map list base", "bitmap list NAME". `most`:
// about how many to expect, if that is known. Errors: failed.
Result<std::vector<BlockRun>> read_runs(Context &context, const Volume &volume,
					const std::string &message, uint64_t most = 0);

// The same in bytes; the last block may be a part of one.
transport::Range range_of(const Volume &volume, const BlockRun &run);
std::vector<transport::Range> ranges_of(const Volume &volume, const std::vector<BlockRun> &runs);

// The whole map. The lists are read one after the other while blocks change place, so a block
// that moves meanwhile may be in two of them or in none. Errors: failed.
Result<BlockMap> read_block_map(Context &context, const Volume &volume);

} // namespace blkctl::volume

#endif
