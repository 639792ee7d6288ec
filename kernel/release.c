// SPDX-License-Identifier: GPL-2.0-only
/*
 * Old data that nobody wants to read from the views of a backup: of blocks that
 * are in no bitmap ("preserve"), and of blocks that were discarded on a view. They
 * are BKC_IN_NONE from then on: a write to them goes to base like one to what is
 * preserved, and a view cannot read them, so that nobody takes what is there now
 * for what was there.
 *
 * Under the bucket's lock, where a copy is over a block it is left as it is: the
 * copy may be reading base, and publishes the block when it has ended. One that
 * begins later looks at the state, and a view's read of base that is in flight
 * does so when it ends.
 */
#include <linux/sched/signal.h>

#include "backup.h"
#include "bitmap.h"
#include "meta.h"
#include "range.h"

/*
 * Bucket lock held. Gives up blocks from @block on that are alike, as far as
 * @end; returns the block behind them. @was: the state they were in.
 */
static u64 __give_up(struct bkc_state *s, struct bkc_bucket *b, u64 block,
		     u64 end, enum bkc_valid *was)
{
	const struct bkc_map *map = &s->map;
	struct bkc_range *r;
	u64 first, nr;

	end = block + bkc_map_run(map, block, end - block, was);
	/* Writes are not registered: all there is are copies, of base-only blocks. */
	list_for_each_entry(r, &b->ranges, list) {
		nr = bkc_map_span(map, r->start, r->end, &first);
		if (first <= block && block < first + nr)
			return min(end, first + nr);
		if (block < first)
			end = min(end, first);
	}
	__bkc_range_publish(s, block, end - block, BKC_IN_NONE, false);
	/* A write that has found no buffer for its copy needs none any more. */
	__bkc_range_kick(s, b);
	return end;
}

/* The block behind the region that @block is in. */
static u64 region_end(const struct bkc_map *map, u64 block)
{
	sector_t end = bkc_region_end((sector_t)block << map->block_shift);

	return min(map->nr_blocks, end >> map->block_shift);
}

/**
 * bkc_release_discard - a discard on a view
 * @s: state
 * @start: of the target, sectors
 * @end: sectors
 * @in_top: set when what it has released is in top, to be discarded there
 *
 * In map. Returns up to where it has been seen to; of what is left, if that is not
 * @end, another bio has to be made. A block it has but a part of stays.
 */
sector_t bkc_release_discard(struct bkc_state *s, sector_t start, sector_t end,
			     bool *in_top)
{
	const struct bkc_map *map = &s->map;
	struct bkc_bucket *b = bkc_range_bucket(s, start);
	u64 first = bkc_block_of(map, start), behind;
	enum bkc_valid was;
	unsigned long flags;
	sector_t at = (sector_t)first << map->block_shift;

	*in_top = false;
	if (at < start)
		return min(end, at + (1ULL << map->block_shift));
	behind = end == map->len ? map->nr_blocks : bkc_block_of(map, end);
	behind = min(behind, region_end(map, first));
	if (behind <= first)
		return end;
	spin_lock_irqsave(&b->lock, flags);
	/*
	 * Nothing is said on a disk that is not in use. Pairs with the sync in
	 * bkc_meta_close(), after live has changed.
	 */
	if (!s->meta || READ_ONCE(s->live)) {
		behind = __give_up(s, b, first, behind, &was);
		*in_top = was == BKC_IN_BOTH;
	}
	spin_unlock_irqrestore(&b->lock, flags);
	return min(end, (sector_t)behind << map->block_shift);
}

static int release_blocks(struct bkc_state *s, u64 block, u64 end)
{
	enum bkc_valid was;
	struct bkc_bucket *b;
	u64 behind;

	while (block < end) {
		behind = min(end, region_end(&s->map, block));
		b = bkc_range_bucket(s, (sector_t)block << s->map.block_shift);
		spin_lock_irq(&b->lock);
		while (block < behind)
			block = __give_up(s, b, block, behind, &was);
		spin_unlock_irq(&b->lock);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * bkc_release_unchanged - only what is in a bitmap is to be preserved
 * @s: state, of mode backup
 * @bm: the bitmap; of a frozen one what had changed by then
 *
 * Process context, the tracker's mutex held. Blocks that are released stay so.
 * Durable with the next commit. Returns 0, -EALREADY when the view is broken,
 * -EINVAL when the bitmap is finer than the blocks; with a metadata device also
 * -EAGAIN while suspended; or -EINTR: what has been released by then is.
 */
int bkc_release_unchanged(struct bkc_state *s, const struct bkc_bitmap *bm)
{
	u64 first = 0, run, at = 0, blocks = s->map.nr_blocks;
	unsigned int shift = bm->shift - s->map.block_shift;
	int r = 0;

	if (bm->shift < s->map.block_shift)
		return -EINVAL;
	if (READ_ONCE(s->phase) != BKC_PHASE_PRESERVING)
		return -EALREADY;
	/* Not before it is loaded, nor when it is closed; dm keeps a suspend out. */
	if (s->meta && !READ_ONCE(s->live))
		return -EAGAIN;
	while (!r && at < blocks) {
		run = bkc_bitmap_run(bm, &first, bm->nr);
		r = release_blocks(s, at, min(first << shift, blocks));
		first += run;
		at = first << shift;
	}
	return r;
}
