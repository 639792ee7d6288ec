// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of phase while I/O goes on: pivot, abort, errors of a leg and what
 * their policy makes of them, and the events that tell of it.
 */
#include <linux/jiffies.h>

#include "bkc.h"

#define PIVOT_DRAIN_MAX	(5 * HZ)

bool bkc_phase_copies(enum bkc_phase phase)
{
	return phase == BKC_PHASE_COPYING || phase == BKC_PHASE_SYNCED;
}

/*
 * ---- Events
 */

/* Process context: dm_table_event takes a mutex. */
void bkc_event_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, event_work);
	struct bkc_table *t;

	mutex_lock(&s->tables_lock);
	list_for_each_entry(t, &s->tables, list)
		dm_table_event(t->ti->table);
	mutex_unlock(&s->tables_lock);
}

/* Tell whoever waits for events. Any context. */
void bkc_event(struct bkc_state *s)
{
	queue_work(s->copy_wq, &s->event_work);
}

/*
 * ---- Errors of a leg
 */

/*
 * Is it the leg's failure? Not when it cannot do what was asked (the caller
 * learns that and does without), or when a NOWAIT bio would have waited.
 */
bool bkc_error_counts(blk_status_t status, struct bio *bio)
{
	switch (status) {
	case BLK_STS_AGAIN:
	case BLK_STS_RESOURCE:
		return false;
	case BLK_STS_NOTSUPP:
	case BLK_STS_TARGET:
		return bio_op(bio) != REQ_OP_DISCARD &&
		       bio_op(bio) != REQ_OP_WRITE_ZEROES;
	default:
		return true;
	}
}

/**
 * bkc_leg_error - count an error of a leg, have its policy act
 * @s: state
 * @leg: the leg
 * @status: what it returned
 * @by_copy: a copy's own I/O, not a user's
 *
 * Any context. The blocks concerned are base-only already. A user's error of
 * base is the user's: counted and told, nothing else.
 */
void bkc_leg_error(struct bkc_state *s, enum bkc_leg leg, blk_status_t status,
		   bool by_copy)
{
	atomic_inc(&s->errors[leg]);
	if (leg == BKC_TOP)
		set_bit(status == BLK_STS_NOSPC ? BKC_ERR_TOP_NOSPC :
			BKC_ERR_TOP, &s->error_flags);
	else if (by_copy)
		set_bit(BKC_ERR_BASE_COPY, &s->error_flags);
	queue_work(s->copy_wq, &s->error_work);
}

/*
 * A flush of top failed: what it had cached may be gone, so no block is known
 * to be in both. Any context; to be followed by bkc_leg_error(). From here
 * until drop_top() there is no pivot and no copy.
 */
void bkc_top_suspect(struct bkc_state *s)
{
	unsigned long flags;

	spin_lock_irqsave(&s->lock, flags);
	s->top_suspect = true;
	spin_unlock_irqrestore(&s->lock, flags);
}

/* Every block is base-only again. Process context. */
void bkc_drop_top(struct bkc_state *s)
{
	spin_lock_irq(&s->lock);
	WRITE_ONCE(s->top_epoch, s->top_epoch + 1);
	if (s->phase == BKC_PHASE_SYNCED)
		s->phase = BKC_PHASE_COPYING;
	spin_unlock_irq(&s->lock);
	/*
	 * A copy that saw the old epoch publishes under its bucket's lock:
	 * after this it has, and the reset below takes it back.
	 */
	bkc_range_sync(s);
	bkc_map_reset(&s->map);
	spin_lock_irq(&s->lock);
	s->top_suspect = false;
	spin_unlock_irq(&s->lock);
	bkc_copier_kick(s);
}

static void apply_policy(struct bkc_state *s, enum bkc_leg leg, bool nospc)
{
	enum bkc_param_id id = leg == BKC_TOP ? BKC_PARAM_ON_TOP_ERROR :
						BKC_PARAM_ON_BASE_ERROR;
	enum bkc_policy policy = READ_ONCE(s->params.value[id]);
	const char *name = leg == BKC_TOP ? "top" : "base";

	if (policy == BKC_POLICY_ENOSPC)
		policy = nospc ? BKC_POLICY_STOP : BKC_POLICY_REPORT;
	switch (policy) {
	case BKC_POLICY_REPORT:
		if (!bkc_abort(s))
			DMERR_LIMIT("%s failed: copy aborted", name);
		break;
	case BKC_POLICY_STOP:
		if (!bkc_set_paused(s, true))
			DMERR_LIMIT("%s failed%s: copy paused", name,
				    nospc ? " (no space)" : "");
		break;
	default:
		DMERR_LIMIT("%s failed: copy goes on", name);
		break;
	}
}

