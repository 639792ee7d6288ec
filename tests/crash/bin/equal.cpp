// SPDX-License-Identifier: GPL-2.0-or-later
//
// equal META BASE TOP: is what a mirror's metadata call equal in both legs equal?
// That is a block "in both" of a segment that is not marked. Prints how many
// there are, or the first that differs.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "reading.hpp"

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	const meta::Reader file(argv[1]);
	const int legs[] = {open(argv[2], O_RDONLY | O_CLOEXEC),
			    open(argv[3], O_RDONLY | O_CLOEXEC)};
	blkcopy_meta_super super = {};
	if (legs[0] < 0 || legs[1] < 0 || !file.newest_super(super)) {
		printf("cannot read them\n");
		return 2;
	}
	const uint64_t blocks = (super.sectors + super.block_sectors - 1) / super.block_sectors;
	const uint64_t segment = uint64_t{super.segment_mib} << 11;
	uint64_t compared = 0;
	std::vector<char> data[2];
	for (uint64_t block = 0; block < blocks; block++) {
		static blkcopy_meta_exact exact;
		const uint64_t at = block % BLKCOPY_META_BLOCKS,
			       sector = block * super.block_sectors;
		if (!at && !file.newest_exact(super, block / BLKCOPY_META_BLOCKS, exact)) {
			block += BLKCOPY_META_BLOCKS - 1;
			continue;
		}
		if ((exact.words[at / 32] >> 2 * (at % 32) & 3) != BLKCOPY_META_IN_BOTH ||
		    file.is_marked(super, sector / segment))
			continue;
		const size_t bytes =
			512 * std::min<uint64_t>(super.block_sectors, super.sectors - sector);
		if (!meta::read_at(legs[0], data[0], sector * 512, bytes) ||
		    !meta::read_at(legs[1], data[1], sector * 512, bytes))
			return 2;
		if (data[0] != data[1]) {
			printf("block %" PRIu64 " is called equal and differs\n", block);
			return 1;
		}
		compared++;
	}
	printf("%" PRIu64 "\n", compared);
	return 0;
}
