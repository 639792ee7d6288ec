// SPDX-License-Identifier: GPL-2.0-or-later
//
// missed META OLD NEW [NAME]: does the bitmap, the first if it is not named, have every
// block in which the two files differ? A segment that is marked counts as changed while it
// records, as it does when it is loaded, a sector that cannot be read as well. Prints how many
// blocks have changed and how many it says have, or the first that it misses, or that it does not
// claim to know. Exit status: 0 it has them, 1 it misses one or is not there, 2 cannot tell, 3
// inconsistent: a cut alone makes none so, the caller knows whether anything else has come.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "reading.hpp"

constexpr int kInconsistent = 3;

int main(int argc, char **argv)
{
	if (argc != 4 && argc != 5)
		return 2;
	const meta::Reader file(argv[1]);
	const int images[] = {open(argv[2], O_RDONLY | O_CLOEXEC),
			      open(argv[3], O_RDONLY | O_CLOEXEC)};
	blkcopy_meta_super super = {};
	blkcopy_meta_exact exact = {};
	if (images[0] < 0 || images[1] < 0 || !file.newest_super(super)) {
		printf("cannot read them\n");
		return 2;
	}
	const uint64_t blocks = (super.sectors + super.block_sectors - 1) / super.block_sectors;
	// Of a slot: its record, and its bits.
	const uint64_t per_slot = 1 + (blocks + BLKCOPY_META_SEGMENTS - 1) / BLKCOPY_META_SEGMENTS;
	const auto *record = reinterpret_cast<const blkcopy_meta_bitmap *>(&exact);
	uint64_t slot = 0;
	const auto is_it = [&] {
		return file.newest_exact(super, slot, exact) &&
		       (record->flags & BLKCOPY_META_BITMAP_IN_USE) &&
		       (argc == 4 || !strncmp(reinterpret_cast<const char *>(record->name), argv[4],
					      sizeof(record->name)));
	};
	while (!is_it()) {
		slot += per_slot;
		if (argc == 4 || slot >= super.nr_exact) {
			printf("there is no bitmap\n");
			return 1;
		}
	}
	if (super.flags & BLKCOPY_META_UNSEALED) {
		printf("inconsistent: the end was not sealed\n");
		return kInconsistent;
	}
	if (record->flags & BLKCOPY_META_BITMAP_INCONSISTENT) {
		printf("inconsistent\n");
		return kInconsistent;
	}
	const uint64_t segment = uint64_t{super.segment_mib} << 11;
	const bool recording = (record->flags & BLKCOPY_META_BITMAP_RECORDING) != 0;
	uint64_t changed = 0, dirty = 0;
	std::vector<char> data[2];
	bool readable = false;
	for (uint64_t block = 0; block < blocks; block++) {
		const uint64_t at = block % BLKCOPY_META_SEGMENTS,
			       sector = block * super.block_sectors;
		if (!at)
			readable = file.newest_exact(
				super, slot + 1 + block / BLKCOPY_META_SEGMENTS, exact);
		const bool said = !readable || (exact.words[at / 64] >> at % 64 & 1) ||
				  (recording && file.is_marked(super, sector / segment));
		dirty += said;
		const size_t bytes =
			512 * std::min<uint64_t>(super.block_sectors, super.sectors - sector);
		if (!meta::read_at(images[0], data[0], sector * 512, bytes) ||
		    !meta::read_at(images[1], data[1], sector * 512, bytes))
			return 2;
		if (data[0] == data[1])
			continue;
		changed++;
		if (!said) {
			printf("block %" PRIu64 " has changed, and the bitmap does not say so\n",
			       block);
			return 1;
		}
	}
	printf("changed=%" PRIu64 " dirty=%" PRIu64 "\n", changed, dirty);
	return 0;
}
