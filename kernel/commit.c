// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commits: which bits become durable, and when. See meta.h for the order.
 *
 * Nothing is written for the sake of background copies but now and then
 * (lazy_work): what they did is done again after a crash. A flush, or a write
 * with FUA, makes a commit only if a user's write was redirected by a bit that
 * is not durable (bkc_meta_must_commit).
 *
 * A commit, in this order, one at a time:
 *  1. take the waiters: they arrived before what follows;
 *  2. take images of the dirty sectors; bits set from here on are the next
 *     commit's;
 *  3. flush every leg the images may point at;
 *  4. write the images, each to its sector's older slot;
 *  5. flush the metadata (or FUA, for a single one);
 *  6. let the waiters go.
 */
#include "backup.h"
#include "flush.h"
#include "meta.h"

#define LAZY_DELAY	(5 * HZ)

/* Somebody in process context who waits for a commit. */
struct syncer {
	struct list_head list;
	struct completion done;
	int error;
};

/**
 * bkc_meta_publish - blocks change state
 * @meta: metadata
 * @first: block
 * @nr: blocks
 * @valid: their new state
 * @by_user: a user's write is redirected by it
 *
 * Any context; the bucket lock of the range is held. Who has seen the new state
 * in the map, and has had a write done because of it, finds here that it is not
 * durable: publishing is set for as long as that is not yet said. Returns how
 * many blocks changed.
 */
u64 bkc_meta_publish(struct bkc_meta *meta, u64 first, u64 nr,
		     enum bkc_valid valid, bool by_user)
{
	u64 i = bkc_meta_index(first), last = i, changed;

	if (nr > 1)
		last = bkc_meta_index(first + nr - 1);

	/* The bucket lock has interrupts off. */
	spin_lock(&meta->lock);
	/* Before the map, whose cmpxchg is a full barrier. */
	WRITE_ONCE(meta->publishing, true);
	changed = bkc_map_set(&meta->s->map, first, nr, valid);
	if (changed) {
		for (; i <= last; i++) {
			set_bit(i, meta->unsettled);
			set_bit(i, meta->dirty);
		}
		if (by_user)
			meta->wanted++;
	}
	/* Pairs with bkc_meta_must_commit(), bkc_meta_is_unsettled(). */
	smp_store_release(&meta->publishing, false);
	spin_unlock(&meta->lock);
	if (!changed)
		return 0;
	/*
	 * A user's, too: not everybody flushes, and a device above that was set up
	 * over something without a cache does not pass it on. Pairs with the
	 * barrier behind the clearing of PENDING: lazy_work sees what is dirty, or
	 * we see that it has begun.
	 */
	smp_mb();
	if (!delayed_work_pending(&meta->lazy_work))
		queue_delayed_work(meta->wq, &meta->lazy_work, LAZY_DELAY);
	return changed;
}

/*
 * All of the map is about to say base-only, and the disk may go on saying "in
 * both": bkc_meta_is_reset() from here on, until that is durable.
 */
void bkc_meta_begin_reset(struct bkc_meta *meta)
{
	spin_lock_irq(&meta->lock);
	WRITE_ONCE(meta->resets, meta->resets + 1);
	spin_unlock_irq(&meta->lock);
}

/*
 * Process context: all of the map has changed. Not at once: where top is what
 * fails, so does the commit, and tells, and brings us here again.
 */
void bkc_meta_dirty_all(struct bkc_meta *meta)
{
	unsigned long flags;

	spin_lock_irqsave(&meta->lock, flags);
	bitmap_fill(meta->unsettled, meta->nr_exact);
	bitmap_fill(meta->dirty, meta->nr_exact);
	meta->resets_done = meta->resets;
	spin_unlock_irqrestore(&meta->lock, flags);
	queue_delayed_work(meta->wq, &meta->lazy_work, LAZY_DELAY);
}

static bool __is_unsettled(struct bkc_meta *meta, u64 first, u64 nr)
{
	u64 i = bkc_meta_index(first), last = bkc_meta_index(first + nr - 1);

	for (; i <= last; i++)
		if (test_bit(i, meta->unsettled))
			return true;
	return false;
}

/*
 * Is what the map says of these blocks not durable? Any context; who has seen it
 * there sees that here.
 */
bool bkc_meta_is_unsettled(struct bkc_meta *meta, u64 first, u64 nr)
{
	/* Pairs with the release in bkc_meta_publish(). */
	return smp_load_acquire(&meta->publishing) ||
	       __is_unsettled(meta, first, nr);
}

/**
 * bkc_meta_written - a write has ended where a copy may have moved a block
 * @meta: metadata
 * @first: block
 * @nr: blocks
 *
 * For commit mode: the copier has published that a block is in base; until that
 * is durable a write to it there is lost with a crash. Any context, before the
 * write is acknowledged.
 */
