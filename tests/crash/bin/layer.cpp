// SPDX-License-Identifier: GPL-2.0-or-later
//
// layer META BASE TOP IMAGE: what a layer shows by its metadata, as an image. A block in
// none is zeroes, one that is in base alone is from there, the rest from top. Holes stay
// holes.
#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "reading.hpp"

namespace
{

constexpr off_t kStep = 1 << 20;

// What one file holds from here to there, to the same place of another.
bool copy(int from, int to, off_t at, off_t end)
{
	static char buf[kStep];

	while (at < end) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO;
		const off_t hole = std::min(lseek(from, at, SEEK_HOLE), end);
		if (at < end && hole <= at)
			return false;
		while (at < hole) {
			const off_t n = std::min(kStep, hole - at);
			if (pread(from, buf, n, at) != n || pwrite(to, buf, n, at) != n)
				return false;
			at += n;
		}
	}
	return true;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	const meta::Reader file(argv[1]);
	const int base = open(argv[2], O_RDONLY | O_CLOEXEC),
		  top = open(argv[3], O_RDONLY | O_CLOEXEC),
		  image = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	blkcopy_meta_super super = {};
	if (base < 0 || top < 0 || image < 0 || !file.newest_super(super) ||
	    ftruncate(image, static_cast<off_t>(super.sectors * 512))) {
		printf("cannot read them\n");
		return 2;
	}
	const uint64_t blocks = (super.sectors + super.block_sectors - 1) / super.block_sectors;
	// Of a run of blocks in one state.
	uint64_t first = 0, state = BLKCOPY_META_IN_BASE;
	const auto copy_to = [&](uint64_t end) {
		const auto byte_of = [&](uint64_t block) {
			const uint64_t sector = block * super.block_sectors;
			return static_cast<off_t>(512 * std::min<uint64_t>(sector, super.sectors));
		};
		return state == BLKCOPY_META_IN_NONE ||
		       copy(state == BLKCOPY_META_IN_BASE ? base : top, image, byte_of(first),
			    byte_of(end));
	};
	for (uint64_t block = 0; block < blocks; block++) {
		static blkcopy_meta_exact exact;
		const uint64_t at = block % BLKCOPY_META_BLOCKS;
		if (!at && !file.newest_exact(super, block / BLKCOPY_META_BLOCKS, exact)) {
			printf("what is where from block %" PRIu64 " on is not known\n", block);
			return 1;
		}
		const uint64_t valid = exact.words[at / 32] >> 2 * (at % 32) & 3;
		if (valid == state)
			continue;
		if (!copy_to(block)) {
			printf("cannot copy blocks from %" PRIu64 " on\n", first);
			return 2;
		}
		first = block;
		state = valid;
	}
	if (copy_to(blocks))
		return 0;
	printf("cannot copy blocks from %" PRIu64 " on\n", first);
	return 2;
}
