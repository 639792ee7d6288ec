// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes that top has no room for, in the modes that redirect them there. With
 * on_top_error enospc or stop they wait: each is tried again once a second, and
 * at once on "copy resume" or when the device is about to be suspended. After
 * BLKCOPY_NOSPACE_SECONDS, as from a device that goes away, the writer is told.
 * Reads, and writes to blocks that are in top, go on meanwhile; the blocks
 * concerned stay as they were.
 */
#include <linux/jiffies.h>

#include "bkc.h"
#include "redirect.h"

/**
 * bkc_nospace_keep - a write has failed
 * @bio: the write; its range is no longer in a bucket
 * @status: what top said, not OK
 *
 * Any context. True: it waits here, no longer the caller's.
 */
bool bkc_nospace_keep(struct bio *bio, blk_status_t status)
{
	struct bkc_io *io = bkc_io_of(bio);
	struct bkc_state *s = io->table->s;
	enum bkc_policy policy =
		READ_ONCE(s->params.value[BKC_PARAM_ON_TOP_ERROR]);
	unsigned long flags;
	bool keep;

	if (status != BLK_STS_NOSPC || !s->mode->waits_for_space ||
	    (policy != BKC_POLICY_ENOSPC && policy != BKC_POLICY_STOP) ||
	    io->tries >= BLKCOPY_NOSPACE_SECONDS)
		return false;
	spin_lock_irqsave(&s->nospace_lock, flags);
	/*
	 * Pairs with the lock in bkc_nospace_retry(), after live has changed: it
	 * finds the bio in the list, or we see the change.
	 */
	keep = READ_ONCE(s->live);
	if (keep) {
		io->tries++;
		bio_list_add(&s->nospace, bio);
		queue_delayed_work(s->io_wq, &s->nospace_work, HZ);
	}
	spin_unlock_irqrestore(&s->nospace_lock, flags);
	return keep;
}

/* As it was before it was aimed at top: what is below has used it up. */
static void restore(struct bio *bio)
{
	struct bkc_io *io = bkc_io_of(bio);

	bio->bi_iter = io->iter;
	bio->bi_status = BLK_STS_OK;
	atomic_set(&bio->__bi_remaining, 1);
	/* Nobody polls for it, or tries it again elsewhere, after all this time. */
	bio->bi_opf &= ~REQ_NOWAIT;
	bio_clear_polled(bio);
	if (io->fua)
		bio->bi_opf |= REQ_FUA;
}

/* Of io_wq. */
void bkc_nospace_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(to_delayed_work(work),
					   struct bkc_state, nospace_work);
	struct bio_list todo;
	struct bio *bio;

	spin_lock_irq(&s->nospace_lock);
	todo = s->nospace;
	bio_list_init(&s->nospace);
	spin_unlock_irq(&s->nospace_lock);
	while ((bio = bio_list_pop(&todo))) {
		restore(bio);
		bkc_map_again(bio);
	}
}

/* Try all of them now. Process context. */
void bkc_nospace_retry(struct bkc_state *s)
{
	bool any;

	spin_lock_irq(&s->nospace_lock);
	any = !bio_list_empty(&s->nospace);
	spin_unlock_irq(&s->nospace_lock);
	if (any)
		mod_delayed_work(s->io_wq, &s->nospace_work, 0);
}
