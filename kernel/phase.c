// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of phase while I/O goes on: pivot, abort, errors of a leg and what
 * their policy makes of them, and the events that tell of it.
 */
#include <linux/completion.h>
#include <linux/jiffies.h>

#include "backup.h"
#include "flush.h"
#include "meta.h"

#define PIVOT_FLUSH_MAX	(5 * HZ)	/* of top, while writes go on */
#define PIVOT_HOLD_MAX	(5 * HZ)	/* that writes are held, in all */
#define SETTLE_MAX	(10 * HZ)	/* for a leg that is left, in presuspend */
#define AGAIN_DELAY	(HZ / 10)

bool bkc_phase_copies(enum bkc_phase phase)
{
	return phase == BKC_PHASE_COPYING || phase == BKC_PHASE_SYNCED ||
	       phase == BKC_PHASE_STREAMING || phase == BKC_PHASE_MERGING ||
	       phase == BKC_PHASE_PRESERVING;
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
	__bkc_view_events(s);
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
	queue_delayed_work(s->copy_wq, &s->error_work, 0);
}

/*
 * Every block is base-only again; of a backup nothing is left. Process context.
 * False when another flush of top has failed meanwhile: to be done again.
 */
bool bkc_drop_top(struct bkc_state *s)
{
	bool done, told;
	u32 seen;

	if (s->mode->preserves) {
		bkc_backup_break(s, BKC_BY_POLICY, "writes may have gone past it");
		return true;
	}
	spin_lock_irq(&s->lock);
	seen = s->suspected;
	WRITE_ONCE(s->top_epoch, s->top_epoch + 1);
	told = s->phase == BKC_PHASE_SYNCED;
	if (told)
		s->phase = BKC_PHASE_COPYING;
	spin_unlock_irq(&s->lock);
	/* Writes admitted from the sync on are marked: the disk says "in both". */
	if (s->meta)
		bkc_meta_begin_reset(s->meta);
	/*
	 * A copy that saw the old epoch publishes under its bucket's lock:
	 * after this it has, and the reset takes it back.
	 */
	bkc_range_sync(s);
	bkc_map_reset(&s->map);
	if (s->meta)
		bkc_meta_dirty_all(s->meta);
	spin_lock_irq(&s->lock);
	done = s->suspected == seen;
	if (done)
		s->suspected_done = seen;
	spin_unlock_irq(&s->lock);
	bkc_copier_kick(s);
	if (told)
		bkc_event(s);
	return done;
}

static void apply_policy(struct bkc_state *s, enum bkc_leg leg, bool nospc)
{
	enum bkc_param_id id = leg == BKC_TOP ? BKC_PARAM_ON_TOP_ERROR :
						BKC_PARAM_ON_BASE_ERROR;
	enum bkc_policy policy = READ_ONCE(s->params.value[id]);
	const char *name = leg == BKC_TOP ? "top" : "base";
	dev_t base = s->number[BKC_BASE];

	if (policy == BKC_POLICY_ENOSPC)
		policy = nospc ? BKC_POLICY_STOP : BKC_POLICY_REPORT;
	/* There is no way back to base alone. */
	if (policy == BKC_POLICY_REPORT && s->mode->durable)
		policy = BKC_POLICY_STOP;
	switch (policy) {
	case BKC_POLICY_REPORT:
		if (s->mode->preserves)
			bkc_backup_break(s, BKC_BY_POLICY, "top failed");
		else if (!bkc_abort(s, BKC_BY_POLICY))
			DMERR_LIMIT("base %u:%u: %s failed: copy aborted",
				    MAJOR(base), MINOR(base), name);
		break;
	case BKC_POLICY_STOP:
		if (!bkc_pause(s, BKC_BY_POLICY))
			DMERR_LIMIT("base %u:%u: %s failed%s: copy paused",
				    MAJOR(base), MINOR(base), name,
				    nospc ? " (no space)" : "");
		break;
	default:
		DMERR_LIMIT("base %u:%u: %s failed: copy goes on",
			    MAJOR(base), MINOR(base), name);
		break;
	}
}

