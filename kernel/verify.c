// SPDX-License-Identifier: GPL-2.0-only
/*
 * "verify start": compares the legs where both are valid. A run of blocks at a
 * time, which writes wait for; what differs is counted and told, and left as it
 * is. One at a time, from the first block to the last; a suspend interrupts it.
 *
 * The steps: next_run registers a run in the range lock; begin_reads, when the
 * writes in flight over it have ended; compare, when both legs are read.
 */
#include <linux/highmem.h>
#include <linux/string.h>

#include "verify.h"

#define RUN_SECTORS	256U
#define BUSY_DELAY	(HZ / 50)
#define TOLD_MAX	8	/* blocks named in the log */

/* Does it go on? No more when no table is live, and presuspend waits for that. */
static bool may_go_on(struct bkc_verify *v)
{
	struct bkc_state *s = v->s;
	bool may;

	spin_lock_irq(&s->lock);
	may = s->live && s->route == BKC_ROUTE_MAP;
	v->out = may;
	/* Pivoted or aborted: there is nothing left to compare. */
	if (s->route != BKC_ROUTE_MAP)
		v->state = BKC_VERIFIED;
	spin_unlock_irq(&s->lock);
	if (!may)
		wake_up(&s->copy_wait);
	return may;
}

static void ended(struct bkc_verify *v)
{
	struct bkc_state *s = v->s;

	spin_lock_irq(&s->lock);
	v->state = BKC_VERIFIED;
	v->out = false;
	spin_unlock_irq(&s->lock);
	DMINFO("base %u:%u: verify: %llu blocks compared, %llu differ, %llu could not be read",
	       MAJOR(s->number[BKC_BASE]), MINOR(s->number[BKC_BASE]),
	       v->compared, v->differ, v->failed);
	bkc_event(s);
	/* The last touch of s: bkc_verify_stop() waits. */
	wake_up(&s->copy_wait);
}

static void next_run(struct bkc_verify *v)
{
	struct bkc_state *s = v->s;
	unsigned int shift = s->map.block_shift;
	enum bkc_valid valid;
	u64 nr;

	while (may_go_on(v)) {
		v->cursor = bkc_map_find(&s->map, v->cursor, s->map.nr_blocks,
					 BIT(BKC_IN_BOTH));
		if (v->cursor >= s->map.nr_blocks) {
			ended(v);
			return;
		}
		nr = min_t(u64, max(RUN_SECTORS >> shift, 1U),
			   s->map.nr_blocks - v->cursor);
		nr = bkc_map_run(&s->map, v->cursor, nr, &valid);
		nr = min_t(u64, nr, (BKC_REGION_SECTORS >> shift) -
				    (v->cursor & ((BKC_REGION_SECTORS >> shift) - 1)));
		if (bkc_range_begin_verify(s, v->leg[BKC_BASE], v->cursor, nr)) {
			/* Queued by the end of a write, it may have begun already. */
			queue_work(s->copy_wq, &v->leg[BKC_BASE]->work);
			return;
		}
		/* Being copied, or just written: let that be over. */
		if (bkc_map_run(&s->map, v->cursor, 1, &valid) &&
		    valid == BKC_IN_BOTH) {
			queue_delayed_work(s->copy_wq, &v->again, BUSY_DELAY);
			return;
		}
		cond_resched();
	}
}

static void again_work(struct work_struct *work)
{
	next_run(container_of(to_delayed_work(work), struct bkc_verify, again));
}

static void read_endio(struct bio *bio)
{
	struct bkc_verify *v = bio->bi_private;
	struct bkc_copy *copy = v->leg[BKC_BASE];

	if (bio->bi_status)
		v->bad = true;
	bio_put(bio);
	if (!atomic_dec_and_test(&v->pending))
		return;
	/* Pairs with the xchg in verify_work(): what was read is there. */
	smp_store_release(&copy->step, BKC_STEP_SCAN);
	queue_work(v->s->copy_wq, &copy->work);
}

static void begin_reads(struct bkc_verify *v)
{
	unsigned int sectors = v->leg[BKC_BASE]->range.end -
			       v->leg[BKC_BASE]->range.start;
	int leg;

	v->bad = false;
	atomic_set(&v->pending, BKC_LEGS);
	v->leg[BKC_TOP]->range.start = v->leg[BKC_BASE]->range.start;
	for (leg = 0; leg < BKC_LEGS; leg++) {
		struct bio *bio = bkc_copy_bio(v->leg[leg], leg, 0, sectors,
					       REQ_OP_READ, read_endio);

		bio->bi_private = v;
		submit_bio_noacct(bio);
	}
}

/* In sectors of the buffers. */
static bool equal(struct bkc_verify *v, unsigned int from, unsigned int to)
{
	const unsigned int a_page = PAGE_SIZE >> SECTOR_SHIFT;

	while (from < to) {
		unsigned int skip = from % a_page, n = min(to - from, a_page - skip);
		void *base = kmap_local_page(v->leg[BKC_BASE]->pages[from / a_page]);
		void *top = kmap_local_page(v->leg[BKC_TOP]->pages[from / a_page]);
		bool same = !memcmp(base + (skip << SECTOR_SHIFT),
				    top + (skip << SECTOR_SHIFT),
				    n << SECTOR_SHIFT);

		kunmap_local(top);
		kunmap_local(base);
		if (!same)
			return false;
		from += n;
	}
	return true;
}