void bkc_error_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, error_work);
	unsigned long flags = xchg(&s->error_flags, 0);

	if (bkc_phase_copies(READ_ONCE(s->phase))) {
		if (flags & BIT(BKC_ERR_BASE_COPY))
			apply_policy(s, BKC_BASE, false);
		if (flags & (BIT(BKC_ERR_TOP) | BIT(BKC_ERR_TOP_NOSPC)))
			apply_policy(s, BKC_TOP, !(flags & BIT(BKC_ERR_TOP)));
		if (READ_ONCE(s->top_suspect))
			bkc_drop_top(s);
	}
	bkc_event(s);
}

/*
 * ---- Pause, abort, pivot
 */

/* Process context. 0, -EINVAL without a copier, -EALREADY at an end. */
int bkc_set_paused(struct bkc_state *s, bool paused)
{
	int r = 0;

	if (!s->mode->has_copier)
		return -EINVAL;
	spin_lock_irq(&s->lock);
	if (bkc_phase_copies(s->phase))
		s->params.paused = paused;
	else
		r = -EALREADY;
	spin_unlock_irq(&s->lock);
	if (!r) {
		bkc_copier_kick(s);
		bkc_event(s);
	}
	return r;
}

/**
 * bkc_abort - keep base, forget top
 * @s: state
 *
 * Process context, does not wait: writes go to base alone from here on, those
 * in flight end as they began. Returns 0 (also when aborted before), -EINVAL,
 * -EBUSY while a pivot is under way, -EALREADY after one.
 */
int bkc_abort(struct bkc_state *s)
{
	int r = 0;

	if (!s->mode->has_copier)
		return -EINVAL;
	spin_lock_irq(&s->lock);
	if (s->phase == BKC_PHASE_PIVOTED)
		r = -EALREADY;
	else if (s->pivoting)
		r = -EBUSY;
	else
		s->phase = BKC_PHASE_ABORTED;
	if (!r)
		WRITE_ONCE(s->route, BKC_ROUTE_BASE);
	spin_unlock_irq(&s->lock);
	if (r)
		return r;
	bkc_range_retry_all(s);
	bkc_copies_trim(s);
	bkc_event(s);
	return 0;
}

/**
 * bkc_pivot - finish on top
 * @s: state
 *
 * Process context, answers at once; an event tells how it went. Returns 0 when
 * it is under way, -EINVAL, -EALREADY when pivoted or aborted, -EAGAIN while
 * suspended, -EBUSY when a block is not in both or a pivot is under way.
 */
int bkc_pivot(struct bkc_state *s)
{
	int r = 0;

	if (!s->mode->has_copier)
		return -EINVAL;
	spin_lock_irq(&s->lock);
	if (!bkc_phase_copies(s->phase))
		r = -EALREADY;
	else if (!s->live)
		r = -EAGAIN;
	else if (s->pivoting || s->top_suspect ||
		 s->phase != BKC_PHASE_SYNCED || bkc_map_base_only(&s->map))
		r = -EBUSY;
	else
		s->pivoting = true;
	spin_unlock_irq(&s->lock);
	if (!r)
		queue_work(s->copy_wq, &s->pivot_work);
	return r;
}

/*
 * Writes are held from here to the end of pivot_work. Waits for those in
 * flight, for a time: a leg that hangs must not hang every other write.
 */
static int hold_writes(struct bkc_state *s)
{
	/*
	 * Pairs with the bucket locks: __admit reads hold under one, and
	 * bkc_range_quiet() takes each, so a write it does not see parks.
	 */
	WRITE_ONCE(s->hold, true);
	if (!wait_event_timeout(s->drain_wait, bkc_range_quiet(s),
				PIVOT_DRAIN_MAX))
		return -ETIMEDOUT;
	/* One of them may have failed on top. */
	if (bkc_map_base_only(&s->map) || READ_ONCE(s->top_suspect))
		return -EAGAIN;
	return 0;
}

static int flush_top(struct bkc_state *s)
{
	int r = blkdev_issue_flush(s->bdev[BKC_TOP]);

	if (r) {
		bkc_top_suspect(s);
		bkc_leg_error(s, BKC_TOP, errno_to_blk_status(r), true);
	}
	return r;
}

/*
 *  1. Flush top while writes go on: the flush of step 3 has little to do then.
 *  2. Hold new writes, drain those in flight; all blocks must be in both.
 *  3. Flush top: what was acknowledged is there now.
 *  4. The route becomes top, and the held writes go.
 */
void bkc_pivot_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, pivot_work);
	int r;

	r = flush_top(s);
	if (!r)
		r = hold_writes(s);
	if (!r)
		r = flush_top(s);

	spin_lock_irq(&s->lock);
	if (!r) {
		s->phase = BKC_PHASE_PIVOTED;
		WRITE_ONCE(s->route, BKC_ROUTE_TOP);
	} else {
		s->phase = BKC_PHASE_COPYING;
	}
	s->pivoting = false;
	WRITE_ONCE(s->hold, false);
	spin_unlock_irq(&s->lock);
	bkc_range_retry_all(s);

	if (r)
		DMERR_LIMIT("pivot failed (%d): copy goes on", r);
	else
		bkc_copies_trim(s);
	bkc_copier_kick(s);
	bkc_event(s);
}
