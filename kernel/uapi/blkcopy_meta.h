/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * dm-blkcopy: what is on a metadata device. Included by the module (C) and by
 * libblkctl (C++), which formats, checks and repairs it offline.
 *
 * The unit is a sector of 4 KiB. All numbers are little-endian.
 *
 *   0, 1		the superblock, two copies; the one of the higher
 *			generation counts, the other is written next
 *   first_intent ...	nr_intent intent sectors, one slot each
 *   first_exact ...	nr_exact exact sectors, two slots each, side by side:
 *			exact sector i has the slots first_exact + 2 * i and
 *			first_exact + 2 * i + 1
 *
 * Each begins with struct blkcopy_meta_header. A sector whose magic, crc, uuid
 * or index is wrong is bad, and nothing in it is believed.
 *
 * Exact sectors hold the block map, BLKCOPY_META_BLOCKS blocks each: two bits a
 * block, 32 blocks in a 64-bit word, block 0 of a word in its lowest bits, the
 * values those of enum blkcopy_meta_valid. Bits behind the last block are 0.
 * Generation g of a sector is in its slot g % 2, so a torn write leaves the
 * generation before. Formatting writes generation 2 to slot 0 and zeroes to slot
 * 1: all zeroes is no bad slot, it has never been written. A sector of which
 * nothing could be read is written with the superblock's generation in the upper
 * half of its own: it is newer than what may turn up again in its other slot.
 *
 * Of mode backup "in both" is what top has preserved, "in none" what is not to be
 * read any more.
 *
 * Of mode track the exact sectors hold no map but bitmaps, nr_exact / n of them at
 * most: n sectors are a slot, the first is a struct blkcopy_meta_bitmap, the rest
 * have one bit a granule, 64 in a word, lowest first, and are enough for a granule
 * of one block. One that was never written is all zeroes, in both of its slots. A
 * bad one counts as all ones.
 *
 * Intent sectors hold one bit a segment, BLKCOPY_META_SEGMENTS segments each,
 * lowest bit first. A bad one counts as all ones.
 */
#ifndef BLKCOPY_META_H
#define BLKCOPY_META_H

#include <linux/types.h>

#define BLKCOPY_META_ASSERT(what) static_assert(what, #what)

#define BLKCOPY_META_SECTOR_SIZE 4096
#define BLKCOPY_META_VERSION 1

/* "BLKCTLsb", "BLKCTLex", "BLKCTLin", as bytes in this order. */
#define BLKCOPY_META_MAGIC_SUPER 0x62734c54434b4c42ULL
#define BLKCOPY_META_MAGIC_EXACT 0x78654c54434b4c42ULL
#define BLKCOPY_META_MAGIC_INTENT 0x6e694c54434b4c42ULL

#define BLKCOPY_META_FIRST_GENERATION 2
/* The lower half of the first generation that replaces what could not be read. */
#define BLKCOPY_META_ANEW_GENERATION 2

struct blkcopy_meta_header {
	__le64 magic;
	/* crc32c (Castagnoli; seed ~0, inverted) of all, with this field 0 */
	__le32 crc;
	__le32 reserved;
	__u8 uuid[16];		/* of the volume, as in the superblock */
	__le64 index;		/* superblock copy 0 or 1, exact or intent sector i */
	__le64 generation;
	__u8 zero[16];
};

BLKCOPY_META_ASSERT(sizeof(struct blkcopy_meta_header) == 64);

#define BLKCOPY_META_PAYLOAD \
	(BLKCOPY_META_SECTOR_SIZE - sizeof(struct blkcopy_meta_header))
#define BLKCOPY_META_WORDS (BLKCOPY_META_PAYLOAD / 8)
#define BLKCOPY_META_BLOCKS (BLKCOPY_META_WORDS * 32)
#define BLKCOPY_META_SEGMENTS (BLKCOPY_META_PAYLOAD * 8)

/* Where a block's data is valid. */
enum blkcopy_meta_valid {
	BLKCOPY_META_IN_BASE = 0,
	BLKCOPY_META_IN_BOTH = 1,
	BLKCOPY_META_IN_TOP = 2,
	BLKCOPY_META_IN_NONE = 3,	/* reads as zeroes */
};

struct blkcopy_meta_exact {
	struct blkcopy_meta_header header;
	__le64 words[BLKCOPY_META_WORDS];
};

BLKCOPY_META_ASSERT(sizeof(struct blkcopy_meta_exact) ==
		    BLKCOPY_META_SECTOR_SIZE);

/* blkcopy_meta_bitmap.flags */
#define BLKCOPY_META_BITMAP_IN_USE 0x1
#define BLKCOPY_META_BITMAP_RECORDING 0x2
/* It may have missed writes. */
#define BLKCOPY_META_BITMAP_INCONSISTENT 0x4
/* It has not recorded all the time since it was added, cleared or frozen. */
#define BLKCOPY_META_BITMAP_LAPSED 0x8

struct blkcopy_meta_bitmap {
	struct blkcopy_meta_header header;	/* as an exact sector has it */
	__le32 flags;		/* 0: the slot is free */
	__le32 granule_sectors;	/* 512 bytes; a power of two, a block at least */
	char name[128];		/* text, NUL-padded */
	__u8 zero[3896];
};

