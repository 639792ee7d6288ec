// SPDX-License-Identifier: GPL-2.0-or-later
//
// frozen META BASE TOP IMAGE: is what a view of the backup would show what is in the
// image? A block in both is shown from top, one in none not at all, the rest from
// base. Prints how many there are of each, or the first that differs.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "reading.hpp"

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	const meta::Reader file(argv[1]);
	int images[3];
	blkcopy_meta_super super = {};
	for (int i = 0; i < 3; i++)
		images[i] = open(argv[2 + i], O_RDONLY | O_CLOEXEC);
	if (std::count(images, images + 3, -1) || !file.newest_super(super)) {
		printf("cannot read them\n");
		return 2;
	}
	if (super.phase != BLKCOPY_META_PHASE_PRESERVING ||
	    (super.flags & (BLKCOPY_META_TOP_STALE | BLKCOPY_META_UNORDERED))) {
		printf("it is broken: phase %u, flags %#x\n", super.phase, super.flags);
		return 1;
	}
	const uint64_t blocks = (super.sectors + super.block_sectors - 1) / super.block_sectors;
	uint64_t counts[4] = {};
	std::vector<char> shown, wanted;
	for (uint64_t block = 0; block < blocks; block++) {
		static blkcopy_meta_exact exact;
		const uint64_t at = block % BLKCOPY_META_BLOCKS,
			       sector = block * super.block_sectors;
		if (!at && !file.newest_exact(super, block / BLKCOPY_META_BLOCKS, exact)) {
			printf("what is kept from block %" PRIu64 " on is not known\n", block);
			return 1;
		}
		const uint64_t valid = exact.words[at / 32] >> 2 * (at % 32) & 3;
		counts[valid]++;
		if (valid == BLKCOPY_META_IN_NONE)
			continue;
		const size_t bytes =
			512 * std::min<uint64_t>(super.block_sectors, super.sectors - sector);
		if (!meta::read_at(images[valid == BLKCOPY_META_IN_BASE ? 0 : 1], shown,
				   sector * 512, bytes) ||
		    !meta::read_at(images[2], wanted, sector * 512, bytes))
			return 2;
		if (shown != wanted) {
			printf("block %" PRIu64 ", shown from %s, is not what it was\n", block,
			       valid == BLKCOPY_META_IN_BASE ? "base" : "top");
			return 1;
		}
	}
	printf("in_base=%" PRIu64 " in_both=%" PRIu64 " in_none=%" PRIu64 "\n",
	       counts[BLKCOPY_META_IN_BASE], counts[BLKCOPY_META_IN_BOTH],
	       counts[BLKCOPY_META_IN_NONE]);
	return 0;
}
