// SPDX-License-Identifier: GPL-2.0-only
/*
 * A write of a part of a block that has to move. The steps, one function each:
 *
 *  1. bkc_merge: queued from map, which may not allocate.
 *  2. start: a buffer of one block; what base holds is read, or it is zeroes.
 *  3. filled: the user's data goes over it.
 *  4. One write of the whole block to the leg that is to have it.
 *  5. written: the block has moved, the user's write has ended.
 *
 * The block is held in the range lock since before step 1, so nothing changes
 * under it. Buffers are taken as they are to be had; one is always there, and
 * writes that find none wait for it in order: with no memory at all they go one
 * by one.
 */
#include <linux/slab.h>

#include "copy.h"
#include "meta.h"
#include "redirect.h"

/* Step 1. Any context. */
void bkc_merge(struct bkc_state *s, struct bio *bio)
{
	unsigned long flags;

	/* Its own I/O may wait, and nobody polls for it. */
	bio->bi_opf &= ~REQ_NOWAIT;
	bio_clear_polled(bio);
	spin_lock_irqsave(&s->merge_lock, flags);
	bio_list_add(&s->merges, bio);
	spin_unlock_irqrestore(&s->merge_lock, flags);
	queue_work(s->io_wq, &s->merge_work);
}

/* Any context. */
static void put_buffer(struct bkc_copy *copy)
{
	struct bkc_state *s = copy->s;
	unsigned long flags;
	bool waiting;

	spin_lock_irqsave(&s->merge_lock, flags);
	if (copy == s->merge_reserve)
		s->merge_reserve_busy = false;
	else
		list_add(&copy->list, &s->merge_used);
	waiting = !bio_list_empty(&s->merges);
	spin_unlock_irqrestore(&s->merge_lock, flags);
	if (waiting)
		queue_work(s->io_wq, &s->merge_work);
}

static void written(struct bio *bio)
{
	struct bkc_copy *copy = bio->bi_private;
	struct bio *user = copy->bio;
	blk_status_t status = bio->bi_status;

	bio_put(bio);
	if (unlikely(status) && !bkc_io_of(user)->tries)
		bkc_leg_error(copy->s, copy->s->mode->write_to, status, false);
	/* Step 5. The buffer first: the end of the bio may free us all. */
	put_buffer(copy);
	bkc_redirect_ended(user, status);
}

static unsigned int block_sectors(const struct bkc_copy *copy)
{
	return copy->range.end - copy->range.start;
}

/* Step 3: over what is there goes what the user wrote, or zeroes. */
static void lay_over(struct bkc_copy *copy)
{
	struct bio *bio = copy->bio;
	unsigned int at = dm_target_offset(bkc_io_of(bio)->table->ti,
					   bio->bi_iter.bi_sector) -
			  copy->range.start;

	if (bio_op(bio) == REQ_OP_WRITE_ZEROES)
		bkc_copy_fill_zeroes(copy, at, at + bio_sectors(bio));
	else
		bkc_copy_bio_data(copy, bio);
}

/* Steps 3 and 4 */
static void filled(struct bkc_copy *copy)
{
	const blk_opf_t keep = REQ_FUA | REQ_META | REQ_PRIO;
	blk_opf_t opf = (copy->bio->bi_opf & keep) | BKC_WAITED_FOR;
	struct bio *bio;

	lay_over(copy);
	bio = bkc_copy_bio(copy, copy->s->mode->write_to, 0, block_sectors(copy),
			   REQ_OP_WRITE | opf, written);
	bio->bi_ioprio = copy->bio->bi_ioprio;
	submit_bio_noacct(bio);
}

static void filled_work(struct work_struct *work)
{
	filled(container_of(work, struct bkc_copy, work));
}

static void read_endio(struct bio *bio)
{
	struct bkc_copy *copy = bio->bi_private;
	struct bio *user = copy->bio;
	blk_status_t status = bio->bi_status;

	bio_put(bio);
	if (unlikely(status)) {
		bkc_leg_error(copy->s, BKC_BASE, status, false);
		put_buffer(copy);
		bkc_redirect_ended(user, status);
		return;
	}
	queue_work(copy->s->io_wq, &copy->work);
}

/* Step 2 */
static void start(struct bkc_copy *copy, struct bio *user)
{
	struct bkc_state *s = copy->s;
	enum bkc_valid valid;
	struct bio *bio;

	copy->bio = user;
	copy->range.start = bkc_io_of(user)->range.start;
	copy->range.end = min(bkc_io_of(user)->range.end, s->map.len);
	bkc_map_run(&s->map, bkc_block_of(&s->map, copy->range.start), 1, &valid);
	if (valid != BKC_IN_BASE) {
		bkc_copy_fill_zeroes(copy, 0, block_sectors(copy));
		filled(copy);
		return;
	}
	bio = bkc_copy_bio(copy, BKC_BASE, 0, block_sectors(copy), REQ_OP_READ,
			   read_endio);
	bio->bi_ioprio = user->bi_ioprio;
	submit_bio_noacct(bio);
}

/* merge_lock held. A bio and a buffer for it, or NULL. */
static struct bkc_copy *__take(struct bkc_state *s, struct bkc_copy *fresh,
			       struct bio **bio)
{
	struct bkc_copy *copy = fresh;

	if (bio_list_empty(&s->merges))
		return NULL;
	if (!copy && !list_empty(&s->merge_used)) {
		copy = list_first_entry(&s->merge_used, struct bkc_copy, list);
		list_del(&copy->list);
	}
	if (!copy && !s->merge_reserve_busy) {
		s->merge_reserve_busy = true;
		copy = s->merge_reserve;
	}
	if (copy)
		*bio = bio_list_pop(&s->merges);
	return copy;
}

static void free_used(struct bkc_state *s)
{
	struct bkc_copy *copy, *next;
	LIST_HEAD(list);

	spin_lock_irq(&s->merge_lock);
	list_splice_init(&s->merge_used, &list);
	spin_unlock_irq(&s->merge_lock);
	list_for_each_entry_safe(copy, next, &list, list)
		bkc_copy_free(copy);
}

/* Of io_wq. Buffers that came back are kept while there is work for them. */
void bkc_merge_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, merge_work);
	const gfp_t gfp = GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN;
	struct bkc_copy *copy, *fresh;
	struct bio *bio;

	while (!bio_list_empty(&s->merges)) {
		fresh = NULL;
		if (list_empty(&s->merge_used))
			fresh = bkc_copy_alloc(s, 1U << s->map.block_shift, gfp,
					       filled_work);
		spin_lock_irq(&s->merge_lock);
		copy = __take(s, fresh, &bio);
		spin_unlock_irq(&s->merge_lock);
		if (!copy)
			break;
		/* It has been here before: its work may not be over yet. */
		if (copy != fresh)
			cancel_work_sync(&copy->work);
		start(copy, bio);
		fresh = NULL;
	}
	if (fresh)
		bkc_copy_free(fresh);
	free_used(s);
}

int bkc_merge_init(struct bkc_state *s)
{
	s->merge_reserve = bkc_copy_alloc(s, 1U << s->map.block_shift,
					  GFP_KERNEL, filled_work);
	return s->merge_reserve ? 0 : -ENOMEM;
}

/* Process context; no I/O is in flight. */
void bkc_merge_exit(struct bkc_state *s)
{
	cancel_work_sync(&s->merge_work);
	free_used(s);
	if (s->merge_reserve)
		bkc_copy_free(s->merge_reserve);
}
