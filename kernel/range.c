// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges in flight: what keeps a copy, a write and another write from
 * trampling on each other.
 *
 * Every write of a volume whose map is in use, and every run being copied, is
 * registered in the bucket of its region for as long as it is in flight. The
 * hashed counters of md's raid1 barriers are the model; ranges in place of
 * counters cost a short list walk, and in return a write never waits for a
 * copy it does not touch.
 *
 * Under the bucket's lock, and there alone, it is decided:
 *  - A write over base-only blocks goes to base alone. If those blocks are
 *    just being copied the copy of them is cancelled and the write goes on:
 *    it never waits for a copy's I/O. A block that was cancelled once is
 *    copied again as BKC_RANGE_COPY_EXCL, where the writes do wait, so that a
 *    block written all the time is copied too.
 *  - A write over blocks in both legs goes to both. Two that overlap are
 *    issued one after the other, or the legs could see them in either order.
 *  - A copy begins to read only where no write is in flight.
 *  - State changes of a block are published before its range goes away, so
 *    whoever comes next sees them.
 * What has to wait is parked, in order, and looked at again by retry_work
 * each time a range of its bucket goes away.
 */
#include <linux/slab.h>

#include "backup.h"
#include "range.h"
#include "redirect.h"

int bkc_buckets_init(struct bkc_state *s)
{
	unsigned int i;

	s->buckets = kvcalloc(BKC_BUCKETS, sizeof(*s->buckets), GFP_KERNEL);
	if (!s->buckets)
		return -ENOMEM;
	for (i = 0; i < BKC_BUCKETS; i++) {
		spin_lock_init(&s->buckets[i].lock);
		INIT_LIST_HEAD(&s->buckets[i].ranges);
		bio_list_init(&s->buckets[i].parked);
	}
	return 0;
}

/* Bucket lock held. Something of the bucket changed: look at the parked. */
void __bkc_range_kick(struct bkc_state *s, struct bkc_bucket *b)
{
	if (bio_list_empty(&b->parked))
		return;
	set_bit(b - s->buckets, s->retry);
	queue_work(s->io_wq, &s->retry_work);
}

/* Bucket lock held. */
static void __cancel_copied(struct bkc_state *s, struct bkc_range *r,
			    sector_t start, sector_t end)
{
	struct bkc_copy *copy = container_of(r, struct bkc_copy, range);
	u64 first, nr;

	nr = bkc_map_span(&s->map, max(start, r->start), min(end, r->end), &first);
	bitmap_set(copy->cancelled, first - copy->block, nr);
}

/* Bucket lock held: copies of these blocks are void. */
void __bkc_range_cancel_copies(struct bkc_state *s, struct bkc_bucket *b,
			       sector_t start, sector_t end)
{
	struct bkc_range *r;

	list_for_each_entry(r, &b->ranges, list)
		if (bkc_range_is_copy(r) && bkc_range_overlaps(r, start, end))
			__cancel_copied(s, r, start, end);
}

/*
 * Bucket lock held. Both legs, or base alone? Any write may go to base alone,
 * provided its blocks become base-only before it is issued: that is what
 * background mode, a piece too small for top's sectors and a bio that was
 * parked while its blocks came to differ have in common. *in_both: blocks that
 * the disk may call equal.
 */
static enum bkc_range_kind __choose_kind(struct bkc_state *s, sector_t start,
					 sector_t end, bool *in_both)
{
	enum bkc_valid valid;
	u64 first, nr;

	*in_both = true;
	nr = bkc_map_span(&s->map, start, end, &first);
	if (bkc_map_run(&s->map, first, nr, &valid) == nr) {
		*in_both = valid == BKC_IN_BOTH ||
			   (s->meta && bkc_meta_is_reset(s->meta));
		switch (s->mode->write[valid]) {
		case BKC_WRITE_BASE:
			return BKC_RANGE_WRITE_BASE;
		case BKC_WRITE_DUAL:
			if (s->params.value[BKC_PARAM_COPY_MODE] ==
			    BKC_COPY_DUAL &&
			    !((start | end) & (s->top_align - 1)))
				return BKC_RANGE_WRITE_DUAL;
			break;
		default:
			WARN_ON_ONCE(1);
			return BKC_RANGE_REFUSED;
		}
	}
	return BKC_RANGE_WRITE_BASE;
}