BLKCOPY_META_ASSERT(sizeof(struct blkcopy_meta_bitmap) ==
		    BLKCOPY_META_SECTOR_SIZE);

struct blkcopy_meta_intent {
	struct blkcopy_meta_header header;
	__u8 bits[BLKCOPY_META_PAYLOAD];
};

BLKCOPY_META_ASSERT(sizeof(struct blkcopy_meta_intent) ==
		    BLKCOPY_META_SECTOR_SIZE);

/* Values are on disk: only ever add. */
enum blkcopy_meta_mode {
	BLKCOPY_META_MODE_MIRROR = 1,
	BLKCOPY_META_MODE_STREAM = 2,
	BLKCOPY_META_MODE_OVERLAY = 3,
	BLKCOPY_META_MODE_COMMIT = 4,
	BLKCOPY_META_MODE_TRACK = 5,
	BLKCOPY_META_MODE_BACKUP = 6,
};

enum blkcopy_meta_phase {
	BLKCOPY_META_PHASE_IDLE = 0,
	BLKCOPY_META_PHASE_COPYING = 1,
	BLKCOPY_META_PHASE_SYNCED = 2,
	BLKCOPY_META_PHASE_PIVOTED = 3,
	BLKCOPY_META_PHASE_ABORTED = 4,
	BLKCOPY_META_PHASE_STREAMING = 5,
	BLKCOPY_META_PHASE_STREAMED = 6,
	BLKCOPY_META_PHASE_MERGING = 7,
	BLKCOPY_META_PHASE_MERGED = 8,
	BLKCOPY_META_PHASE_PRESERVING = 9,
	BLKCOPY_META_PHASE_BROKEN = 10,
};

/* blkcopy_meta_super.flags */
/* Closed in good order: every sector is as it was left, see exact_sum. */
#define BLKCOPY_META_CLEAN 0x1
/* Base has missed writes that top has (pivoted). */
#define BLKCOPY_META_BASE_STALE 0x2
/* Top has missed writes that base has (removed without a seal, aborted). */
#define BLKCOPY_META_TOP_STALE 0x4
/*
 * Blocks of top were merged into base: base alone is no image, until all are.
 * Set durably before the first of them is written there.
 */
#define BLKCOPY_META_BASE_MIXED 0x8
/*
 * Closed, and nobody said that it was by us: writes may have gone past, and no
 * bitmap says what has changed. Of mode track.
 */
#define BLKCOPY_META_UNSEALED 0x10
/*
 * Writes did not wait for what is said here: after an end that was not clean it
 * is not true. Of mode backup, without "backup_persistent".
 */
#define BLKCOPY_META_UNORDERED 0x20
/*
 * A sector was not as an end in good order had left it, or could not be read, and
 * has not been mended since: a bad slot is no torn write, whatever end comes next.
 */
#define BLKCOPY_META_DOUBTFUL 0x40
#define BLKCOPY_META_FLAGS 0x7f

struct blkcopy_meta_leg {
	/*
	 * The stable name user space found the device by, as text, NUL-padded;
	 * the kernel never looks at it.
	 */
	char identity[240];
	__le64 sectors;		/* size of the device, 512 bytes; 0: none yet */
	__le64 start;		/* of the data on it, 512 bytes */
	/*
	 * crc32c of the first and the last 64 KiB of its data, for a leg that
	 * is not written to. Of mode track, base: of where a mount writes first
	 * (the first 2 MiB, the last 1 MiB, the first 128 KiB of partitions),
	 * while the volume is not active: the kernel takes it off, and never
	 * looks at it.
	 */
	__le32 stamp;
	__le32 has_stamp;	/* 0 or 1 */
	__u8 zero[8];
};

BLKCOPY_META_ASSERT(sizeof(struct blkcopy_meta_leg) == 272);

struct blkcopy_meta_super {
	struct blkcopy_meta_header header;
	__le32 version;
	__le32 flags;
	__le64 incompat;	/* a bit that is not known: hands off */
	__le64 sectors;		/* of the volume, 512 bytes */
	__le32 block_sectors;	/* 512 bytes */
	__le32 segment_mib;
	__le32 mode;		/* enum blkcopy_meta_mode, last in use */
	__le32 phase;		/* enum blkcopy_meta_phase */
	__le64 first_intent;	/* sectors of 4 KiB, as are the next three */
	__le64 nr_intent;
	__le64 first_exact;
	__le64 nr_exact;	/* two slots each */
	/* With BLKCOPY_META_CLEAN: crc32c of every exact sector's generation. */
	__le32 exact_sum;
	__le32 zero1;
	char name[128];		/* of the volume, text, NUL-padded */
	struct blkcopy_meta_leg leg[2];		/* base, top */
	__u8 zero2[3280];
};

BLKCOPY_META_ASSERT(sizeof(struct blkcopy_meta_super) ==
		    BLKCOPY_META_SECTOR_SIZE);

#endif /* BLKCOPY_META_H */