void bkc_meta_written(struct bkc_meta *meta, u64 first, u64 nr)
{
	unsigned long flags;

	if (!bkc_meta_is_unsettled(meta, first, nr))
		return;
	spin_lock_irqsave(&meta->lock, flags);
	if (__is_unsettled(meta, first, nr))
		meta->wanted++;
	spin_unlock_irqrestore(&meta->lock, flags);
}

/* The bio has ended; bkc_end_io() sees it again, with nothing left to do. */
static void release(struct bio *bio, int r)
{
	struct bkc_io *io = bkc_io_of(bio);
	bool mapped = io->range.kind == BKC_RANGE_WAITS_MAPPED;

	io->range.kind = BKC_RANGE_DONE;
	if (r)
		bio->bi_status = errno_to_blk_status(r);
	if (mapped)
		bio->bi_end_io(bio);	/* bio_endio() has run for it */
	else
		bio_endio(bio);
}

/**
 * bkc_meta_wait - the bio completes after a commit that begins later
 * @meta: metadata
 * @bio: an empty flush that was not sent anywhere, kind BKC_RANGE_WAITS; or a
 *	write whose data has been written, kind BKC_RANGE_WAITS_MAPPED
 *
 * Any context.
 */
void bkc_meta_wait(struct bkc_meta *meta, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&meta->lock, flags);
	bio_list_add(&meta->waiters, bio);
	/* With the lock held: a commit under way ends it otherwise, and with it us. */
	queue_work(meta->wq, &meta->commit_work);
	spin_unlock_irqrestore(&meta->lock, flags);
}

/* Step 2: up to a batch of the dirty sectors from *next on. */
static unsigned int take_batch(struct bkc_meta *meta, u64 *next, u64 *index)
{
	unsigned int nr = 0;
	u64 i = *next;

	while (nr < BKC_META_BATCH) {
		i = find_next_bit(meta->dirty, meta->nr_exact, i);
		if (i >= meta->nr_exact)
			break;
		/*
		 * Pairs with bkc_meta_publish(): the bit here, then the map; the
		 * map there, then the bit.
		 */
		if (test_and_clear_bit(i, meta->dirty)) {
			bkc_meta_capture(meta, i, meta->images[nr]);
			index[nr++] = i;
		}
		i++;
	}
	*next = i;
	return nr;
}

/* What is flushed before bits are written that speak of it. */
struct volume {
	struct bkc_state *s;
	struct block_device *bdev[BKC_LEGS];
	u8 legs;	/* BIT(enum bkc_leg) */
};

/* A leg that is not written to, or not any more, has nothing to flush. */
static u8 legs_written(const struct bkc_state *s)
{
	switch (READ_ONCE(s->route)) {
	case BKC_ROUTE_TOP:
		return BIT(BKC_TOP);
	case BKC_ROUTE_BASE:
		return BIT(BKC_BASE);
	default:
		return s->mode->flush_legs;
	}
}

/*
 * Of bitmaps: what a crash takes from the volume after a bitmap was cleared would
 * be a change that it does not know of. The legs are those of a table whose
 * bitmaps they are, a live one: bkc_state_postsuspend() waits for who has found
 * it here. There is none before the first is resumed, and no need while all is
 * suspended: nothing has been written.
 */
static struct volume bitmaps_volume(struct bkc_meta *meta)
{
	struct bkc_state *s = meta->s;
	struct volume v = { .s = s };
	struct bkc_table *t, *found = NULL;
	int leg;

	/* Nor can a leg that is suspended as well be flushed. */
	if (READ_ONCE(meta->closed))
		return v;
	mutex_lock(&s->tables_lock);
	list_for_each_entry(t, &s->tables, list)
		if (!found || READ_ONCE(t->live))
			found = t;
	if (found && found->of)
		found = found->of;
	if (found) {
		v.s = found->s;
		/* It goes on without its copy, and so do its bitmaps. */
		v.legs = READ_ONCE(v.s->route) == BKC_ROUTE_TOP ? BIT(BKC_TOP) :
								   BIT(BKC_BASE);
		for (leg = 0; leg < BKC_LEGS; leg++)
			v.bdev[leg] = found->dev[leg] ? found->dev[leg]->bdev : NULL;
	}
	mutex_unlock(&s->tables_lock);
	return v;
}

static struct volume volume_of(struct bkc_meta *meta)
{
	struct bkc_state *s = meta->s;
	struct volume v = { .s = s, .legs = legs_written(s) };

	if (bkc_meta_has_bitmaps(meta))
		return bitmaps_volume(meta);
	memcpy(v.bdev, s->bdev, sizeof(v.bdev));
	return v;
}

/*
 * Base is written to no more, and may still hold in its cache what was written
 * before we were there: the first flush is for that, too. Who comes while it is
 * under way, or after it has failed, waits for the next.
 */
