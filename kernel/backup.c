// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mode backup: copy-before-write. Base is in use; top is to keep what base held
 * when the first table was resumed, so the old data of a block goes there
 * before the first write to it. A view (view.c) reads what is preserved from
 * top, the rest from base. The steps of a write to a block that is not
 * preserved yet:
 *
 *  1. bkc_backup_begin begins a copy (copy.c) of all it touches, in one read.
 *     In map that takes a buffer at hand; else save_work does.
 *  2. __bkc_backup_admit parks it, as a write that has to wait.
 *  3. The old data is in the buffer: the copy is safe, the write goes to base,
 *     and so do others over it. With backup_persistent not before step 5.
 *  4. The buffer is written to top.
 *  5. The blocks are published as preserved, the copy goes away.
 *
 * What the copier does in the background are the same copies from their read on,
 * so a write may be overtaken by one. Under the bucket's lock these hold:
 *  - A write to a block goes to base only when the block is preserved, or a safe
 *    copy of it is in flight, or the view is broken.
 *  - A copy begins only for blocks that are not preserved and that no other copy
 *    is over. So no write to them has gone yet, and none goes while it reads: a
 *    copy needs no writes drained, and is never cancelled.
 *  - A preserved block never has to be preserved again, nor one that was released
 *    (release.c). A write to it needs no lock.
 * Buffers are bounded (inflight_kib); one is always there, so that with no memory
 * at all, writes go block by block as top takes them.
 *
 * A copy that fails breaks the view before its range goes away: from then on no
 * write waits for anything, and a view reads nothing.
 */
#include <linux/jiffies.h>

#include "backup.h"
#include "flush.h"
#include "meta.h"
#include "range.h"

#define OWN_SECTORS	(BKC_COPY_OWN_VECS << (PAGE_SHIFT - SECTOR_SHIFT))
#define STUCK_MAX	(BLKCOPY_BACKUP_STOP_SECONDS * HZ)

/*
 * ---- Writes
 */

/**
 * bkc_backup_is_preserved - may the write go to base as it is?
 * @t: table
 * @bio: the write, discard or write-zeroes being mapped
 *
 * In map, no lock: cuts the bio to what is preserved, or released. What is not may
 * be in the buffer of a copy; see __bkc_backup_admit().
 */
bool bkc_backup_is_preserved(struct bkc_table *t, struct bio *bio)
{
	const struct bkc_map *map = &t->s->map;
	sector_t start = dm_target_offset(t->ti, bio->bi_iter.bi_sector);
	enum bkc_valid valid;
	u64 first, nr, run;

	nr = bkc_map_span(map, start, start + bio_sectors(bio), &first);
	run = bkc_map_run(map, first, nr, &valid);
	if (valid == BKC_IN_BASE)
		return false;
	/* Released, and a crash could bring it back. */
	if (unlikely(valid == BKC_IN_NONE) && bkc_meta_is_ordered(t->s->meta) &&
	    bkc_meta_is_unsettled(t->s->meta, first, run))
		return false;
	if (run < nr)
		dm_accept_partial_bio(bio, ((first + run) << map->block_shift) -
				      start);
	return true;
}

/* Do writes wait until old data is in top, or until that is durable? */
static bool waits_for_top(const struct bkc_state *s)
{
	return s->params.persistent || bkc_meta_is_ordered(s->meta);
}

/* Bucket lock held. The copy in flight that has this sector, or NULL. */
struct bkc_copy *__bkc_backup_copy_over(struct bkc_bucket *b, sector_t sector)
{
	struct bkc_range *r;

	/* Writes are not registered: all there is are copies. */
	list_for_each_entry(r, &b->ranges, list)
		if (r->start <= sector && sector < r->end)
			return container_of(r, struct bkc_copy, range);
	return NULL;
}

/*
 * Bucket lock held. The first block at or after @block that is not preserved and
 * has no copy, or @end. @waits is set when a write has to wait for a copy that is
 * passed over.
 */
