// SPDX-License-Identifier: GPL-2.0-or-later
//
// show FILE: what metadata say, as words for a shell: mode, phase, the flags as
// 0 or 1, exact sectors without a good slot, blocks by state.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <iterator>

#include "reading.hpp"

namespace
{

const char *const kModes[] = {"?", "mirror", "stream", "overlay", "commit", "track", "backup"};
const char *const kPhases[] = {"idle",    "copying",    "synced",   "pivoted",
			       "aborted", "streaming",  "streamed", "merging",
			       "merged",  "preserving", "broken"};
} // namespace

int main(int argc, char **argv)
{
	blkcopy_meta_super super = {};
	if (argc != 2)
		return 2;
	const meta::Reader file(argv[1]);
	if (!file.newest_super(super) || super.mode >= std::size(kModes) ||
	    super.phase >= std::size(kPhases)) {
		printf("mode=none phase=none\n");
		return 1;
	}
	uint64_t counts[4] = {}, bad = 0;
	uint64_t blocks = (super.sectors + super.block_sectors - 1) / super.block_sectors;
	for (uint64_t i = 0; i < super.nr_exact; i++) {
		uint64_t n = std::min<uint64_t>(blocks, BLKCOPY_META_BLOCKS);
		blocks -= n;
		blkcopy_meta_exact exact;
		if (!file.newest_exact(super, i, exact)) {
			bad++;
			continue;
		}
		for (uint64_t b = 0; b < n; b++)
			counts[exact.words[b / 32] >> 2 * (b % 32) & 3]++;
	}
	auto flag = [&](uint32_t bit) { return super.flags & bit ? 1 : 0; };
	printf("mode=%s phase=%s clean=%d base_stale=%d top_stale=%d base_mixed=%d bad=%" PRIu64
	       " in_base=%" PRIu64 " in_both=%" PRIu64 " in_top=%" PRIu64 " in_none=%" PRIu64 "\n",
	       kModes[super.mode], kPhases[super.phase], flag(BLKCOPY_META_CLEAN),
	       flag(BLKCOPY_META_BASE_STALE), flag(BLKCOPY_META_TOP_STALE),
	       flag(BLKCOPY_META_BASE_MIXED), bad, counts[BLKCOPY_META_IN_BASE],
	       counts[BLKCOPY_META_IN_BOTH], counts[BLKCOPY_META_IN_TOP],
	       counts[BLKCOPY_META_IN_NONE]);
	return 0;
}
