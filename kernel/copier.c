// SPDX-License-Identifier: GPL-2.0-only
/*
 * The copier: which run is copied next, and when. One work item, so its cursor
 * and tokens need no lock.
 *
 * It goes over the map in passes. The first takes runs as long as it may and
 * gives way to every write (BKC_RANGE_COPY). What is left after it was being
 * written just then; the passes that follow take it in short runs that writes
 * wait for (BKC_RANGE_COPY_EXCL), so a copy always comes to an end; but nobody
 * waits for a top that fails, or in background mode.
 *
 * Whatever lets it go on kicks it: the end of a copy, a block that became
 * base-only, a message, a resume.
 */
#include <linux/jiffies.h>

#include "backup.h"
#include "flush.h"
#include "meta.h"

#define EXCL_RUN_SECTORS	512U	/* a write waits for 256 KiB at most */
#define BUSY_DELAY		(HZ / 50)
#define RETRY_DELAY		(HZ / 10)
#define RETRY_DELAY_MAX		(5 * HZ)
#define RATE_SLICES		4	/* a run is at most this part of a second */

/* Any context. */
void bkc_copier_kick(struct bkc_state *s)
{
	mod_delayed_work(s->copy_wq, &s->copier_work, 0);
}

/*
 * Any context, for what happens again and again: a block that is base-only
 * again because of a write. They are taken together.
 */
void bkc_copier_kick_soon(struct bkc_state *s)
{
	queue_delayed_work(s->copy_wq, &s->copier_work, BUSY_DELAY);
}

static bool may_run(struct bkc_state *s)
{
	bool may;

	spin_lock_irq(&s->lock);
	may = s->live && bkc_phase_copies(s->phase) && !s->pivoting &&
	      !s->params.paused && s->suspected == s->suspected_done &&
	      (!s->meta || (READ_ONCE(s->meta->health) == BKC_HEALTH_RW &&
			    !READ_ONCE(s->meta->any_bad)));
	spin_unlock_irq(&s->lock);
	return may;
}

/* Look again after @delay jiffies, or when kicked. */
static void later(struct bkc_state *s, unsigned long delay)
{
	queue_delayed_work(s->copy_wq, &s->copier_work, delay);
}

/*
 * ---- Rate: as asked for, and as measured
 */

/*
 * Jiffies until the next copy may start; 0: now. A copy is paid for when it
 * starts, on credit: the debt is a run at most, and no more than a second's
 * worth or a block, lest a rate that was lowered waits for the old one.
 */
static unsigned long rate_delay(struct bkc_state *s, u64 rate)
{
	s64 block = 1LL << (s->map.block_shift + SECTOR_SHIFT);
	s64 burst = max_t(s64, rate / RATE_SLICES, 1);
	unsigned long now = jiffies, elapsed;

	if (!rate) {
		s->tokens = 0;
		s->tokens_at = now;
		return 0;
	}
	/* A second's worth at most, so the product cannot overflow. */
	elapsed = min_t(unsigned long, now - s->tokens_at, HZ);
	s->tokens = max_t(s64, s->tokens, -max_t(s64, rate, block));
	s->tokens = min_t(s64, s->tokens + div_u64(rate * elapsed, HZ), burst);
	s->tokens_at = now;
	if (s->tokens > 0)
		return 0;
	/* In slices of a second: the rate may be raised meanwhile. */
	return clamp_t(u64, div64_u64((u64)-s->tokens * HZ, rate) + 1, 1, HZ);
}

static u64 rate_bytes(struct bkc_state *s)
{
	return (u64)READ_ONCE(s->params.value[BKC_PARAM_RATE]) << 10;
}

/* Any context. */
void bkc_copier_account(struct bkc_state *s, u64 bytes)
{
	atomic64_add(bytes, &s->copied);
}

/*
 * The rate over the last one to two seconds, kib/s. Marks move on only when
 * somebody asks, so a question after a long silence averages over it.
 */
u64 bkc_copier_rate_kib(struct bkc_state *s)
{
	u64 copied = atomic64_read(&s->copied), rate;
	unsigned long now = jiffies, span;

	spin_lock_irq(&s->rate_lock);
	if (time_after_eq(now, s->rate_at[1] + HZ)) {
		s->rate_bytes[0] = s->rate_bytes[1];
		s->rate_at[0] = s->rate_at[1];
		s->rate_bytes[1] = copied;
		s->rate_at[1] = now;
	}
	span = max(now - s->rate_at[0], 1UL);
	rate = div_u64(((copied - s->rate_bytes[0]) >> 10) * HZ, span);
	spin_unlock_irq(&s->rate_lock);
	return rate;
}

/*
 * ---- The end of the copy
 */

