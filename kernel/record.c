// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a backup has preserved, on a metadata device. A bit there that comes too
 * late is a view that shows younger data after a crash, so with
 * "backup_persistent" the order is that of intent, not that of exact bits:
 *
 *  1. the old data is in top (step 4 of backup.c);
 *  2. record_work takes all copies that have come so far. It adds their blocks to
 *     the images of one commit, which flushes top before it writes them;
 *  3. the copies publish their blocks in the map, and end: writes go to base.
 *
 * So the map never says more than the disk, and who reads it without a lock need
 * not ask. What is released (release.c) is said at once, as no view is to read
 * it from then on; a write that relies on it waits for the commit
 * (bkc_record_wait), a discard in top as well.
 *
 * A view that breaks is broken on the disk before a write goes that was not
 * preserved for (break_work): until then writes are held. Where the disk cannot be
 * told they are refused; that is the price of a view that a crash does not spoil.
 *
 * Without "backup_persistent" writes wait for nothing of this. The superblock says
 * so (BLKCOPY_META_UNORDERED), and after an end that was not clean the view is
 * broken.
 */
#include "backup.h"
#include "meta.h"

/*
 * ---- Copies
 */

/**
 * bkc_record_copy - a copy's data is in top
 * @copy: of a backup; its range is there
 *
 * Any context. False where nothing has to be durable first. Else it ends in
 * bkc_copy_recorded().
 */
bool bkc_record_copy(struct bkc_copy *copy)
{
	struct bkc_meta *meta = copy->s->meta;
	unsigned long flags;

	if (!bkc_meta_is_ordered(meta))
		return false;
	spin_lock_irqsave(&meta->record_lock, flags);
	list_add_tail(&copy->list, &meta->to_record);
	/* With the lock held: once it is taken from the list the state may go. */
	queue_work(meta->wq, &meta->record_work);
	spin_unlock_irqrestore(&meta->record_lock, flags);
	return true;
}

/* Which part of a copy's blocks an exact sector is of; 0: none. */
static u64 blocks_in(const struct bkc_copy *copy, u64 index, u64 *first)
{
	u64 end = min((index + 1) * BLKCOPY_META_BLOCKS,
		      copy->block + copy->nr_blocks);

	*first = max(index * BLKCOPY_META_BLOCKS, copy->block);
	return *first < end ? end - *first : 0;
}

/* Step 2, of a commit: what the map does not say yet. Of meta->wq. */
void bkc_record_capture(const struct bkc_meta *meta, u64 index,
			struct blkcopy_meta_exact *exact)
{
	const u64 one = BLKCOPY_META_IN_BOTH;
	struct bkc_copy *copy;
	u64 nr, first, at;

	list_for_each_entry(copy, &meta->recorded, list)
		for (nr = blocks_in(copy, index, &first); nr; nr--, first++) {
			/* It is base-only until it is published. */
			at = first - index * BLKCOPY_META_BLOCKS;
			exact->words[at / 32] |= cpu_to_le64(one << at % 32 * 2);
		}
}

static void add_to_commit(struct bkc_meta *meta, const struct bkc_copy *copy)
{
	u64 i = bkc_meta_index(copy->block);
	u64 last = bkc_meta_index(copy->block + copy->nr_blocks - 1);

	for (; i <= last; i++)
		set_bit(i, meta->dirty);
}

static void take(struct bkc_meta *meta, struct bio_list *discards)
{
	spin_lock_irq(&meta->record_lock);
	list_splice_tail_init(&meta->to_record, &meta->recorded);
	*discards = meta->discards;
	bio_list_init(&meta->discards);
	spin_unlock_irq(&meta->record_lock);
}

/* Steps 2 and 3. Of meta->wq, so no other commit takes images meanwhile. */
static void record_work(struct work_struct *work)
{
	struct bkc_meta *meta = container_of(work, struct bkc_meta, record_work);
	bool waits = xchg(&meta->waits, false);
	struct bkc_state *s = meta->s;
	struct bkc_copy *copy, *next;
	struct bio_list discards;
	LIST_HEAD(list);
	struct bio *bio;
	int r = -EIO;

	take(meta, &discards);
	list_for_each_entry(copy, &meta->recorded, list)
		add_to_commit(meta, copy);
	/* Closed, there is no copy; a discard does not become one of a closed disk. */
	if (READ_ONCE(meta->open)) {
		if (READ_ONCE(s->phase) == BKC_PHASE_PRESERVING)
			r = bkc_meta_commit_here(meta);
		if (r)
			bkc_backup_break(s, BKC_BY_POLICY, "metadata failed");
	}
	list_splice_init(&meta->recorded, &list);
	/* A write waits in its bucket; it is looked at when the copies have ended. */
	if (waits)
		bkc_range_retry_all(s);
	while ((bio = bio_list_pop(&discards))) {
		if (r)
			bio_io_error(bio);
		else
			submit_bio_noacct(bio);
	}
	/* The last of them may be the last touch of the state. */
	list_for_each_entry_safe(copy, next, &list, list)
		bkc_copy_recorded(copy, !r);
}

/*
 * ---- What is released
 */

/*
 * A view's discard, aimed at top: what is there is of no use once the disk says
 * that it is released. Any context.
 */
void bkc_record_discard(struct bkc_meta *meta, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&meta->record_lock, flags);
	bio_list_add(&meta->discards, bio);
	queue_work(meta->wq, &meta->record_work);
	spin_unlock_irqrestore(&meta->record_lock, flags);
}

