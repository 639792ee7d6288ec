// SPDX-License-Identifier: GPL-2.0-only
/*
 * Epochs of writes: a way to wait until every write that had begun before now
 * has ended, without a line that all processors write. The idea and the two
 * counts that are never taken back are SRCU's; but a write ends in another
 * context than it began in, and its end may come from an interrupt.
 */
#include "bkc.h"

int bkc_epoch_init(struct bkc_epoch *e)
{
	mutex_init(&e->lock);
	init_waitqueue_head(&e->wait);
	e->cpu = alloc_percpu(struct bkc_epoch_cpu);
	return e->cpu ? 0 : -ENOMEM;
}

void bkc_epoch_exit(struct bkc_epoch *e)
{
	if (!e->cpu)
		return;
	free_percpu(e->cpu);
	e->cpu = NULL;
	mutex_destroy(&e->lock);
}

/* The ends first: one that is seen has had its beginning seen too. */
static bool has_drained(struct bkc_epoch *e, unsigned int gen)
{
	unsigned long in = 0, out = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		out += READ_ONCE(per_cpu_ptr(e->cpu, cpu)->out[gen]);
	/* Pairs with the barrier of bkc_epoch_leave(). */
	smp_mb();
	for_each_possible_cpu(cpu)
		in += READ_ONCE(per_cpu_ptr(e->cpu, cpu)->in[gen]);
	return in == out;
}

static bool drain(struct bkc_epoch *e, unsigned int gen, unsigned long timeout)
{
	bool drained;

	WRITE_ONCE(e->waiting, true);
	/* Pairs with the barrier of bkc_epoch_leave(): it sees us, or we it. */
	smp_mb();
	drained = wait_event_timeout(e->wait, has_drained(e, gen), timeout);
	WRITE_ONCE(e->waiting, false);
	return drained;
}

/**
 * bkc_epoch_drain - wait for the writes that have begun
 * @e: epochs
 * @timeout: jiffies, for each of two waits
 *
 * Process context. What the caller has changed before is seen by every write
 * that this does not wait for. 0, or -ETIMEDOUT: some are still out.
 */
int bkc_epoch_drain(struct bkc_epoch *e, unsigned long timeout)
{
	unsigned int gen;
	int r = 0;

	mutex_lock(&e->lock);
	/*
	 * Pairs with the barrier of bkc_epoch_enter(): a write that read gen
	 * long ago and counts itself after we have looked sees the change.
	 */
	smp_mb();
	gen = e->gen;
	/* Of such late ones: they are not to be mixed with the next turn's. */
	if (!drain(e, !gen, timeout)) {
		r = -ETIMEDOUT;
		goto out;
	}
	WRITE_ONCE(e->gen, !gen);
	if (!drain(e, gen, timeout))
		r = -ETIMEDOUT;
out:
	mutex_unlock(&e->lock);
	return r;
}