void bkc_error_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(to_delayed_work(work),
					   struct bkc_state, error_work);
	unsigned long flags;
	bool wait;

	/* A pivot that is under way queues us again at its end. */
	spin_lock_irq(&s->lock);
	wait = s->pivoting;
	s->erroring = !wait;
	spin_unlock_irq(&s->lock);
	if (wait)
		return;

	flags = xchg(&s->error_flags, 0);
	if (bkc_phase_copies(READ_ONCE(s->phase))) {
		if (flags & BIT(BKC_ERR_BASE_COPY))
			apply_policy(s, BKC_BASE, false);
		if (flags & (BIT(BKC_ERR_TOP) | BIT(BKC_ERR_TOP_NOSPC)))
			apply_policy(s, BKC_TOP, !(flags & BIT(BKC_ERR_TOP)));
		/* Fails flush after flush? Not without a pause between. */
		if (bkc_top_is_suspect(s) && !bkc_drop_top(s))
			queue_delayed_work(s->copy_wq, &s->error_work,
					   AGAIN_DELAY);
	}
	spin_lock_irq(&s->lock);
	s->erroring = false;
	spin_unlock_irq(&s->lock);
	bkc_event(s);
}

/*
 * ---- Where it begins
 */

/* How many blocks are where the copier would not leave them, or may be. */
u64 bkc_state_left(const struct bkc_state *s)
{
	u64 left = s->meta && READ_ONCE(s->meta->any_bad);
	int v;

	for (v = 0; v < BKC_VALID_NR; v++)
		if (s->mode->copy_states & BIT(v))
			left += v == BKC_IN_BASE ? bkc_map_base_only(&s->map) :
						   bkc_map_count(&s->map, v);
	return left;
}

/*
 * In preresume: nothing is in flight, and the map is loaded. The copier begins
 * again from the start. @ahead: of what is durable; the copier is at its end when
 * that has caught up, and says so.
 */
void bkc_state_set_mode(struct bkc_state *s, const struct bkc_mode *mode,
			bool ahead)
{
	spin_lock_irq(&s->lock);
	s->mode = mode;
	s->phase = !mode->has_copier || bkc_state_left(s) || ahead ?
		   mode->first_phase : mode->end_phase;
	s->cursor = 0;
	s->pass = 0;
	s->fruitless = 0;
	s->yield = false;
	spin_unlock_irq(&s->lock);
}

/* In preresume: the disk knows of an end that came before. */
void bkc_state_set_phase(struct bkc_state *s, enum bkc_phase phase)
{
	if (bkc_phase_copies(phase))
		return;
	spin_lock_irq(&s->lock);
	s->phase = phase;
	WRITE_ONCE(s->route, phase == BKC_PHASE_PIVOTED ? BKC_ROUTE_TOP :
							  BKC_ROUTE_BASE);
	spin_unlock_irq(&s->lock);
}

/*
 * ---- Pause, abort, pivot
 */

static int set_paused(struct bkc_state *s, bool paused, enum bkc_stopper by)
{
	bool retry;
	int r = 0;

	if (!s->mode->has_copier)
		return -EINVAL;
	spin_lock_irq(&s->lock);
	/* Counted, so that a line loaded before does not undo it. */
	if (by == BKC_BY_POLICY) {
		s->policy_pauses++;
		if (s->stopped_by != BKC_BY_POLICY)
			s->paused_before = s->params.paused;
	}
	/* What top has to take is one thing, that all of base goes there another. */
	retry = !paused && s->mode->preserves;
	if (retry && s->stopped_by == BKC_BY_POLICY && s->paused_before) {
		paused = true;
		by = BKC_BY_USER;
	}
	if (!bkc_phase_copies(s->phase))
		r = -EALREADY;
	else if (s->params.paused != paused || retry || by == BKC_BY_POLICY)
		s->stopped_by = by;
	if (!r)
		s->params.paused = paused;
	spin_unlock_irq(&s->lock);
	if (!r) {
		if (retry)
			bkc_backup_retry(s);
		bkc_copier_kick(s);
		bkc_event(s);
	}
	return r;
}

/* Process context. 0, -EINVAL without a copier, -EALREADY at an end. */
int bkc_pause(struct bkc_state *s, enum bkc_stopper by)
{
	return set_paused(s, true, by);
}

/* The same. */
int bkc_unpause(struct bkc_state *s)
{
	return set_paused(s, false, BKC_BY_NOBODY);
}

/**
 * bkc_abort - keep base, forget top
 * @s: state
 * @by: who wants it
 *
 * Process context: writes go to base alone from here on, those in flight end as
 * they began. Waits for nothing but, with metadata, one write there: top misses
 * writes from here on, and that has to be known before it does. Returns 0 (also
 * when aborted before), -EINVAL, -EBUSY while a pivot is under way, -EALREADY
 * after one, -EIO when the metadata cannot be written.
 */
