// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block map: two validity bits a block, 32 blocks in a 64-bit word, so
 * one load nearly always answers a whole bio (256 blocks a cache line).
 *
 * Words change by cmpxchg, since a word may span two buckets of the range
 * lock; the caller's bucket lock orders changes of one block. Nothing here
 * sleeps except init and exit.
 */
#include <linux/mm.h>
#include <linux/sched.h>

#include "bkc.h"

#define PAIRS			0x5555555555555555ULL
#define MAP_BYTES_MAX		BIT_ULL(30)

static u64 pattern(enum bkc_valid valid)
{
	return PAIRS * valid;
}

/* The low bit of every pair of @word that holds @valid. */
static u64 pairs_equal(u64 word, enum bkc_valid valid)
{
	u64 x = word ^ pattern(valid);

	return ~(x | (x >> 1)) & PAIRS;
}

static u64 nr_words(const struct bkc_map *map)
{
	return DIV_ROUND_UP_ULL(map->nr_blocks, BKC_BLOCKS_PER_WORD);
}

static u64 load_word(const struct bkc_map *map, u64 i)
{
	/* Pairs with the cmpxchg of bkc_map_set: what it publishes is there. */
	return smp_load_acquire(&map->words[i]) ^ map->flip;
}

/**
 * bkc_map_init - set up a map
 * @map: to initialise
 * @len: of the target, sectors
 * @block_sectors: a power of two
 * @stateful: false for a mode whose blocks never change state: no memory
 *
 * Every block is base-only. May sleep. Returns 0, -E2BIG when the map would be
 * larger than 1 GiB, or -ENOMEM.
 */
int bkc_map_init(struct bkc_map *map, sector_t len, unsigned int block_sectors,
		 bool stateful)
{
	map->len = len;
	map->block_shift = ilog2(block_sectors);
	map->nr_blocks = DIV_ROUND_UP_ULL(len, block_sectors);
	map->words = NULL;
	bkc_map_start_in(map, BKC_IN_BASE);
	if (!stateful)
		return 0;
	if (nr_words(map) * sizeof(u64) > MAP_BYTES_MAX)
		return -E2BIG;
	map->words = kvcalloc(nr_words(map), sizeof(u64), GFP_KERNEL);
	return map->words ? 0 : -ENOMEM;
}

/* Every block of a map nobody has used yet into one state, without a pass. */
void bkc_map_start_in(struct bkc_map *map, enum bkc_valid valid)
{
	int v;

	map->flip = pattern(valid);
	for (v = 0; v < BKC_VALID_NR; v++)
		atomic64_set(&map->count[v], 0);
	atomic64_set(&map->count[valid], map->nr_blocks);
}

void bkc_map_exit(struct bkc_map *map)
{
	kvfree(map->words);
	map->words = NULL;
}

/*
 * How many blocks are in a state. Base-only is derived from the others, so that
 * the four sum to the total at every instant they are read.
 *
 * A count follows its words: while bkc_map_reset() overtakes a publisher it may
 * be below zero for an instant.
 */
u64 bkc_map_count(const struct bkc_map *map, enum bkc_valid valid)
{
	return max_t(s64, atomic64_read(&map->count[valid]), 0);
}

u64 bkc_map_base_only(const struct bkc_map *map)
{
	return map->nr_blocks - bkc_map_count(map, BKC_IN_BOTH) -
	       bkc_map_count(map, BKC_IN_TOP) - bkc_map_count(map, BKC_IN_NONE);
}

/* bkc_map_run() for more than one. */
u64 bkc_map_long_run(const struct bkc_map *map, u64 first, u64 max,
		     enum bkc_valid *valid)
{
	u64 i = first / BKC_BLOCKS_PER_WORD;
	unsigned int skip = first % BKC_BLOCKS_PER_WORD;
	u64 word = load_word(map, i) >> (2 * skip);
	u64 run = BKC_BLOCKS_PER_WORD - skip;
	u64 other;

	*valid = word & 3;
	other = word ^ (pattern(*valid) >> (2 * skip));
	if (other)
		return min_t(u64, max, __ffs64(other) / 2);
	while (run < max) {
		other = load_word(map, ++i) ^ pattern(*valid);
		if (other)
			return min_t(u64, max, run + __ffs64(other) / 2);
		run += BKC_BLOCKS_PER_WORD;
	}
	return max;
}

static u64 pairs_in(u64 word, unsigned int states)
{
	u64 hit = 0;
	int v;

	for (v = 0; v < BKC_VALID_NR; v++)
		if (states & BIT(v))
			hit |= pairs_equal(word, v);
	return hit;
}