/*
 * Bucket lock held. Blocks in both are about to differ, at least for a while:
 * their segment has to be marked durably first.
 */
static enum bkc_verdict __mark(struct bkc_state *s, struct bkc_bucket *b,
			       struct bkc_io *io)
{
	io->mark = bkc_epoch_enter(&s->tracker->epoch);
	if (bkc_intent_begin(s->meta, io->range.start, io->range.end, &io->mark))
		return BKC_GO;
	if (READ_ONCE(s->meta->health) != BKC_HEALTH_RW)
		return BKC_REFUSE;
	set_bit(b - s->buckets, s->meta->intent.buckets);
	if (bkc_intent_ready(s->meta, io->range.start, io->range.end)) {
		set_bit(b - s->buckets, s->retry);
		queue_work(s->io_wq, &s->retry_work);
	}
	return BKC_WAIT;
}

/*
 * Bucket lock held. Registers the write, or says that it has to wait. @older:
 * the parked bios it may not overtake.
 */
static enum bkc_verdict __admit(struct bkc_state *s, struct bkc_bucket *b,
				struct bio *bio, struct bio_list *older)
{
	struct bkc_io *io = bkc_io_of(bio);
	sector_t start = io->range.start, end = io->range.end;
	enum bkc_range_kind kind;
	enum bkc_verdict verdict;
	struct bkc_range *r;
	struct bio *before;
	bool in_both;
	u64 first, nr;

	/*
	 * hold before route. Pairs with the release in end_pivot(): a hold that
	 * is over shows the route it has led to. One that has not begun cannot
	 * end before this lock is dropped, see bkc_range_quiet().
	 */
	if (smp_load_acquire(&s->hold))
		return BKC_WAIT;
	if (READ_ONCE(s->route) != BKC_ROUTE_MAP)
		return BKC_ROUTE_CHANGED;
	/* In a backup either may go first; and any number may be parked. */
	if (!s->mode->preserves)
		bio_list_for_each(before, older)
			if (bkc_range_overlaps(&bkc_io_of(before)->range, start, end))
				return BKC_WAIT;
	if (s->mode->durable)
		return __bkc_redirect_admit(s, b, bio);
	if (s->mode->preserves)
		return __bkc_backup_admit(s, b, &io->range);
	kind = __choose_kind(s, start, end, &in_both);
	if (kind == BKC_RANGE_REFUSED)
		return BKC_REFUSE;
	list_for_each_entry(r, &b->ranges, list) {
		if (!bkc_range_overlaps(r, start, end))
			continue;
		if (r->kind == BKC_RANGE_COPY_EXCL)
			return BKC_WAIT;
		if (r->kind == BKC_RANGE_WRITE_DUAL ||
		    (kind == BKC_RANGE_WRITE_DUAL && !bkc_range_is_copy(r)))
			return BKC_WAIT;
	}
	if (in_both && s->meta) {
		verdict = __mark(s, b, io);
		if (verdict != BKC_GO)
			return verdict;
	}
	/* It goes: from here on its blocks are what it leaves them as. */
	__bkc_range_cancel_copies(s, b, start, end);
	if (kind == BKC_RANGE_WRITE_BASE) {
		nr = bkc_map_span(&s->map, start, end, &first);
		if (__bkc_range_publish(s, first, nr, BKC_IN_BASE, false))
			bkc_copier_kick_soon(s);
	}
	io->range.kind = kind;
	list_add_tail(&io->range.list, &b->ranges);
	return BKC_GO;
}

/*
 * Bucket lock held. How much of the piece to take now: up to where the state
 * of the blocks changes, and up to the edge of a copy writes must wait for.
 * Only a bio that is being mapped can be cut.
 */
