/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The block map, see map.c.
 */
#ifndef BKC_MAP_H
#define BKC_MAP_H

#include <linux/atomic.h>
#include <linux/types.h>

/* Where a block's data is valid. A fresh map is all zero: base only. */
enum bkc_valid {
	BKC_IN_BASE,
	BKC_IN_BOTH,
	BKC_IN_TOP,
	BKC_IN_NONE,	/* reads as zeros */
	BKC_VALID_NR,
};

struct bkc_map {
	u64 *words;		/* 32 blocks a word, two bits each */
	u64 flip;		/* xored in: lets a zeroed map mean any one state */
	sector_t len;
	u64 nr_blocks;
	unsigned int block_shift;	/* sectors */
	/* The states other than base-only, which is what is left. */
	atomic64_t count[BKC_VALID_NR];
};

#define BKC_BLOCKS_PER_WORD	32

int bkc_map_init(struct bkc_map *map, sector_t len, unsigned int block_sectors,
		 bool stateful);
void bkc_map_exit(struct bkc_map *map);
u64 bkc_map_long_run(const struct bkc_map *map, u64 first, u64 max,
		     enum bkc_valid *valid);
u64 bkc_map_find(const struct bkc_map *map, u64 first, u64 end,
		 unsigned int states);
u64 bkc_map_long_set(struct bkc_map *map, u64 first, u64 nr, enum bkc_valid valid);

u64 bkc_map_count(const struct bkc_map *map, enum bkc_valid valid);
u64 bkc_map_base_only(const struct bkc_map *map);
void bkc_map_reset(struct bkc_map *map);
void bkc_map_start_in(struct bkc_map *map, enum bkc_valid valid);
u64 bkc_map_word(const struct bkc_map *map, u64 i);
void bkc_map_load(struct bkc_map *map, u64 i, const __le64 *words,
		  unsigned int nr);
void bkc_map_recount(struct bkc_map *map);

static inline u64 bkc_block_of(const struct bkc_map *map, sector_t sector)
{
	return sector >> map->block_shift;
}

/* The blocks that sectors start..end-1 are in. */
static inline u64 bkc_map_span(const struct bkc_map *map, sector_t start,
			       sector_t end, u64 *first)
{
	*first = bkc_block_of(map, start);
	return bkc_block_of(map, end - 1) - *first + 1;
}

/* The state of one block. Any context. */
static inline enum bkc_valid bkc_map_at(const struct bkc_map *map, u64 block)
{
	/* Pairs with the cmpxchg of bkc_map_set(): what it publishes is there. */
	u64 word = smp_load_acquire(&map->words[block / BKC_BLOCKS_PER_WORD]);

	return ((word ^ map->flip) >> (2 * (block % BKC_BLOCKS_PER_WORD))) & 3;
}

/* bkc_map_set() of one block. */
static inline u64 bkc_map_set_one(struct bkc_map *map, u64 block,
				  enum bkc_valid valid)
{
	u64 *p = &map->words[block / BKC_BLOCKS_PER_WORD];
	unsigned int shift = 2 * (block % BKC_BLOCKS_PER_WORD);
	u64 old = READ_ONCE(*p), before, seen;

	while ((before = ((old ^ map->flip) >> shift) & 3) != valid) {
		seen = cmpxchg64(p, old, old ^ ((before ^ valid) << shift));
		if (seen == old) {
			atomic64_dec(&map->count[before]);
			atomic64_inc(&map->count[valid]);
			return 1;
		}
		old = seen;
	}
	return 0;
}

/**
 * bkc_map_set - put blocks into a state
 * @map: the map
 * @first: block
 * @nr: blocks
 * @valid: the new state
 *
 * Any context; the bucket lock of the range is held, or nothing is in flight.
 * Returns how many blocks changed.
 */
static inline u64 bkc_map_set(struct bkc_map *map, u64 first, u64 nr,
			      enum bkc_valid valid)
{
	return nr == 1 ? bkc_map_set_one(map, first, valid) :
			 bkc_map_long_set(map, first, nr, valid);
}

/**
 * bkc_map_run - the blocks from @first on that share its state
 * @map: the map
 * @first: block
 * @max: blocks to look at, at least one
 * @valid: where the state is put
 *
 * Any context. Returns the length of the run, 1 to @max.
 */
static inline u64 bkc_map_run(const struct bkc_map *map, u64 first, u64 max,
			      enum bkc_valid *valid)
{
	/* Most bios are of one. */
	if (max > 1)
		return bkc_map_long_run(map, first, max, valid);
	*valid = bkc_map_at(map, first);
	return 1;
}

#endif /* BKC_MAP_H */