int bkc_abort(struct bkc_state *s, enum bkc_stopper by)
{
	bool done;
	int r = 0;

	if (!s->mode->has_copier || s->mode->durable)
		return -EINVAL;
	spin_lock_irq(&s->lock);
	done = s->phase == BKC_PHASE_ABORTED;
	if (s->phase == BKC_PHASE_PIVOTED) {
		r = -EALREADY;
	} else if (s->pivoting) {
		r = -EBUSY;
	} else if (!done) {
		s->pivoting = true;
		s->aborting = true;
	}
	spin_unlock_irq(&s->lock);
	if (r || done)
		return r;
	if (s->meta)
		r = bkc_meta_write_super(s->meta, BKC_PHASE_ABORTED,
					 BLKCOPY_META_TOP_STALE, 0);
	spin_lock_irq(&s->lock);
	s->pivoting = false;
	s->aborting = false;
	if (!r) {
		s->stopped_by = by;
		s->phase = BKC_PHASE_ABORTED;
		WRITE_ONCE(s->route, BKC_ROUTE_BASE);
	}
	spin_unlock_irq(&s->lock);
	/* An error that came meanwhile has waited. */
	queue_delayed_work(s->copy_wq, &s->error_work, 0);
	if (r)
		return r;
	bkc_range_retry_all(s);
	bkc_copier_kick(s);
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

	if (!s->mode->has_copier || s->mode->durable || s->mode->preserves)
		return -EINVAL;
	spin_lock_irq(&s->lock);
	if (!bkc_phase_copies(s->phase))
		r = -EALREADY;
	else if (!s->live)
		r = -EAGAIN;
	else if (s->pivoting || s->pivot_out || s->erroring || s->error_flags ||
		 s->suspected != s->suspected_done ||
		 bkc_map_base_only(&s->map))
		r = -EBUSY;
	else
		s->pivoting = true;
	/* With the lock held: presuspend clears live, then flushes the work. */
	if (!r)
		queue_work(s->copy_wq, &s->pivot_work);
	spin_unlock_irq(&s->lock);
	return r;
}

/*
 * Writes are held from here to the end of the pivot. Waits for those in
 * flight, for a time: a leg that hangs must not hang every other write.
 */
static int hold_writes(struct bkc_state *s, unsigned long until)
{
	/*
	 * Pairs with the bucket locks: __admit reads hold under one, and
	 * bkc_range_quiet() takes each, so a write it does not see parks.
	 */
	WRITE_ONCE(s->hold, true);
	if (!wait_event_timeout(s->drain_wait, bkc_range_quiet(s),
				bkc_time_left(until)))
		return -ETIMEDOUT;
	return 0;
}

/*
 * A pivot's writes are held, top has everything. Is it so still? From here on
 * a flush of top that fails is the user's, as after a pivot.
 */
static int decide(struct bkc_state *s)
{
	int r = 0;

	spin_lock_irq(&s->lock);
	/* A dual write or a flush may have failed on top before the hold. */
	if (bkc_map_base_only(&s->map) || s->suspected != s->suspected_done)
		r = -EIO;
	s->deciding = !r;
	spin_unlock_irq(&s->lock);
	return r;
}

/*
 * The disk says that top is the volume, or says what it said before. Held
 * writes wait for it however long it takes: the answer decides where they go.
 */
static int decide_durably(struct bkc_state *s)
{
	if (!s->meta)
		return 0;
	return bkc_meta_write_super(s->meta, BKC_PHASE_PIVOTED,
				    BLKCOPY_META_BASE_STALE, 0);
}

/*
 * The route becomes top, or everything is as it was; held writes go. @out: the
 * pivot's flush is still out.
 */
static void end_pivot(struct bkc_state *s, int r, bool out)
{
	if (!r)
		r = decide(s) ?: decide_durably(s);
	spin_lock_irq(&s->lock);
	s->pivot_out = out;
	s->deciding = false;
	if (!r) {
		s->phase = BKC_PHASE_PIVOTED;
		s->stopped_by = BKC_BY_NOBODY;
		WRITE_ONCE(s->route, BKC_ROUTE_TOP);
	} else {
		s->phase = BKC_PHASE_COPYING;
	}
	s->pivoting = false;
	/* Pairs with the acquire in __admit(): the route first. */
	smp_store_release(&s->hold, false);
	spin_unlock_irq(&s->lock);
	bkc_range_retry_all(s);

	if (r)
		DMERR_LIMIT("base %u:%u: pivot failed (%d): copy goes on",
			    MAJOR(s->number[BKC_BASE]),
			    MINOR(s->number[BKC_BASE]), r);
	else if (s->meta)
		bkc_meta_repeat_super(s->meta);
	bkc_copier_kick(s);
	/* What failed meanwhile has waited for us; it raises the event too. */
	queue_delayed_work(s->copy_wq, &s->error_work, 0);
}

