/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every I/O goes through, and is too short for a call.
 */
#ifndef BKC_IO_H
#define BKC_IO_H

#include "known.h"

/* A write that begins: it goes to one leg, and nothing hangs on it. */
static inline void bkc_io_init(struct bkc_io *io, struct bkc_table *t)
{
	io->table = t;
	io->range.kind = BKC_RANGE_ONE_LEG;
	/* All of them, so that it is one store. */
	io->leg = BKC_BASE;
	io->flush_gen = 0;
	io->fua = false;
	io->flush = false;
	io->epoch = 0;
	io->mark = 0;
	io->tracked = false;
	io->tries = 0;
}

/*
 * Aims the bio at a leg, @offset sectors from where the leg's data starts.
 * @io: its per-bio data.
 */
static inline void bkc_remap(struct bkc_table *t, struct bio *bio,
			     struct bkc_io *io, enum bkc_leg leg, sector_t offset)
{
	io->leg = leg;
	bio_set_dev(bio, t->dev[leg]->bdev);
	bio->bi_iter.bi_sector = t->start[leg] + offset;
}

/**
 * bkc_tracker_begin - a write, whether there are bitmaps or not
 * @t: the table
 * @bio: being mapped, not aimed at a leg yet
 * @io: its per-bio data
 *
 * Any context, does not sleep. True when it is parked, and no longer the
 * caller's. Else its range is set, and bkc_tracker_end() is due when it has ended.
 * @io is as bkc_io_init() has left it.
 */
static inline bool bkc_tracker_begin(struct bkc_table *t, struct bio *bio,
				     struct bkc_io *io)
{
	struct bkc_tracker *tr = t->tracker;

	io->range.start = dm_target_offset(t->ti, bio->bi_iter.bi_sector);
	io->range.end = io->range.start + bio_sectors(bio);
	/*
	 * Pairs with the release of bkc_tracker_switch(): the number first. A
	 * bitmap that is not seen here is added, and then they are switched.
	 */
	io->switches = smp_load_acquire(&tr->switches);
	if (likely(!tr->meta && (!rcu_access_pointer(tr->bitmaps) ||
				 bkc_is_known(tr, io->range.start, io->range.end)))) {
		io->tracked = true;
		return false;
	}
	return bkc_tracker_begin_noted(t, bio, io);
}

/* Since the write began. It is to be noted again, before it is acknowledged. */
static inline bool bkc_tracker_has_switched(struct bkc_tracker *tr,
					    struct bkc_io *io)
{
	/*
	 * Pairs with the release of bkc_tracker_switch(). One that does not see
	 * it here is acknowledged before the switch returns, or as good as; on a
	 * metadata device the switch has waited for it.
	 */
	return io->switches != smp_load_acquire(&tr->switches);
}

/* Before the write is acknowledged, if io->tracked. Any context. */
static inline void bkc_tracker_end(struct bkc_tracker *tr, struct bkc_io *io)
{
	bool again = bkc_tracker_has_switched(tr, io);

	io->tracked = false;
	if (unlikely(again || io->epoch))
		bkc_tracker_end_noted(tr, io, again);
}

#endif /* BKC_IO_H */
