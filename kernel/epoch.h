/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Epochs of writes, see epoch.c.
 */
#ifndef BKC_EPOCH_H
#define BKC_EPOCH_H

#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/wait.h>

struct bkc_epoch_cpu {
	unsigned long in[2];
	unsigned long out[2];
};

struct bkc_epoch {
	struct bkc_epoch_cpu __percpu *cpu;
	unsigned int gen;	/* 0 or 1; a drain turns it */
	bool waiting;		/* somebody drains */
	struct mutex lock;	/* of drains */
	wait_queue_head_t wait;
};

int bkc_epoch_init(struct bkc_epoch *e);
void bkc_epoch_exit(struct bkc_epoch *e);
int bkc_epoch_drain(struct bkc_epoch *e, unsigned long timeout);

/* Any context. What it returns is never 0, and for bkc_epoch_leave(). */
static inline u8 bkc_epoch_enter(struct bkc_epoch *e)
{
	unsigned int gen = READ_ONCE(e->gen);

	this_cpu_inc(e->cpu->in[gen]);
	/* Pairs with bkc_epoch_drain(): counted, or it sees what has changed. */
	smp_mb();
	return gen + 1;
}

/* Any context. */
static inline void bkc_epoch_leave(struct bkc_epoch *e, u8 epoch)
{
	/* What the write has published is seen by who sees it gone. */
	smp_mb();
	this_cpu_inc(e->cpu->out[epoch - 1]);
	/* Pairs with drain(), and with has_drained(). */
	smp_mb();
	if (unlikely(READ_ONCE(e->waiting)))
		wake_up(&e->wait);
}

#endif /* BKC_EPOCH_H */