static int flush_base(struct bkc_state *s)
{
	int r;

	if (!READ_ONCE(s->base_unflushed))
		return 0;
	r = blkdev_issue_flush(s->bdev[BKC_BASE]);
	if (r)
		bkc_leg_error(s, BKC_BASE, errno_to_blk_status(r), false);
	else
		WRITE_ONCE(s->base_unflushed, false);
	return r;
}

/*
 * Step 3. @epoch: of top, before step 2. "In both" must not be said of what a
 * flush of somebody else's has failed for, see bkc_flush_top().
 */
static int flush_legs(struct bkc_meta *meta, u32 epoch)
{
	const struct volume v = volume_of(meta);
	struct bkc_state *s = v.s;
	int leg, r;

	/* Where what was written is has to be durable as well. */
	if (s != meta->s && s->mode->durable)
		return bkc_meta_commit(s->meta) ?: flush_base(s);
	for (leg = 0; leg < BKC_LEGS; leg++) {
		if (!(v.legs & BIT(leg)))
			continue;
		if (leg == BKC_TOP && bkc_has_dual_writes(s->mode) &&
		    READ_ONCE(s->route) == BKC_ROUTE_MAP) {
			r = bkc_flush_top(s, epoch);
			if (r)
				return r;
			continue;
		}
		r = s->mode->preserves && leg == BKC_TOP ?
		    bkc_flush_store(s) : bkc_flush_leg(s, leg, v.bdev[leg]);
		if (r) {
			if (s->mode->preserves && leg == BKC_TOP)
				bkc_backup_break(s, BKC_BY_POLICY, "top failed");
			bkc_leg_error(s, leg, errno_to_blk_status(r),
				      s->mode->durable && bkc_lost_note(s, leg));
			return r;
		}
	}
	return 0;
}

struct batch {
	struct completion done;
	atomic_t pending;
	blk_status_t status;
};

static void batch_put(struct batch *batch)
{
	if (atomic_dec_and_test(&batch->pending))
		complete(&batch->done);
}

static void batch_endio(struct bio *bio)
{
	struct batch *batch = bio->bi_private;

	if (bio->bi_status)
		batch->status = bio->bi_status;
	bio_put(bio);
	batch_put(batch);
}

/*
 * Steps 4 and 5, of the images of @nr sectors. Of meta->wq. Each goes to the slot
 * that holds its older generation; one that failed goes there again, so the newer
 * is never lost. Returns 0 or an errno, and health is META_RO.
 */
static int write_batch(struct bkc_meta *meta, const u64 *index, unsigned int nr)
{
	blk_opf_t opf = REQ_OP_WRITE | BKC_WAITED_FOR | REQ_META;
	struct batch batch = { .status = BLK_STS_OK };
	struct blk_plug plug;
	unsigned int i;
	int r;

	init_completion(&batch.done);
	atomic_set(&batch.pending, 1);
	if (nr == 1)
		opf |= REQ_FUA;
	blk_start_plug(&plug);
	for (i = 0; i < nr; i++) {
		u64 slot = (meta->generation[index[i]] + 1) % 2;
		struct bio *bio = bio_alloc_bioset(meta->bdev, 1, opf, GFP_NOIO,
						   &meta->bios);

		bio->bi_iter.bi_sector = (meta->first_exact + 2 * index[i] +
					  slot) << BKC_META_SECTOR_SHIFT;
		__bio_add_page(bio, meta->images[i], PAGE_SIZE, 0);
		bio->bi_end_io = batch_endio;
		bio->bi_private = &batch;
		atomic_inc(&batch.pending);
		submit_bio(bio);
	}
	batch_put(&batch);
	blk_finish_plug(&plug);
	wait_for_completion_io(&batch.done);
	r = blk_status_to_errno(batch.status);
	if (!r && nr > 1)
		r = blkdev_issue_flush(meta->bdev);
	if (r) {
		bkc_meta_failed(meta, "a commit", r);
		return r;
	}
	for (i = 0; i < nr; i++)
		meta->generation[index[i]]++;
	atomic64_inc(&meta->commits);
	return 0;
}

/* The images of a batch are durable, or to be taken again. */
static void settle(struct bkc_meta *meta, const u64 *index, unsigned int nr,
		   bool ok)
{
	unsigned int i;

	/* Or one is published between the two, and its bit is taken for settled. */
	spin_lock_irq(&meta->lock);
	for (i = 0; i < nr; i++) {
		if (!ok)
			set_bit(index[i], meta->dirty);
		else if (!test_bit(index[i], meta->dirty))
			clear_bit(index[i], meta->unsettled);
	}
	spin_unlock_irq(&meta->lock);
}