static u64 __next_unsaved(struct bkc_state *s, struct bkc_bucket *b, u64 block,
			  u64 end, bool *waits)
{
	const struct bkc_map *map = &s->map;
	struct bkc_copy *copy;

	while ((block = bkc_map_find(map, block, end, BIT(BKC_IN_BASE))) < end) {
		copy = __bkc_backup_copy_over(b, (sector_t)block <<
						 map->block_shift);
		if (!copy)
			break;
		if (!copy->safe || waits_for_top(s))
			*waits = true;
		block = bkc_block_of(map, copy->range.end - 1) + 1;
	}
	return min(block, end);
}

/* Broken, it is the route that is asked; or the disk is to be told first. */
static bool is_preserving(const struct bkc_state *s)
{
	return READ_ONCE(s->phase) == BKC_PHASE_PRESERVING;
}

/* Is there room for another copy? For one alone there always is. */
static bool has_room(struct bkc_state *s)
{
	u64 limit = (u64)READ_ONCE(s->params.value[BKC_PARAM_INFLIGHT]) << 10;

	return atomic64_read(&s->saving) < limit;
}

/**
 * bkc_backup_begin - a write to what is not preserved is about to ask
 * @t: table
 * @bio: the write, not cut yet
 *
 * In map. Begins the copy it will wait for, if there is a buffer at hand; what
 * does not begin here is save_work's.
 */
void bkc_backup_begin(struct bkc_table *t, struct bio *bio)
{
	struct bkc_state *s = t->s;
	sector_t start = dm_target_offset(t->ti, bio->bi_iter.bi_sector);
	sector_t end = min(start + bio_sectors(bio), bkc_region_end(start));
	struct bkc_copy *copy;
	u64 first, nr;

	/* Who has waited comes first, or may wait as long as others come. */
	if (!bitmap_empty(s->save, BKC_BUCKETS) || !is_preserving(s))
		return;
	/* To read from base may sleep, for a request of its queue. */
	if (bio->bi_opf & REQ_NOWAIT)
		return;
	nr = bkc_map_span(&s->map, start, end, &first);
	copy = has_room(s) ?
	       bkc_copy_get_now(s, nr << s->map.block_shift) : NULL;
	if (!copy)
		return;
	copy->demand = true;
	copy->mapper = current;
	/* No bio but its own: another would have to be allocated. */
	if (nr << s->map.block_shift > OWN_SECTORS ||
	    !bkc_range_begin_copy(s, copy, first, nr, false))
		bkc_copy_put(copy);
	else
		bkc_copy_start(copy, false);
}

/* The view is broken. A hold comes after that, and ends with a look at who waits. */
static enum bkc_verdict refused_or_held(const struct bkc_state *s)
{
	return s->meta && READ_ONCE(s->meta->refuses) ? BKC_REFUSE : BKC_WAIT;
}

/* Is it because of what the disk does not say yet that a write may go? */
static bool relies_on_release(struct bkc_state *s, u64 first, u64 end)
{
	return bkc_meta_is_ordered(s->meta) &&
	       bkc_map_find(&s->map, first, end, BIT(BKC_IN_NONE)) < end &&
	       bkc_meta_is_unsettled(s->meta, first, end - first);
}

/*
 * Bucket lock held; the route is the map's. May a write over @range go? If not,
 * what it waits for is under way.
 */
enum bkc_verdict __bkc_backup_admit(struct bkc_state *s, struct bkc_bucket *b,
				    const struct bkc_range *range)
{
	bool waits = false;
	u64 first, end;

	end = bkc_map_span(&s->map, range->start, range->end, &first);
	end += first;
	if (__next_unsaved(s, b, first, end, &waits) < end) {
		if (!is_preserving(s))
			return refused_or_held(s);
		set_bit(b - s->buckets, s->save);
		queue_work(s->io_wq, &s->save_work);
		return BKC_WAIT;
	}
	if (!waits && relies_on_release(s, first, end)) {
		if (!is_preserving(s))
			return refused_or_held(s);
		bkc_record_wait(s->meta);
		waits = true;
	}
	return waits ? BKC_WAIT : BKC_FREE;
}