static sector_t __trim(struct bkc_state *s, struct bkc_bucket *b,
		       sector_t start, sector_t end)
{
	enum bkc_valid valid;
	struct bkc_range *r;
	u64 first, nr, run;

	nr = bkc_map_span(&s->map, start, end, &first);
	run = bkc_map_run(&s->map, first, nr, &valid);
	if (run < nr)
		end = (first + run) << s->map.block_shift;
	list_for_each_entry(r, &b->ranges, list) {
		if (r->kind != BKC_RANGE_COPY_EXCL || !bkc_range_overlaps(r, start, end))
			continue;
		end = r->start > start ? r->start : min(end, r->end);
	}
	return end;
}

/* Bucket lock held; the write is cut, and its range is set. */
static enum bkc_verdict __admit_or_park(struct bkc_state *s, struct bkc_bucket *b,
					struct bio *bio, struct bkc_io *io)
{
	enum bkc_verdict verdict;

	if (s->mode->durable) {
		/* Whole blocks: what it does concerns all of each. */
		io->range.start = round_down(io->range.start, 1U << s->map.block_shift);
		io->range.end = round_up(io->range.end, 1U << s->map.block_shift);
	}
	verdict = __admit(s, b, bio, &b->parked);
	if (verdict == BKC_WAIT) {
		/* It may wait here as long as it takes, nobody else does. */
		bio->bi_opf &= ~REQ_NOWAIT;
		bio_clear_polled(bio);
		bio_list_add(&b->parked, bio);
	}
	return verdict;
}

/**
 * bkc_range_admit - a write wants to go
 * @s: state
 * @bio: the write, discard or write-zeroes being mapped
 * @io: its per-bio data
 * @start: of the target, sectors
 * @len: sectors
 *
 * In map: does not sleep. Cuts @bio (dm_accept_partial_bio) to a piece of one
 * region and one state. BKC_GO: registered, issue it as io->range.kind says,
 * bkc_range_done() when it has ended. BKC_WAIT: parked, no longer the
 * caller's. BKC_ROUTE_CHANGED and BKC_REFUSE: not registered.
 */
enum bkc_verdict bkc_range_admit(struct bkc_state *s, struct bio *bio,
				 struct bkc_io *io, sector_t start,
				 unsigned int len)
{
	struct bkc_bucket *b = bkc_range_bucket(s, start);
	sector_t end = min(start + len, bkc_region_end(start));
	enum bkc_verdict verdict;
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	if (s->mode->durable)
		end = bkc_redirect_cut(s, start, end);
	else if (s->route == BKC_ROUTE_MAP)
		end = __trim(s, b, start, end);
	if (end - start < len)
		dm_accept_partial_bio(bio, end - start);
	io->range.start = start;
	io->range.end = end;
	verdict = __admit_or_park(s, b, bio, io);
	spin_unlock_irqrestore(&b->lock, flags);
	return verdict;
}

/**
 * bkc_range_cut - a write is about to be parked elsewhere
 * @t: the table
 * @bio: being mapped
 * @io: its per-bio data, the range set
 *
 * In map: cuts @bio to what bkc_range_admit_cut() can take, whatever its blocks
 * are by then.
 */
void bkc_range_cut(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	const struct bkc_map *map = &t->s->map;
	sector_t start = io->range.start, end;
	enum bkc_valid valid;
	u64 first, nr, run;

	if (!t->mode->has_top)
		return;
	end = min(io->range.end, bkc_region_end(start));
	if (t->mode->durable) {
		end = bkc_redirect_cut(t->s, start, end);
	} else {
		nr = bkc_map_span(map, start, end, &first);
		run = bkc_map_run(map, first, nr, &valid);
		if (run < nr)
			end = (first + run) << map->block_shift;
	}
	if (end < io->range.end)
		dm_accept_partial_bio(bio, end - start);
	io->range.end = end;
}

/*
 * The same as bkc_range_admit(), of a write that was cut when it was mapped. Any
 * context.
 */
enum bkc_verdict bkc_range_admit_cut(struct bkc_state *s, struct bio *bio,
				     struct bkc_io *io)
{
	struct bkc_bucket *b = bkc_range_bucket(s, io->range.start);
	enum bkc_verdict verdict;
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	verdict = __admit_or_park(s, b, bio, io);
	spin_unlock_irqrestore(&b->lock, flags);
	return verdict;
}

/**
 * bkc_range_done - a registered write has ended
 * @s: state
 * @io: its per-bio data, with the status of each leg
 *
 * Any context, before the write is acknowledged: a block whose legs may differ
 * is base-only from here on.
 */