/*
 * bkc_drop_top() is at it, or has been, since the commit began: the images may say
 * "in both" of what a flush that failed has lost. Who finds top not suspect any
 * more sees here what was said before that.
 */
static int look_for_reset(struct bkc_meta *meta, u32 resets)
{
	return READ_ONCE(meta->resets) == resets ? 0 : -EAGAIN;
}

/* Steps 2 to 5. */
static int commit(struct bkc_meta *meta, bool everything)
{
	u64 index[BKC_META_BATCH], next = 0, wanted;
	u32 epoch = READ_ONCE(meta->s->top_epoch);
	bool one_way = xchg(&meta->one_way, false);
	unsigned int nr, flushed = 0;
	u32 resets;
	int r;

	r = bkc_lost_settle(meta, one_way);
	if (r)
		return r;
	/* Whoever publishes now will have said what is dirty. */
	spin_lock_irq(&meta->lock);
	wanted = meta->wanted;
	resets = meta->resets_done;
	spin_unlock_irq(&meta->lock);
	everything |= wanted != meta->durable;
	if (everything && READ_ONCE(meta->health) == BKC_HEALTH_META_RO)
		r = -EIO;
	if (everything) {
		while (!r && (nr = take_batch(meta, &next, index))) {
			r = flush_legs(meta, epoch) ?: bkc_lost_look(meta) ?:
			    look_for_reset(meta, resets) ?:
			    write_batch(meta, index, nr);
			settle(meta, index, nr, !r);
			flushed++;
		}
	}
	if (!r && !flushed)
		r = flush_legs(meta, epoch) ?: look_for_reset(meta, resets);
	if (!r)
		WRITE_ONCE(meta->durable, wanted);
	/* They are still to be made durable. */
	if (one_way && (r || !everything))
		WRITE_ONCE(meta->one_way, true);
	if (r)
		bkc_lost_settle(meta, one_way);
	if (!r && everything)
		/* Pairs with bkc_meta_is_reset(): what was dirty is written. */
		smp_store_release(&meta->resets_durable, resets);
	return r;
}

void bkc_meta_commit_work(struct work_struct *work)
{
	struct bkc_meta *meta = container_of(work, struct bkc_meta, commit_work);
	struct syncer *syncer, *next;
	struct bio_list waiters, flushes;
	LIST_HEAD(syncers);
	struct bio *bio;
	int r, r_flush = 0;

	/* Step 1 */
	spin_lock_irq(&meta->lock);
	waiters = meta->waiters;
	bio_list_init(&meta->waiters);
	list_splice_init(&meta->syncers, &syncers);
	spin_unlock_irq(&meta->lock);
	if (bio_list_empty(&waiters) && list_empty(&syncers))
		return;

	r = commit(meta, !list_empty(&syncers));

	/* Step 6 */
	bio_list_init(&flushes);
	while ((bio = bio_list_pop(&waiters))) {
		/* A write with FUA asks for its own data, and no more. */
		if (bkc_io_of(bio)->flush)
			bio_list_add(&flushes, bio);
		else
			release(bio, r);
	}
	list_for_each_entry_safe(syncer, next, &syncers, list) {
		syncer->error = r;
		complete(&syncer->done);
	}
	/* What a commit before could not flush is a flush's to tell. */
	if (!r && !bio_list_empty(&flushes))
		r_flush = xchg(&meta->s->lost, 0) ? -EIO : flush_base(meta->s);
	while ((bio = bio_list_pop(&flushes)))
		release(bio, r ?: r_flush);
}

/**
 * bkc_meta_commit - everything published so far becomes durable
 * @meta: metadata
 *
 * Process context; waits for I/O. Returns 0 or an errno.
 */
int bkc_meta_commit(struct bkc_meta *meta)
{
	struct syncer syncer;

	init_completion(&syncer.done);
	spin_lock_irq(&meta->lock);
	list_add_tail(&syncer.list, &meta->syncers);
	spin_unlock_irq(&meta->lock);
	queue_work(meta->wq, &meta->commit_work);
	wait_for_completion_io(&syncer.done);
	return syncer.error;
}

/* The same, of meta->wq itself, where nothing else commits meanwhile. */
int bkc_meta_commit_here(struct bkc_meta *meta)
{
	return commit(meta, true);
}

/* What background copies have done would be done again after a crash. */
void bkc_meta_lazy_work(struct work_struct *work)
{
	struct bkc_meta *meta = container_of(to_delayed_work(work),
					     struct bkc_meta, lazy_work);

	/* Like commit_work, of meta->wq: they cannot overlap. */
	if (find_first_bit(meta->dirty, meta->nr_exact) < meta->nr_exact &&
	    READ_ONCE(meta->health) == BKC_HEALTH_RW &&
	    commit(meta, true) == -EAGAIN)
		queue_delayed_work(meta->wq, &meta->lazy_work, LAZY_DELAY);
}