/* Synced no more. */
static void unsynced(struct bkc_state *s)
{
	bool changed;

	if (READ_ONCE(s->phase) != BKC_PHASE_SYNCED)
		return;
	spin_lock_irq(&s->lock);
	changed = s->phase == BKC_PHASE_SYNCED;
	if (changed)
		s->phase = BKC_PHASE_COPYING;
	spin_unlock_irq(&s->lock);
	if (changed)
		bkc_event(s);
}

/*
 * Everything is in both. "synced" is told after a flush, so that what was
 * copied does not hang on top's cache. Blocks that become base-only meanwhile
 * kick, and the copier comes again.
 */
static void synced(struct bkc_state *s)
{
	bool changed, pivoting;
	unsigned int gen;
	u32 epoch;

	if (READ_ONCE(s->phase) == BKC_PHASE_SYNCED)
		return;
	bkc_copies_trim(s);

	/* A pivot flushes itself, and kicks us if it fails. */
	spin_lock_irq(&s->lock);
	pivoting = s->pivoting;
	epoch = s->top_epoch;
	if (!pivoting)
		gen = bkc_flush_begin(s);
	spin_unlock_irq(&s->lock);
	if (pivoting)
		return;
	if (bkc_flush_begun(s, gen))
		return;

	spin_lock_irq(&s->lock);
	changed = s->phase == BKC_PHASE_COPYING && epoch == s->top_epoch &&
		  s->suspected == s->suspected_done &&
		  !bkc_map_base_only(&s->map);
	if (changed)
		s->phase = BKC_PHASE_SYNCED;
	spin_unlock_irq(&s->lock);
	if (changed)
		bkc_event(s);
}

/*
 * Modes with durable state: no block is left where it should not be, and none
 * goes back there. Said when it is durable: what is looked at comes before the
 * commit, or a block that goes on to where it should be meanwhile is not in that.
 */
static void moved(struct bkc_state *s)
{
	u32 clear = s->mode->mixes_base ? BLKCOPY_META_BASE_MIXED : 0;

	bkc_copies_trim(s);
	/* The counts of two states do not change at once; the map is exact. */
	if (bkc_map_find(&s->map, 0, s->map.nr_blocks, s->mode->copy_states) <
	    s->map.nr_blocks) {
		later(s, 0);
		return;
	}
	if (bkc_meta_commit(s->meta)) {
		later(s, RETRY_DELAY_MAX);
		return;
	}
	spin_lock_irq(&s->lock);
	s->phase = s->mode->end_phase;
	spin_unlock_irq(&s->lock);
	bkc_meta_write_super(s->meta, s->mode->end_phase, 0, clear);
	bkc_event(s);
}

/* Nothing is left to copy. */
static void all_copied(struct bkc_state *s)
{
	s->cursor = 0;
	s->pass = 0;
	s->yield = false;
	s->fruitless = 0;
	if (s->mode->durable)
		moved(s);
	else if (s->mode->preserves)
		bkc_backup_filled(s);
	else
		synced(s);
}

/* Too many passes brought nothing: pause, and let somebody look. */
static void stall(struct bkc_state *s)
{
	DMERR_LIMIT("base %u:%u: copy stalled and paused: %u passes copied nothing",
		    MAJOR(s->number[BKC_BASE]), MINOR(s->number[BKC_BASE]),
		    BLKCOPY_RETRY_PASSES);
	s->fruitless = 0;
	bkc_pause(s, BKC_BY_POLICY);
}

/*
 * Do writes wait for the copies of this pass? Not in the first, not for a top
 * that fails, and not in background mode, where they never do.
 */
static bool exclusive(const struct bkc_state *s)
{
	/* The copies that a backup meets are those that writes wait for. */
	return s->pass && !s->yield && !s->mode->preserves &&
	       s->params.value[BKC_PARAM_COPY_MODE] == BKC_COPY_DUAL;
}

/* The cursor is at the end and no copy is in flight: the next pass. */
static unsigned long next_pass(struct bkc_state *s)
{
	unsigned long delay = 0;

	spin_lock_irq(&s->lock);
	if (s->pass_copied || !s->pass_errors)
		s->fruitless = 0;
	else
		s->fruitless++;
	/* Nothing but blocks being written, and nobody is made to wait. */
	if (!s->pass_copied && !exclusive(s))
		delay = BUSY_DELAY;
	if (s->pass_errors)
		delay = min_t(unsigned long, RETRY_DELAY << s->fruitless,
			      RETRY_DELAY_MAX);
	s->yield = s->pass_errors;
	s->pass_errors = false;
	s->pass_copied = false;
	spin_unlock_irq(&s->lock);
	s->cursor = 0;
	s->pass++;
	return delay;
}