/*
 * ---- Copies for writes
 */

/* The next blocks in a bucket that a write waits for and nobody copies. */
static bool next_wanted(struct bkc_state *s, struct bkc_bucket *b, u64 *block,
			unsigned int *nr)
{
	bool ignored, found = false;
	struct bio *bio;
	u64 first, end;

	spin_lock_irq(&b->lock);
	if (READ_ONCE(s->route) == BKC_ROUTE_MAP && is_preserving(s))
		bio_list_for_each(bio, &b->parked) {
			const struct bkc_range *r = &bkc_io_of(bio)->range;

			end = bkc_map_span(&s->map, r->start, r->end, &first);
			end += first;
			*block = __next_unsaved(s, b, first, end, &ignored);
			*nr = end - *block;
			found = *nr;
			if (found)
				break;
		}
	spin_unlock_irq(&b->lock);
	return found;
}

/* False when there is no buffer for what is still wanted. */
static bool save_bucket(struct bkc_state *s, struct bkc_bucket *b)
{
	unsigned int shift = s->map.block_shift, sectors, nr;
	struct bkc_copy *copy;
	u64 block;

	while (next_wanted(s, b, &block, &nr)) {
		sectors = nr << shift;
		copy = has_room(s) ? bkc_copy_get(s, &sectors) : NULL;
		if (!copy)
			return false;
		copy->demand = true;
		if (bkc_range_begin_copy(s, copy, block, sectors >> shift,
					 false))
			bkc_copy_start(copy, false);
		else
			/* The copier was faster, or the view is broken. */
			bkc_copy_put(copy);
	}
	return true;
}

static unsigned int next_bucket(struct bkc_state *s)
{
	unsigned int i = find_next_bit(s->save, BKC_BUCKETS, s->save_next);

	return i < BKC_BUCKETS ? i : find_first_bit(s->save, BKC_BUCKETS);
}

/*
 * Step 1. Of io_wq: allocates, waits for no I/O, save where base's queue is full.
 */
void bkc_backup_save_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, save_work);
	struct blk_plug plug;
	unsigned int i;

	blk_start_plug(&plug);
	while ((i = next_bucket(s)) < BKC_BUCKETS) {
		s->save_next = i;
		clear_bit(i, s->save);
		/* Pairs with the lock of who set it: what is parked is seen. */
		smp_mb__after_atomic();
		if (save_bucket(s, &s->buckets[i])) {
			s->save_next = i + 1;
			cond_resched();
			continue;
		}
		set_bit(i, s->save);
		WRITE_ONCE(s->starved, true);
		/*
		 * Pairs with the full barrier of the subtraction in
		 * bkc_copy_unref(): we see that it has ended, or it sees us.
		 */
		smp_mb();
		if (!atomic64_read(&s->saving) && !atomic64_read(&s->inflight))
			queue_work(s->io_wq, &s->save_work);
		break;
	}
	blk_finish_plug(&plug);
}

/*
 * Base does its I/O while it is submitted, and so does top: no work is needed to go
 * on, and nobody waits for a queue. Not from save_work, which looks at many; nor in
 * a thread of base's (of a thin pool, of md), which may hold what a write to base
 * waits for.
 */
static bool may_go_on(const struct bkc_copy *copy)
{
	const struct bkc_state *s = copy->s;

	return copy->mapper == current && bkc_is_submitting() &&
	       READ_ONCE(s->top_inline) && !s->params.detect_zeroes;
}

/* An I/O of top's has ended. Any context. */
void bkc_backup_top_ended(struct bkc_state *s)
{
	bool now = bkc_is_submitting();

	if (READ_ONCE(s->top_inline) != now)
		WRITE_ONCE(s->top_inline, now);
}

/*
 * Step 3, any context. The writes go first: retry_work sends them on, and has
 * top_work do step 4, for many copies in one. Without either if that can be, and
 * one write waits at most: to look at many is a work's business.
 */