static bool is_settled(struct bkc_state *s)
{
	return bkc_range_quiet(s) && !atomic_read(&s->top_flushes[0]) &&
	       !atomic_read(&s->top_flushes[1]);
}

/**
 * bkc_finish - may the table come that leaves a leg behind?
 * @s: state, of a mode with a copier
 *
 * Process context; to be asked again. Returns 0, -EBUSY (not at its end) or
 * -EINPROGRESS: something is on its way still to a leg that nobody needs any more.
 */
int bkc_finish(struct bkc_state *s)
{
	if (s->mode->durable)
		return READ_ONCE(s->phase) == s->mode->end_phase ? 0 : -EBUSY;
	/* A broken backup's route changes once the disk says that it is broken. */
	if (s->mode->preserves ? READ_ONCE(s->phase) == BKC_PHASE_PRESERVING :
				 READ_ONCE(s->route) == BKC_ROUTE_MAP)
		return -EBUSY;
	/* A view's discard is counted, and then looks at the phase. */
	smp_mb();
	return !READ_ONCE(s->hold) && is_settled(s) ? 0 : -EINPROGRESS;
}

/**
 * bkc_settle - before the table that leaves a leg behind
 * @s: state
 *
 * In presuspend. After an abort or a pivot writes may still be out to a leg
 * nobody needs any more. dm would hold all I/O until they end; here it still
 * flows, so wait here, for a time.
 */
void bkc_settle(struct bkc_state *s)
{
	if (READ_ONCE(s->route) != BKC_ROUTE_MAP)
		wait_event_timeout(s->drain_wait, is_settled(s), SETTLE_MAX);
}

static void flush_endio(struct bio *bio)
{
	/* flush_top() waits, and flush_reap(). */
	complete_all(bio->bi_private);
}

/* On the pivot work's stack, which waits for it in the end. */
struct flush {
	struct bio bio;
	struct completion done;
	unsigned int gen;	/* from bkc_flush_begin() */
	bool out;
};

/* 0: it has ended, and flush_reap() says how. */
static int flush_top(struct bkc_state *s, struct flush *flush,
		     unsigned long until)
{
	init_completion(&flush->done);
	bio_init(&flush->bio, s->bdev[BKC_TOP], NULL, 0,
		 REQ_OP_WRITE | REQ_PREFLUSH | BKC_WAITED_FOR);
	flush->bio.bi_end_io = flush_endio;
	flush->bio.bi_private = &flush->done;
	flush->out = true;
	/* A commit meanwhile has to know: this may have had its answer. */
	flush->gen = bkc_flush_begin(s);
	submit_bio(&flush->bio);
	if (!wait_for_completion_io_timeout(&flush->done, bkc_time_left(until)))
		return -ETIMEDOUT;
	return 0;
}

static int flush_reap(struct bkc_state *s, struct flush *flush)
{
	blk_status_t status;

	wait_for_completion_io(&flush->done);
	flush->out = false;
	status = flush->bio.bi_status;
	bio_uninit(&flush->bio);
	if (status)
		bkc_top_suspect(s);
	bkc_flush_end(s, flush->gen);
	if (status)
		bkc_leg_error(s, BKC_TOP, status, true);
	return blk_status_to_errno(status);
}

/*
 *  1. Flush top while writes go on: the flush of step 3 has little to do then.
 *  2. Hold new writes, drain those in flight.
 *  3. Flush top: what was acknowledged is there now. Wait for all flushes that
 *     may have taken the answer that was meant for this one.
 *  4. All blocks in both, top not suspect: the metadata, if there is any, says
 *     so durably, and the route becomes top.
 * Writes are held for a bounded time, even if top never answers; then the pivot
 * has failed, and only this work waits on. Returns the step's error.
 */
static int pivot_steps(struct bkc_state *s, struct flush *flush)
{
	unsigned long until;
	int r;

	r = flush_top(s, flush, jiffies + PIVOT_FLUSH_MAX) ?:
	    flush_reap(s, flush);
	if (r)
		return r;
	until = jiffies + PIVOT_HOLD_MAX;
	r = hold_writes(s, until);
	if (r)
		return r;
	r = flush_top(s, flush, until) ?: flush_reap(s, flush);
	if (r)
		return r;
	return bkc_drain_flushes(s, until);
}

void bkc_pivot_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, pivot_work);
	struct flush flush = { };
	int r;

	r = pivot_steps(s, &flush);
	end_pivot(s, r, flush.out);
	if (!flush.out)
		return;
	/* An abort may come meanwhile, another pivot may not. */
	flush_reap(s, &flush);
	spin_lock_irq(&s->lock);
	s->pivot_out = false;
	spin_unlock_irq(&s->lock);
}