/*
 * ---- The next run
 */

static unsigned int run_wanted(struct bkc_state *s, u64 rate, u64 room)
{
	unsigned int block = 1U << s->map.block_shift;
	unsigned int sectors = s->params.value[BKC_PARAM_RUN] << 1;

	sectors = min_t(u64, sectors, room >> SECTOR_SHIFT);
	/* One by one, so that a bad block keeps no good one from being copied. */
	if (s->yield)
		return block;
	if (s->pass)
		sectors = min(sectors, EXCL_RUN_SECTORS);
	if (rate)
		sectors = min_t(u64, sectors,
				(rate / RATE_SLICES) >> SECTOR_SHIFT);
	return max(sectors, block);
}

/*
 * Start one copy at or after the cursor, of about @room bytes at most. Returns
 * false when there is nothing more to start now; somebody will kick.
 */
static bool start_one(struct bkc_state *s, u64 rate, u64 room)
{
	unsigned int sectors = run_wanted(s, rate, room), nr, left;
	unsigned int shift = s->map.block_shift;
	enum bkc_valid valid;
	struct bkc_copy *copy;
	bool alone;
	u64 block;

	block = bkc_map_find(&s->map, s->cursor, s->map.nr_blocks,
			     s->mode->copy_states);
	s->cursor = block;
	if (block == s->map.nr_blocks)
		return true;
	unsynced(s);
	/*
	 * Up to the end of its region, of the map and of what is base-only now,
	 * so that the buffer is no larger than the run: many short ones count
	 * little in flight, and would take all memory.
	 */
	left = BKC_REGION_SECTORS -
	       (((sector_t)block << shift) & (BKC_REGION_SECTORS - 1));
	nr = min(sectors, left) >> shift;
	nr = min_t(u64, nr, s->map.nr_blocks - block);
	nr = bkc_map_run(&s->map, block, nr, &valid);
	sectors = nr << shift;
	copy = bkc_copy_get(s, &sectors);
	if (!copy) {
		later(s, RETRY_DELAY);
		return false;
	}
	alone = exclusive(s);
	nr = bkc_range_begin_copy(s, copy, block, sectors >> shift, alone);
	if (!nr) {
		/* Written just now, or still being copied: the next pass. */
		bkc_copy_put(copy);
		s->cursor++;
		return true;
	}
	s->cursor += nr;
	s->tokens -= (u64)nr << (shift + SECTOR_SHIFT);
	bkc_copy_start(copy, alone);
	return true;
}

/* At the end of the map. Returns false when there is nothing to do now. */
static bool end_of_pass(struct bkc_state *s)
{
	unsigned long delay;

	if (atomic64_read(&s->inflight))
		return false;
	if (!bkc_state_left(s)) {
		all_copied(s);
		return false;
	}
	delay = next_pass(s);
	if (s->fruitless >= BLKCOPY_RETRY_PASSES) {
		stall(s);
		return false;
	}
	/* Kept apart from the work's own delay, which any kick cuts short. */
	s->not_before = jiffies + delay;
	return true;
}

void bkc_copier_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(to_delayed_work(work),
					   struct bkc_state, copier_work);
	u64 rate, limit, inflight;
	unsigned long delay;

	while (may_run(s)) {
		if (time_before(jiffies, s->not_before)) {
			later(s, s->not_before - jiffies);
			return;
		}
		if (s->cursor >= s->map.nr_blocks) {
			if (!end_of_pass(s))
				return;
			continue;
		}
		limit = (u64)READ_ONCE(s->params.value[BKC_PARAM_INFLIGHT]) << 10;
		inflight = atomic64_read(&s->inflight);
		if (inflight >= limit)
			return;
		rate = rate_bytes(s);
		delay = rate_delay(s, rate);
		if (delay) {
			later(s, delay);
			return;
		}
		if (!start_one(s, rate, limit - inflight))
			return;
		cond_resched();
	}
	if (!bkc_phase_copies(READ_ONCE(s->phase)))
		bkc_copies_trim(s);
}

/*
 * No copy is in flight when this returns, and none starts while no table is
 * live. Process context; waits for the copies' I/O.
 */
void bkc_copier_stop(struct bkc_state *s)
{
	cancel_delayed_work_sync(&s->copier_work);
	wait_event(s->copy_wait, !atomic64_read(&s->inflight));
	/* The last copy_done() has kicked, and let go of the lock. */
	spin_lock_irq(&s->copy_wait.lock);
	spin_unlock_irq(&s->copy_wait.lock);
	cancel_delayed_work_sync(&s->copier_work);
	bkc_copies_trim(s);
}