void bkc_backup_read(struct bkc_copy *copy)
{
	struct bkc_state *s = copy->s;
	struct bkc_bucket *b = bkc_range_bucket(s, copy->range.start);
	bool go_on = may_go_on(copy);
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	copy->safe = true;
	if (go_on && b->parked.head == b->parked.tail) {
		spin_unlock_irqrestore(&b->lock, flags);
		if (!waits_for_top(s))
			bkc_range_retry(s, b);
		bkc_copy_write_all(copy);
		return;
	}
	spin_lock(&s->copies_lock);
	list_add_tail(&copy->list, &s->to_top);
	spin_unlock(&s->copies_lock);
	/* With the lock held: the copy does not end, nor we, before it is dropped. */
	if (waits_for_top(s) || bio_list_empty(&b->parked))
		queue_work(s->copy_wq, &s->top_work);
	else
		__bkc_range_kick(s, b);
	spin_unlock_irqrestore(&b->lock, flags);
}

/* Of retry_work: what was parked has gone. */
void bkc_backup_retried(struct bkc_state *s)
{
	/* Pairs with the bucket lock, which both have taken in between. */
	if (!list_empty(&s->to_top))
		queue_work(s->copy_wq, &s->top_work);
}

/* Step 4. Of copy_wq: may wait for top's queue. */
void bkc_backup_top_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, top_work);
	struct bkc_copy *copy, *next;
	struct blk_plug plug;
	LIST_HEAD(list);

	spin_lock_irq(&s->copies_lock);
	list_splice_init(&s->to_top, &list);
	spin_unlock_irq(&s->copies_lock);
	blk_start_plug(&plug);
	list_for_each_entry_safe(copy, next, &list, list)
		bkc_copy_write(copy);
	blk_finish_plug(&plug);
}

/* A copy has ended, its buffer is free, it no longer counts. Any context. */
void bkc_backup_ended(struct bkc_state *s)
{
	if (unlikely(READ_ONCE(s->starved))) {
		WRITE_ONCE(s->starved, false);
		queue_work(s->io_wq, &s->save_work);
	}
}

/*
 * In postsuspend: no write is in flight, so no copy begins for one; those there
 * are come to an end.
 */
void bkc_backup_drain(struct bkc_state *s)
{
	mutex_lock(&s->life_lock);
	if (!s->live) {
		wait_event(s->copy_wait, !atomic64_read(&s->saving));
		/* The last one has let go of us: see bkc_copy_unref(). */
		spin_lock_irq(&s->copy_wait.lock);
		spin_unlock_irq(&s->copy_wait.lock);
		bkc_copies_trim(s);
	}
	mutex_unlock(&s->life_lock);
}

/*
 * Of the copier: all is in top. Said once, when it does not hang on top's cache.
 */
void bkc_backup_filled(struct bkc_state *s)
{
	bool told;
	int r;

	if (s->filled)
		return;
	bkc_copies_trim(s);
	r = bkc_flush_store(s);
	if (r) {
		bkc_backup_break(s, BKC_BY_POLICY, "top failed");
		bkc_leg_error(s, BKC_TOP, errno_to_blk_status(r), true);
		return;
	}
	spin_lock_irq(&s->lock);
	told = s->phase == BKC_PHASE_PRESERVING;
	s->filled = told;
	spin_unlock_irq(&s->lock);
	if (told)
		bkc_event(s);
}

/*
 * ---- What cannot be kept
 */

/**
 * bkc_backup_break - the view is lost
 * @s: state
 * @by: who says so
 * @why: for the kernel log
 *
 * Any context; the bucket lock of a copy that failed is not held, and its range
 * is still there: who looks at its blocks later sees that the route has changed.
 */