/*
 * Bucket lock held: a write is parked because it relies on what is not durable.
 * After the next commit its bucket is looked at.
 */
void bkc_record_wait(struct bkc_meta *meta)
{
	/* Pairs with the xchg in record_work(): what it waits for was said before. */
	smp_store_release(&meta->waits, true);
	queue_work(meta->wq, &meta->record_work);
}

/*
 * ---- The view is broken
 */

/*
 * life_lock held, process context: the disk has been told that the view is broken,
 * or could not be (@r). The writes that wait for it may go, or are refused.
 */
static void told(struct bkc_meta *meta, int r)
{
	struct bkc_state *s = meta->s;

	if (r)
		DMERR("metadata on %pg: it does not say that the view is broken: first writes fail",
		      meta->bdev);
	spin_lock_irq(&s->lock);
	WRITE_ONCE(meta->refuses, r);
	WRITE_ONCE(s->route, r ? BKC_ROUTE_MAP : BKC_ROUTE_BASE);
	/* Pairs with the acquire in __admit(): the route first. */
	smp_store_release(&s->hold, false);
	spin_unlock_irq(&s->lock);
}

/* A commit may have failed that would not fail now. */
static int tell(struct bkc_meta *meta)
{
	return bkc_meta_try_super(meta, BKC_PHASE_BROKEN, 0);
}

static void break_work(struct work_struct *work)
{
	struct bkc_meta *meta = container_of(work, struct bkc_meta, break_work);
	struct bkc_state *s = meta->s;

	mutex_lock(&s->life_lock);
	/* Closed, the disk knows; or no write has gone, nor will before it does. */
	told(meta, meta->open ? tell(meta) : 0);
	mutex_unlock(&s->life_lock);
	bkc_backup_let_go(s);
}

/* Any context; the state's hold is set. */
void bkc_record_break(struct bkc_meta *meta)
{
	/* Not of copy_wq: who holds life_lock may wait for a work of that. */
	queue_work(meta->intent.wq, &meta->break_work);
}

/*
 * ---- Life
 */

/* At load: is there still a view? The phase that the disk stands for. */
enum bkc_phase bkc_record_phase(const struct bkc_meta *meta)
{
	u32 flags = le32_to_cpu(meta->super->flags);
	const char *why = NULL;

	if (le32_to_cpu(meta->super->phase) == BLKCOPY_META_PHASE_BROKEN)
		return BKC_PHASE_BROKEN;
	if (meta->any_bad)
		why = "what is preserved is not known of all blocks";
	else if (flags & BLKCOPY_META_TOP_STALE)
		why = "writes may have gone past it";
	else if ((flags & BLKCOPY_META_UNORDERED) && !(flags & BLKCOPY_META_CLEAN))
		why = "its end was not a clean one, and it was not made to survive that";
	if (!why)
		return BKC_PHASE_PRESERVING;
	DMERR("metadata on %pg: %s: the view is broken", meta->bdev, why);
	return BKC_PHASE_BROKEN;
}

/* Does the disk say that the view is broken, or will that follow when it is read? */
static bool is_said_broken(const struct bkc_meta *meta)
{
	u32 flags = le32_to_cpu(meta->super->flags);

	return le32_to_cpu(meta->super->phase) == BLKCOPY_META_PHASE_BROKEN ||
	       (flags & BLKCOPY_META_TOP_STALE) ||
	       ((flags & BLKCOPY_META_UNORDERED) && !(flags & BLKCOPY_META_CLEAN));
}

/*
 * In preresume, life_lock held, nothing in flight: what the table asks for is in
 * force. @said: the phase the disk was told of. @r: 0, or it could not be told, and
 * may go on to say that all was in good order: then writes wait for it.
 */
void bkc_record_open(struct bkc_meta *meta, bool persistent,
		     enum bkc_phase said, int r)
{
	struct bkc_state *s = meta->s;
	bool broken;

	/* Who breaks the view behind this finds it open, and tells. */
	spin_lock_irq(&s->lock);
	WRITE_ONCE(meta->ordered, persistent || r);
	WRITE_ONCE(meta->open, true);
	broken = s->phase == BKC_PHASE_BROKEN;
	if (broken)
		WRITE_ONCE(s->hold, true);
	spin_unlock_irq(&s->lock);
	if (!broken)
		return;
	if (said != BKC_PHASE_BROKEN)
		r = tell(meta);
	told(meta, is_said_broken(meta) ? 0 : r);
}

/*
 * In postsuspend, life_lock held: the disk says that it is not in use. A discard of
 * a view may still come.
 */
void bkc_record_close(struct bkc_meta *meta)
{
	WRITE_ONCE(meta->open, false);
	flush_work(&meta->record_work);
}

void bkc_record_init(struct bkc_meta *meta)
{
	spin_lock_init(&meta->record_lock);
	INIT_LIST_HEAD(&meta->to_record);
	INIT_LIST_HEAD(&meta->recorded);
	bio_list_init(&meta->discards);
	INIT_WORK(&meta->record_work, record_work);
	INIT_WORK(&meta->break_work, break_work);
}

/* No I/O is in flight. record_work ends with its workqueue. */
void bkc_record_exit(struct bkc_meta *meta)
{
	cancel_work_sync(&meta->break_work);
}
