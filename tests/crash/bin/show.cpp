// SPDX-License-Identifier: GPL-2.0-or-later
//
// show FILE: what metadata say, as words for a shell: mode, phase, the flags as
// 0 or 1, exact sectors without a good slot, blocks by state.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "meta.hpp"

namespace
{

const char *const kModes[] = {"?", "mirror", "stream", "overlay", "commit"};
const char *const kPhases[] = {"idle",      "copying",  "synced",  "pivoted", "aborted",
			       "streaming", "streamed", "merging", "merged"};
int file;

bool get(uint64_t at, void *sector)
{
	return pread(file, sector, meta::kSize, static_cast<off_t>(at * meta::kSize)) ==
	       static_cast<ssize_t>(meta::kSize);
}

bool newest_super(blkcopy_meta_super &best)
{
	bool found = false;
	for (uint64_t i = 0; i < 2; i++) {
		blkcopy_meta_super copy;
		if (!get(i, &copy) || !meta::good(&copy, BLKCOPY_META_MAGIC_SUPER, i) ||
		    (found && copy.header.generation < best.header.generation))
			continue;
		best = copy;
		found = true;
	}
	return found;
}

bool newest_exact(const blkcopy_meta_super &super, uint64_t index, blkcopy_meta_exact &best)
{
	bool found = false;
	for (uint64_t i = 0; i < 2; i++) {
		blkcopy_meta_exact slot;
		if (!get(super.first_exact + 2 * index + i, &slot) ||
		    !meta::good(&slot, BLKCOPY_META_MAGIC_EXACT, index) ||
		    (found && slot.header.generation < best.header.generation))
			continue;
		best = slot;
		found = true;
	}
	return found;
}

} // namespace

int main(int argc, char **argv)
{
	blkcopy_meta_super super;
	if (argc != 2)
		return 2;
	file = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (file < 0 || !newest_super(super) || super.mode > 4 || super.phase > 8) {
		printf("mode=none phase=none\n");
		return 1;
	}
	uint64_t counts[4] = {}, bad = 0;
	uint64_t blocks = (super.sectors + super.block_sectors - 1) / super.block_sectors;
	for (uint64_t i = 0; i < super.nr_exact; i++) {
		uint64_t n = std::min<uint64_t>(blocks, BLKCOPY_META_BLOCKS);
		blocks -= n;
		blkcopy_meta_exact exact;
		if (!newest_exact(super, i, exact)) {
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
