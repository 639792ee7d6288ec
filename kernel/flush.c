// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flushes of top, a user's and our own. A device may tell of a loss but once, and
 * to whoever asks first: so those in flight are counted, and who has to know that
 * nothing was lost waits for all that may have had its answer.
 */
#include <linux/jiffies.h>

#include "flush.h"

#define FLUSH_DRAIN_MAX	HZ	/* for flushes of others, in a commit */

/*
 * A flush of top failed: what it had cached may be gone, so no block is known
 * to be in both. Any context; to be followed by bkc_leg_error(). From here
 * until bkc_drop_top() there is no pivot and no copy. False when it is too
 * late: top is all there is, and its failure is the user's.
 */
bool bkc_top_suspect(struct bkc_state *s)
{
	unsigned long flags;
	bool in_time;

	spin_lock_irqsave(&s->lock, flags);
	in_time = s->phase != BKC_PHASE_PIVOTED && !s->deciding;
	if (in_time)
		s->suspected++;
	spin_unlock_irqrestore(&s->lock, flags);
	return in_time;
}

struct own_flush {
	struct bio bio;
	struct completion done;
	struct bkc_state *s;
	enum bkc_leg leg;
};

static void own_flush_endio(struct bio *bio)
{
	struct own_flush *flush = container_of(bio, struct own_flush, bio);

	if (bio->bi_status)
		set_bit(flush->leg, &flush->s->lost);
	complete(&flush->done);
}

/**
 * bkc_flush_leg - a flush in nobody's name, of what users have written
 * @s: state
 * @leg: its leg
 * @bdev: and the leg's device
 *
 * Process context. A device may tell of a loss but once: that is noted before a
 * user's flush, which it answers next, can be acknowledged; or that user's next one
 * fails, see bkc_was_lost(). Returns 0 or an errno.
 */
int bkc_flush_leg(struct bkc_state *s, enum bkc_leg leg, struct block_device *bdev)
{
	struct own_flush flush = { .s = s, .leg = leg };
	int r;

	init_completion(&flush.done);
	bio_init(&flush.bio, bdev, NULL, 0,
		 REQ_OP_WRITE | REQ_PREFLUSH | BKC_WAITED_FOR);
	flush.bio.bi_end_io = own_flush_endio;
	submit_bio(&flush.bio);
	wait_for_completion_io(&flush.done);
	r = blk_status_to_errno(flush.bio.bi_status);
	bio_uninit(&flush.bio);
	return r;
}

/* Has a flush of our own failed there since the last time? Any context. */
bool bkc_was_lost(struct bkc_state *s, enum bkc_leg leg)
{
	return unlikely(READ_ONCE(s->lost) & BIT(leg)) &&
	       test_and_clear_bit(leg, &s->lost);
}

bool bkc_top_is_suspect(struct bkc_state *s)
{
	return READ_ONCE(s->suspected) != READ_ONCE(s->suspected_done);
}

/**
 * bkc_flush_begin - a flush is about to go to top
 * @s: state
 *
 * Any context. A pivot waits for all that began before its own flush ended: a
 * device may tell of a loss but once, and to whoever asks first. Returns what
 * bkc_flush_end() wants, after bkc_top_suspect() if it failed.
 */
unsigned int bkc_flush_begin(struct bkc_state *s)
{
	/*
	 * One that reads the old value late, when the pivot has counted, goes
	 * to top after the pivot's flush and cannot have taken its answer.
	 */
	unsigned int gen = READ_ONCE(s->flush_gen);

	atomic_inc(&s->top_flushes[gen]);
	return gen;
}

/* Any context. */
void bkc_flush_end(struct bkc_state *s, unsigned int gen)
{
	if (atomic_dec_and_test(&s->top_flushes[gen]) &&
	    wq_has_sleeper(&s->drain_wait))
		wake_up(&s->drain_wait);
}

static int drain_generation(struct bkc_state *s, unsigned int gen,
			    unsigned long until)
{
	if (!wait_event_timeout(s->drain_wait,
				!atomic_read(&s->top_flushes[gen]),
				bkc_time_left(until)))
		return -ETIMEDOUT;
	return 0;
}

/*
 * Waits for the flushes that began before the pivot's own had ended. They are
 * not held, as nothing they could be for is acknowledged meanwhile.
 */
static int __drain_flushes(struct bkc_state *s, unsigned long until)
{
	unsigned int gen = s->flush_gen;
	int r;

	/* Those a pivot that gave up has left behind; no new ones join them. */
	r = drain_generation(s, !gen, until);
	if (r)
		return r;
	WRITE_ONCE(s->flush_gen, !gen);
	return drain_generation(s, gen, until);
}

/* The same, one after the other. Process context. 0 or -ETIMEDOUT. */
int bkc_drain_flushes(struct bkc_state *s, unsigned long until)
{
	int r;

	mutex_lock(&s->flush_lock);
	r = __drain_flushes(s, until);
	mutex_unlock(&s->flush_lock);
	return r;
}

/*
 * The flush of top that bkc_flush_begin() has announced. Process context. Returns
 * 0, or an errno: it is told, and top is suspect.
 */
int bkc_flush_begun(struct bkc_state *s, unsigned int gen)
{
	int r = blkdev_issue_flush(s->bdev[BKC_TOP]);

	if (r)
		bkc_top_suspect(s);
	bkc_flush_end(s, gen);
	if (r)
		bkc_leg_error(s, BKC_TOP, errno_to_blk_status(r), true);
	return r;
}

/*
 * A flush of a backup's store. Nobody asks whether it has taken another's answer,
 * but who leaves the store behind waits for it. Process context.
 */
int bkc_flush_store(struct bkc_state *s)
{
	unsigned int gen = bkc_flush_begin(s);
	int r = blkdev_issue_flush(s->bdev[BKC_TOP]);

	bkc_flush_end(s, gen);
	return r;
}

/**
 * bkc_flush_top - what a copy has written is durable in top
 * @s: state
 * @epoch: bkc_state.top_epoch, read before the question was what is in both
 *
 * Process context. Other flushes may have taken the answer that was meant for
 * ours: waits for those, for a time. Returns 0, or the errno of a flush that
 * failed, or -EAGAIN: what was in both is in doubt, or may be.
 */
int bkc_flush_top(struct bkc_state *s, u32 epoch)
{
	int r = bkc_flush_begun(s, bkc_flush_begin(s));

	if (r)
		return r;
	r = bkc_drain_flushes(s, jiffies + FLUSH_DRAIN_MAX);
	if (r || epoch != READ_ONCE(s->top_epoch) || bkc_top_is_suspect(s))
		return -EAGAIN;
	return 0;
}