/**
 * bkc_map_find - the next block in one of some states
 * @map: the map
 * @first: block to begin at
 * @end: block to stop before
 * @states: looked for, a bit per enum bkc_valid
 *
 * Reschedules on the way over many. Any context for less than a hundred thousand
 * blocks, process context for more. Returns a block, or @end.
 */
u64 bkc_map_find(const struct bkc_map *map, u64 first, u64 end,
		 unsigned int states)
{
	u64 i, hit;

	if (first >= end)
		return end;
	i = first / BKC_BLOCKS_PER_WORD;
	hit = pairs_in(load_word(map, i), states);
	hit &= ~0ULL << (2 * (first % BKC_BLOCKS_PER_WORD));
	while (!hit) {
		if (++i * BKC_BLOCKS_PER_WORD >= end)
			return end;
		if (!(i % 4096))
			cond_resched();
		hit = pairs_in(load_word(map, i), states);
	}
	return min(end, i * BKC_BLOCKS_PER_WORD + __ffs64(hit) / 2);
}

/*
 * Word @i as it is now, 0 behind the end: for who keeps the map elsewhere.
 */
u64 bkc_map_word(const struct bkc_map *map, u64 i)
{
	unsigned int left = map->nr_blocks % BKC_BLOCKS_PER_WORD;

	if (i >= nr_words(map))
		return 0;
	if (left && i == nr_words(map) - 1)
		return load_word(map, i) & GENMASK_ULL(2 * left - 1, 0);
	return load_word(map, i);
}

/*
 * The inverse, of @nr words from @i on, into a map nobody uses yet; what is behind
 * the end is left out. Followed by bkc_map_recount().
 */
void bkc_map_load(struct bkc_map *map, u64 i, const __le64 *words,
		  unsigned int nr)
{
	const u64 end = min(i + nr, nr_words(map));

	for (; i < end; i++)
		map->words[i] = le64_to_cpu(*words++) ^ map->flip;
}

/* Process context. Most words are like the one before: a device is large. */
void bkc_map_recount(struct bkc_map *map)
{
	u64 count[BKC_VALID_NR] = { }, last = 0, nr = nr_words(map), i;
	unsigned int in_last[BKC_VALID_NR] = { };
	int v;

	for (i = 0; i < nr; i++) {
		u64 word = i < nr - 1 ? load_word(map, i) : bkc_map_word(map, i);

		if (!(i % 4096))
			cond_resched();
		for (v = BKC_IN_BASE + 1; word != last && v < BKC_VALID_NR; v++)
			in_last[v] = hweight64(pairs_equal(word, v));
		last = word;
		for (v = BKC_IN_BASE + 1; v < BKC_VALID_NR; v++)
			count[v] += in_last[v];
	}
	for (v = BKC_IN_BASE + 1; v < BKC_VALID_NR; v++)
		atomic64_set(&map->count[v], count[v]);
}

static void count_changes(struct bkc_map *map, u64 before, u64 pairs,
			  enum bkc_valid valid, u64 *changed)
{
	int v;

	for (v = 0; v < BKC_VALID_NR; v++) {
		u64 n = hweight64(pairs_equal(before, v) & pairs);

		if (!n || v == valid)
			continue;
		atomic64_sub(n, &map->count[v]);
		*changed += n;
	}
}

/* bkc_map_set() of more than one. */
u64 bkc_map_long_set(struct bkc_map *map, u64 first, u64 nr, enum bkc_valid valid)
{
	u64 end = first + nr;
	u64 changed = 0;

	while (first < end) {
		u64 *p = &map->words[first / BKC_BLOCKS_PER_WORD];
		unsigned int skip = first % BKC_BLOCKS_PER_WORD;
		unsigned int n = min_t(u64, end - first, BKC_BLOCKS_PER_WORD - skip);
		u64 pairs = (PAIRS >> (2 * (BKC_BLOCKS_PER_WORD - n))) << (2 * skip);
		u64 mask = pairs * 3;
		u64 to = (pattern(valid) ^ map->flip) & mask;
		u64 old = READ_ONCE(*p);

		while ((old & mask) != to) {
			u64 seen = cmpxchg64(p, old, (old & ~mask) | to);

			if (seen == old) {
				count_changes(map, old ^ map->flip, pairs,
					      valid, &changed);
				break;
			}
			old = seen;
		}
		first += n;
	}
	if (changed)
		atomic64_add(changed, &map->count[valid]);
	return changed;
}

/*
 * Every block back to base-only. Process context; the caller keeps publishers
 * out (see bkc_state.top_epoch).
 */
void bkc_map_reset(struct bkc_map *map)
{
	u64 first = 0;

	while (first < map->nr_blocks) {
		u64 n = min_t(u64, map->nr_blocks - first, 1 << 20);

		bkc_map_set(map, first, n, BKC_IN_BASE);
		first += n;
		cond_resched();
	}
}
