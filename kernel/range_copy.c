// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies among the ranges in flight: see range.c for what is decided under the
 * bucket's lock.
 */
#include "range.h"

/*
 * Bucket lock held. An exclusive copy that waited for writes may be free; its
 * work looks.
 */
void __bkc_range_kick_copies(struct bkc_bucket *b, const struct bkc_range *gone)
{
	struct bkc_range *r;

	list_for_each_entry(r, &b->ranges, list)
		if (r->kind == BKC_RANGE_COPY_EXCL &&
		    bkc_range_overlaps(r, gone->start, gone->end)) {
			struct bkc_copy *copy =
				container_of(r, struct bkc_copy, range);

			if (copy->step == BKC_STEP_WAIT)
				queue_work(copy->s->copy_wq, &copy->work);
		}
}

/* Bucket lock held. Is anything else in flight where it copies? */
static bool __busy(struct bkc_bucket *b, const struct bkc_copy *copy)
{
	struct bkc_range *r;

	list_for_each_entry(r, &b->ranges, list)
		if (r != &copy->range &&
		    bkc_range_overlaps(r, copy->range.start, copy->range.end))
			return true;
	return false;
}

/*
 * Registers a run of blocks in one of @states; see bkc_range_begin_copy(). @count:
 * what counts it in flight, or NULL.
 */
static unsigned int begin_run(struct bkc_state *s, struct bkc_copy *copy,
			      u64 block, unsigned int nr, unsigned int states,
			      bool exclusive, atomic64_t *count)
{
	unsigned int shift = s->map.block_shift;
	sector_t start = (sector_t)block << shift;
	struct bkc_bucket *b = bkc_range_bucket(s, start);
	enum bkc_valid valid;
	struct bkc_range *r;
	sector_t end;

	bitmap_zero(copy->cancelled, BKC_RUN_BLOCKS_MAX);
	spin_lock_irq(&b->lock);
	nr = bkc_map_run(&s->map, block, nr, &valid);
	if (!(states & BIT(valid)) || s->route != BKC_ROUTE_MAP || s->hold)
		goto none;
	end = min(start + ((sector_t)nr << shift), s->map.len);
	list_for_each_entry(r, &b->ranges, list) {
		if (!bkc_range_overlaps(r, start, end) || (exclusive && !bkc_range_is_copy(r)))
			continue;
		if (r->start <= start)
			goto none;
		/* The block in which r begins is out of bounds as well. */
		end = round_down(r->start, 1U << shift);
		if (end <= start)
			goto none;
	}
	nr = bkc_block_of(&s->map, end - 1) - block + 1;
	copy->block = block;
	copy->nr_blocks = nr;
	copy->valid = valid;
	copy->writing = false;
	copy->safe = false;
	copy->recorded = false;
	atomic_set(&copy->refs, 1);
	copy->epoch = READ_ONCE(s->top_epoch);
	copy->range.start = start;
	copy->range.end = end;
	copy->range.kind = exclusive ? BKC_RANGE_COPY_EXCL : BKC_RANGE_COPY;
	copy->step = exclusive ? BKC_STEP_WAIT : BKC_STEP_BUSY;
	copy->status[BKC_BASE] = BLK_STS_OK;
	copy->status[BKC_TOP] = BLK_STS_OK;
	if (count)
		atomic64_add((end - start) << SECTOR_SHIFT, count);
	list_add_tail(&copy->range.list, &b->ranges);
	spin_unlock_irq(&b->lock);
	return nr;
none:
	spin_unlock_irq(&b->lock);
	return 0;
}

/**
 * bkc_range_begin_copy - register a run that is to be copied
 * @s: state
 * @copy: the copy, with a buffer; all else of it is set here
 * @block: first block of the run
 * @nr: blocks it has at most; they lie in one region
 * @exclusive: writes wait for it, and it for them; else it is cut short where
 *	a write is in flight, and a write that comes later cancels its blocks
 *
 * Process context, does not sleep. Returns how many blocks are registered; 0
 * when the first is not to be copied or is busy. inflight counts it from here on.
 * An exclusive copy may have to wait: see bkc_range_copy_ready().
 */