void bkc_range_done(struct bkc_state *s, struct bkc_io *io)
{
	struct bkc_bucket *b = bkc_range_bucket(s, io->range.start);
	unsigned long flags;
	u64 first, nr;

	spin_lock_irqsave(&b->lock, flags);
	list_del(&io->range.list);
	if (s->mode->durable) {
		__bkc_redirect_done(s, b, io);
	} else if (io->range.kind == BKC_RANGE_WRITE_DUAL &&
		   unlikely(io->status[BKC_BASE] || io->status[BKC_TOP])) {
		nr = bkc_map_span(&s->map, io->range.start, io->range.end, &first);
		if (__bkc_range_publish(s, first, nr, BKC_IN_BASE, false))
			bkc_copier_kick_soon(s);
	}
	__bkc_range_gone(s, b, &io->range);
	spin_unlock_irqrestore(&b->lock, flags);
	/* The mark may go, when what has been said above is durable. */
	if (io->mark) {
		bkc_epoch_leave(&s->tracker->epoch, io->mark);
		io->mark = 0;
	}
	/* Set before the sweep of bkc_range_quiet() took our bucket's lock. */
	bkc_wake_drain(s);
}

/* Look at the parked bios of every bucket again: the route or hold changed. */
void bkc_range_retry_all(struct bkc_state *s)
{
	/*
	 * Pairs with the test_and_clear_bit() of the work: one that takes a bit
	 * set here also sees the route and the hold that were set before.
	 */
	smp_mb();
	bitmap_fill(s->retry, BKC_BUCKETS);
	queue_work(s->io_wq, &s->retry_work);
}

/* Process context, no lock held: what is parked is looked at again. */
void bkc_range_retry(struct bkc_state *s, struct bkc_bucket *b)
{
	struct bio_list todo, keep = BIO_EMPTY_LIST;
	struct bio_list decided[BKC_VERDICTS];	/* BKC_WAIT stays empty */
	struct bio *bio;
	int v;

	for (v = 0; v < BKC_VERDICTS; v++)
		bio_list_init(&decided[v]);

	spin_lock_irq(&b->lock);
	todo = b->parked;
	bio_list_init(&b->parked);
	while ((bio = bio_list_pop(&todo))) {
		enum bkc_verdict verdict = __admit(s, b, bio, &keep);

		bio_list_add(verdict == BKC_WAIT ? &keep : &decided[verdict],
			     bio);
	}
	b->parked = keep;
	spin_unlock_irq(&b->lock);

	for (v = 0; v < BKC_VERDICTS; v++)
		while ((bio = bio_list_pop(&decided[v])))
			bkc_issue_parked(bio, v);
}

/* A work of io_wq: it waits for no I/O, save where a leg's queue is full. */
void bkc_range_retry_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, retry_work);
	struct blk_plug plug;
	unsigned int i;

	blk_start_plug(&plug);
	for_each_set_bit(i, s->retry, BKC_BUCKETS)
		if (test_and_clear_bit(i, s->retry))
			bkc_range_retry(s, &s->buckets[i]);
	blk_finish_plug(&plug);
	if (s->mode->preserves)
		bkc_backup_retried(s);
}

/*
 * Is nothing in flight? The caller has set s->hold, so a bucket that is empty
 * once stays empty: __admit reads hold under the lock this takes.
 */
bool bkc_range_quiet(struct bkc_state *s)
{
	bool quiet = true;
	unsigned int i;

	for (i = 0; quiet && i < BKC_BUCKETS; i++) {
		spin_lock_irq(&s->buckets[i].lock);
		quiet = list_empty(&s->buckets[i].ranges);
		spin_unlock_irq(&s->buckets[i].lock);
	}
	return quiet;
}

/* Take and drop every bucket's lock: whoever held one before is done. */
void bkc_range_sync(struct bkc_state *s)
{
	unsigned int i;

	for (i = 0; i < BKC_BUCKETS; i++) {
		spin_lock_irq(&s->buckets[i].lock);
		spin_unlock_irq(&s->buckets[i].lock);
	}
}