static void count_difference(struct bkc_verify *v, u64 block)
{
	enum bkc_valid valid;

	/* In a stream a write does not wait for us: then it is in top alone. */
	bkc_map_run(&v->s->map, block, 1, &valid);
	if (valid != BKC_IN_BOTH)
		return;
	if (v->differ++ < TOLD_MAX)
		DMERR("base %u:%u: verify: block %llu differs from top",
		      MAJOR(v->s->number[BKC_BASE]),
		      MINOR(v->s->number[BKC_BASE]), block);
	if (v->differ == 1)
		bkc_event(v->s);
}

static void compare(struct bkc_verify *v)
{
	struct bkc_copy *copy = v->leg[BKC_BASE];
	unsigned int sectors = copy->range.end - copy->range.start;
	unsigned int shift = v->s->map.block_shift, i;

	for (i = 0; !v->bad && i < copy->nr_blocks; i++)
		if (!equal(v, i << shift, min((i + 1) << shift, sectors)))
			count_difference(v, copy->block + i);
	if (v->bad)
		v->failed += copy->nr_blocks;
	else
		v->compared += copy->nr_blocks;
	v->cursor = copy->block + copy->nr_blocks;
	bkc_range_end_copy(v->s, copy, false);
	next_run(v);
}

/* Of leg[BKC_BASE]. Takes the step that is due, once. */
static void verify_work(struct work_struct *work)
{
	struct bkc_copy *copy = container_of(work, struct bkc_copy, work);
	struct bkc_verify *v = copy->s->verify;

	if (READ_ONCE(copy->step) == BKC_STEP_WAIT) {
		if (bkc_range_copy_ready(copy->s, copy))
			begin_reads(v);
	} else if (cmpxchg(&copy->step, BKC_STEP_SCAN, BKC_STEP_BUSY) ==
		   BKC_STEP_SCAN) {
		compare(v);
	}
}

static struct bkc_verify *verify_alloc(struct bkc_state *s)
{
	unsigned int sectors = max(RUN_SECTORS, 1U << s->map.block_shift);
	struct bkc_verify *v = kzalloc(sizeof(*v), GFP_NOIO);
	int leg;

	if (!v)
		return NULL;
	v->s = s;
	INIT_DELAYED_WORK(&v->again, again_work);
	for (leg = 0; leg < BKC_LEGS; leg++) {
		v->leg[leg] = bkc_copy_alloc(s, sectors, GFP_NOIO, verify_work);
		if (!v->leg[leg])
			goto bad;
	}
	return v;
bad:
	if (v->leg[BKC_BASE])
		bkc_copy_free(v->leg[BKC_BASE]);
	kfree(v);
	return NULL;
}

static bool has_both(const struct bkc_mode *mode)
{
	return mode->has_copier && !mode->preserves &&
	       mode->copied[BKC_IN_BASE] == BKC_IN_BOTH;
}

/**
 * bkc_verify_start - compare the legs
 * @s: state
 *
 * Process context, tables_lock held; answers at once. Returns 0, -EINVAL in a
 * mode without blocks in both, -EALREADY when a leg is out of use, -EAGAIN while
 * suspended, -EBUSY while it runs, -ENOMEM.
 */
int bkc_verify_start(struct bkc_state *s)
{
	struct bkc_verify *v;
	int r = 0;

	if (!has_both(s->mode))
		return -EINVAL;
	if (!s->verify)
		s->verify = verify_alloc(s);
	v = s->verify;
	if (!v)
		return -ENOMEM;
	spin_lock_irq(&s->lock);
	if (s->route != BKC_ROUTE_MAP)
		r = -EALREADY;
	else if (!s->live)
		r = -EAGAIN;
	else if (v->out || v->state == BKC_VERIFYING)
		r = -EBUSY;
	if (!r) {
		v->out = true;
		v->state = BKC_VERIFYING;
		v->cursor = 0;
		v->compared = 0;
		v->differ = 0;
		v->failed = 0;
		queue_delayed_work(s->copy_wq, &v->again, 0);
	}
	spin_unlock_irq(&s->lock);
	return r;
}

/* In presuspend, no table is live. It goes on at bkc_verify_resume(). */
void bkc_verify_stop(struct bkc_state *s)
{
	if (s->verify)
		wait_event(s->copy_wait, !READ_ONCE(s->verify->out));
}

/* In resume. */
void bkc_verify_resume(struct bkc_state *s)
{
	struct bkc_verify *v = s->verify;

	if (!v)
		return;
	spin_lock_irq(&s->lock);
	if (v->state == BKC_VERIFYING && !v->out) {
		v->out = true;
		queue_delayed_work(s->copy_wq, &v->again, 0);
	}
	spin_unlock_irq(&s->lock);
}

/* Process context; no I/O is in flight. */
void bkc_verify_exit(struct bkc_state *s)
{
	struct bkc_verify *v = s->verify;
	int leg;

	if (!v)
		return;
	cancel_delayed_work_sync(&v->again);
	for (leg = 0; leg < BKC_LEGS; leg++)
		bkc_copy_free(v->leg[leg]);
	kfree(v);
	s->verify = NULL;
}