unsigned int bkc_range_begin_copy(struct bkc_state *s, struct bkc_copy *copy,
				  u64 block, unsigned int nr, bool exclusive)
{
	return begin_run(s, copy, block, nr, s->mode->copy_states, exclusive,
			 copy->demand ? &s->saving : &s->inflight);
}

/*
 * The same of a run whose blocks are in both, to be read there while writes wait.
 * It ends with bkc_range_end_copy(), as one that failed.
 */
unsigned int bkc_range_begin_verify(struct bkc_state *s, struct bkc_copy *copy,
				    u64 block, unsigned int nr)
{
	return begin_run(s, copy, block, nr, BIT(BKC_IN_BOTH), true, NULL);
}

/*
 * May an exclusive copy begin to read? True once: the caller has its next step
 * then. False while it has to wait for writes in flight; the last of them queues
 * copy->work.
 */
bool bkc_range_copy_ready(struct bkc_state *s, struct bkc_copy *copy)
{
	struct bkc_bucket *b = bkc_range_bucket(s, copy->range.start);
	bool ready;

	spin_lock_irq(&b->lock);
	ready = copy->step == BKC_STEP_WAIT && !__busy(b, copy);
	if (ready)
		copy->step = BKC_STEP_BUSY;
	spin_unlock_irq(&b->lock);
	return ready;
}

/**
 * bkc_range_begin_write - a copy is about to write
 * @s: state
 * @copy: the copy; copy->skip is set to the blocks it must not write
 *
 * Process context. Where users write to the same leg, a write that came before
 * has cancelled its blocks, and one that comes from here on waits for the copy:
 * or the copy's data, older, would be the last to arrive. Elsewhere what was
 * cancelled is written all the same: it will be copied again. False when
 * nothing is left to write.
 */
bool bkc_range_begin_write(struct bkc_state *s, struct bkc_copy *copy)
{
	struct bkc_bucket *b = bkc_range_bucket(s, copy->range.start);

	bitmap_zero(copy->skip, BKC_RUN_BLOCKS_MAX);
	if (!s->mode->durable)
		return true;
	spin_lock_irq(&b->lock);
	copy->writing = true;
	bitmap_copy(copy->skip, copy->cancelled, BKC_RUN_BLOCKS_MAX);
	spin_unlock_irq(&b->lock);
	return !bitmap_full(copy->skip, copy->nr_blocks);
}

/**
 * bkc_range_end_copy - a copy has ended
 * @s: state
 * @copy: the copy
 * @ok: base was read and top written
 *
 * Any context. Publishes the blocks that are now in both, lets waiters go.
 * Returns how many blocks were published.
 */
unsigned int bkc_range_end_copy(struct bkc_state *s, struct bkc_copy *copy,
				bool ok)
{
	struct bkc_bucket *b = bkc_range_bucket(s, copy->range.start);
	enum bkc_valid valid = s->mode->copied[copy->valid];
	/*
	 * Zeroes that are in top now: a write that is redirected there by that
	 * alone makes no commit necessary itself. Of a block in both it does.
	 */
	bool redirects = s->mode->durable && valid == BKC_IN_TOP;
	unsigned int from, to, published = 0;
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	/* Pairs with bkc_range_sync() in drop_top(): see top_epoch. */
	if (ok && copy->epoch == READ_ONCE(s->top_epoch))
		for_each_clear_bitrange(from, to, copy->cancelled,
					copy->nr_blocks)
			published += copy->recorded ?
				bkc_map_set(&s->map, copy->block + from,
					    to - from, valid) :
				__bkc_range_publish(s, copy->block + from,
						    to - from, valid, redirects);
	/* After that, and before the lock is dropped: bkc_lost_settle() takes it. */
	if (published && s->mode->durable && valid != BKC_IN_BOTH)
		WRITE_ONCE(s->meta->one_way, true);
	list_del(&copy->range.list);
	__bkc_range_gone(s, b, &copy->range);
	spin_unlock_irqrestore(&b->lock, flags);
	bkc_wake_drain(s);
	return published;
}
