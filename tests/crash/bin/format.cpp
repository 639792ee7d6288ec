// SPDX-License-Identifier: GPL-2.0-or-later
//
// format FILE SECTORS BLOCK-SECTORS MODE [SEGMENT-MIB]: metadata of a volume
// whose data are all in base; of mode track with room for four bitmaps.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "meta.hpp"

namespace
{

uint64_t divided(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

struct Mode {
	const char *word;
	uint32_t mode, phase;
};
const Mode kModes[] = {
	{"mirror", BLKCOPY_META_MODE_MIRROR, BLKCOPY_META_PHASE_COPYING},
	{"stream", BLKCOPY_META_MODE_STREAM, BLKCOPY_META_PHASE_STREAMING},
	{"overlay", BLKCOPY_META_MODE_OVERLAY, BLKCOPY_META_PHASE_IDLE},
	{"commit", BLKCOPY_META_MODE_COMMIT, BLKCOPY_META_PHASE_MERGING},
	{"track", BLKCOPY_META_MODE_TRACK, BLKCOPY_META_PHASE_IDLE},
	{"backup", BLKCOPY_META_MODE_BACKUP, BLKCOPY_META_PHASE_PRESERVING},
};

constexpr uint64_t kBitmaps = 4;
int file;

void put(uint64_t at, const void *sector)
{
	if (pwrite(file, sector, meta::kSize, static_cast<off_t>(at * meta::kSize)) ==
	    static_cast<ssize_t>(meta::kSize))
		return;
	perror("format");
	exit(1);
}

} // namespace

int main(int argc, char **argv)
{
	const Mode *mode = nullptr;
	for (const Mode &m : kModes)
		if (argc >= 5 && std::string(argv[4]) == m.word)
			mode = &m;
	if (!mode || argc > 6) {
		fprintf(stderr, "usage: format FILE SECTORS BLOCK-SECTORS MODE [SEGMENT-MIB]\n");
		return 2;
	}
	file = open(argv[1], O_RDWR | O_CLOEXEC);
	if (file < 0) {
		perror(argv[1]);
		return 1;
	}
	blkcopy_meta_super super = {};
	super.version = BLKCOPY_META_VERSION;
	super.sectors = strtoull(argv[2], nullptr, 0);
	super.block_sectors = static_cast<uint32_t>(strtoul(argv[3], nullptr, 0));
	super.segment_mib = argc > 5 ? static_cast<uint32_t>(strtoul(argv[5], nullptr, 0)) : 64;
	super.mode = mode->mode;
	super.phase = mode->phase;
	if (mode->mode == BLKCOPY_META_MODE_COMMIT)
		super.flags = BLKCOPY_META_BASE_MIXED;
	super.first_intent = 2;
	super.nr_intent = divided(divided(super.sectors, uint64_t{super.segment_mib} << 11),
				  BLKCOPY_META_SEGMENTS);
	super.first_exact = super.first_intent + super.nr_intent;
	const uint64_t blocks = divided(super.sectors, super.block_sectors);
	const bool bitmaps = mode->mode == BLKCOPY_META_MODE_TRACK;
	super.nr_exact = bitmaps ? kBitmaps * (1 + divided(blocks, BLKCOPY_META_SEGMENTS))
				 : divided(blocks, BLKCOPY_META_BLOCKS);

	unsigned char uuid[16], zeroes[meta::kSize] = {};
	int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (random < 0 || read(random, uuid, sizeof(uuid)) != sizeof(uuid))
		return 1;
	close(random);
	for (uint64_t i = 0; i < super.nr_exact; i++) {
		blkcopy_meta_exact exact = {};
		meta::seal(&exact, BLKCOPY_META_MAGIC_EXACT, uuid, i,
			   BLKCOPY_META_FIRST_GENERATION);
		put(super.first_exact + 2 * i, bitmaps ? zeroes : static_cast<void *>(&exact));
		put(super.first_exact + 2 * i + 1, zeroes);
	}
	for (uint64_t i = 0; i < super.nr_intent; i++) {
		blkcopy_meta_intent intent = {};
		meta::seal(&intent, BLKCOPY_META_MAGIC_INTENT, uuid, i,
			   BLKCOPY_META_FIRST_GENERATION);
		put(super.first_intent + i, &intent);
	}
	for (uint64_t i = 0; i < 2; i++) {
		blkcopy_meta_super copy = super;
		meta::seal(&copy, BLKCOPY_META_MAGIC_SUPER, uuid, i,
			   BLKCOPY_META_FIRST_GENERATION + i);
		put(i, &copy);
	}
	return 0;
}