void bkc_backup_break(struct bkc_state *s, enum bkc_stopper by, const char *why)
{
	bool first, tell = false;
	unsigned long flags;

	spin_lock_irqsave(&s->lock, flags);
	first = s->phase == BKC_PHASE_PRESERVING;
	if (first) {
		s->phase = BKC_PHASE_BROKEN;
		s->stopped_by = by;
		/* Closed, the disk is told before it is in use again. */
		tell = bkc_meta_is_ordered(s->meta) && READ_ONCE(s->meta->open);
		if (tell)
			WRITE_ONCE(s->hold, true);
		else
			WRITE_ONCE(s->route, BKC_ROUTE_BASE);
	}
	spin_unlock_irqrestore(&s->lock, flags);
	if (!first)
		return;
	DMERR_LIMIT("base %u:%u: %s: the view is broken, the volume goes on",
		    MAJOR(s->number[BKC_BASE]), MINOR(s->number[BKC_BASE]), why);
	if (tell)
		bkc_record_break(s->meta);
	else
		bkc_backup_let_go(s);
}

/* The view is broken, and who has to know that does. Any context. */
void bkc_backup_let_go(struct bkc_state *s)
{
	bkc_range_retry_all(s);
	bkc_view_redo(s);
	mod_delayed_work(s->copy_wq, &s->stuck_work, 0);
	bkc_copier_kick(s);
	bkc_event(s);
}

/**
 * bkc_backup_keep - a copy has failed
 * @copy: with its statuses; its range is there
 *
 * Any context. True when the policy is to keep what is in its buffer: it is tried
 * again by bkc_backup_retry(), or given up by stuck_work. False: the view is
 * broken, the copy ends.
 */
bool bkc_backup_keep(struct bkc_copy *copy)
{
	struct bkc_state *s = copy->s;
	blk_status_t top = copy->status[BKC_TOP];
	enum bkc_policy policy =
		READ_ONCE(s->params.value[BKC_PARAM_ON_TOP_ERROR]);
	bool keep = policy == BKC_POLICY_STOP ||
		    (policy == BKC_POLICY_ENOSPC && top == BLK_STS_NOSPC);
	unsigned long flags;

	spin_lock_irqsave(&s->copies_lock, flags);
	/*
	 * Pairs with the lock in take_stuck(), after live, or the phase, has
	 * changed: it finds the copy in the list, or we see the change.
	 */
	keep = keep && !copy->status[BKC_BASE] && READ_ONCE(s->live) &&
	       READ_ONCE(s->phase) == BKC_PHASE_PRESERVING;
	if (keep) {
		list_add_tail(&copy->list, &s->stuck);
		/* Here: once it is taken from the list the state may go. */
		bkc_leg_error(s, BKC_TOP, top, true);
		queue_delayed_work(s->copy_wq, &s->stuck_work, STUCK_MAX);
	}
	spin_unlock_irqrestore(&s->copies_lock, flags);
	if (!keep)
		bkc_backup_break(s, BKC_BY_POLICY, copy->status[BKC_BASE] ?
				 "base cannot be read" : "top failed");
	return keep;
}

/* @retried: their time begins anew. */
static void take_stuck(struct bkc_state *s, struct list_head *list, bool retried)
{
	unsigned long flags;

	spin_lock_irqsave(&s->copies_lock, flags);
	if (retried)
		cancel_delayed_work(&s->stuck_work);
	list_splice_init(&s->stuck, list);
	spin_unlock_irqrestore(&s->copies_lock, flags);
}

/* Write what top did not take once more. Process context. */
void bkc_backup_retry(struct bkc_state *s)
{
	struct bkc_copy *copy, *next;
	LIST_HEAD(list);

	take_stuck(s, &list, true);
	list_for_each_entry_safe(copy, next, &list, list)
		bkc_copy_again(copy);
}

/* Nobody came in time, or the view is broken: what was kept is of no use. */
void bkc_backup_stuck_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(to_delayed_work(work),
					   struct bkc_state, stuck_work);
	struct bkc_copy *copy, *next;
	LIST_HEAD(list);

	take_stuck(s, &list, false);
	if (!list_empty(&list))
		bkc_backup_break(s, BKC_BY_POLICY, "top did not recover");
	list_for_each_entry_safe(copy, next, &list, list)
		bkc_copy_give_up(copy);
}
