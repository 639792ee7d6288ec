// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all bitmaps of a volume know: a bit for each granule, of the finest of
 * them, that every one which records has noted. A write whose granules are known
 * looks here and nowhere else, so that the tenth bitmap costs it nothing. What one
 * alone knows are its own bits.
 *
 * It is made anew, empty, by whatever changes what is noted where: a bit is set
 * by who has noted by the rule that its copy was published under, and in any
 * other copy it tells nobody anything.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "bitmap.h"
#include "known.h"

/* The word that start..end-1 is in, and which of its bits; NULL: in several. */
static unsigned long *word_of(struct bkc_known *known, sector_t start,
			      sector_t end, unsigned long *mask)
{
	u64 first = start >> known->shift, last = (end - 1) >> known->shift;

	if (first / BITS_PER_LONG != last / BITS_PER_LONG || last >= known->nr)
		return NULL;
	*mask = (~0UL << (first % BITS_PER_LONG)) &
		(~0UL >> (BITS_PER_LONG - 1 - last % BITS_PER_LONG));
	return &known->bits[first / BITS_PER_LONG];
}

/**
 * bkc_known_note - a write concerns these sectors
 * @tr: tracker
 * @start: of the target, sectors
 * @end: sectors
 *
 * Any context. Notes it in every bitmap that records.
 */
void bkc_known_note(struct bkc_tracker *tr, sector_t start, sector_t end)
{
	unsigned long *word = NULL, mask;
	struct bkc_bitmaps *all;
	struct bkc_known *known;
	unsigned int i;

	rcu_read_lock();
	known = rcu_dereference(tr->known);
	if (known) {
		word = word_of(known, start, end, &mask);
		if (word && likely((READ_ONCE(*word) & mask) == mask))
			goto out;
		/*
		 * Pairs with the release in bkc_known_renew(): of the rule that
		 * this copy is for, or a later one.
		 */
		smp_rmb();
	}
	all = rcu_dereference(tr->bitmaps);
	for (i = 0; all && i < all->nr; i++)
		bkc_bitmap_note(all->bitmap[i], start, end);
	if (word && known->bits == known->own) {
		/* Who finds it known finds it noted. */
		smp_mb__before_atomic();
		atomic_long_or(mask, (atomic_long_t *)word);
	}
out:
	rcu_read_unlock();
}

/**
 * bkc_known_renew - what is noted where has been changed
 * @tr: tracker
 *
 * Process context, tr->mutex held, or nobody uses it yet; bkc_tracker_switch()
 * follows where writes are in flight. Without memory every bitmap is looked at.
 */
void bkc_known_renew(struct bkc_tracker *tr)
{
	struct bkc_bitmaps *all = rcu_dereference_protected(tr->bitmaps, true);
	struct bkc_known *known = NULL, *old;
	struct bkc_bitmap *only = NULL;
	unsigned int shift = UINT_MAX, i;
	u64 nr = 0;

	for (i = 0; all && i < all->nr; i++)
		shift = min(shift, all->bitmap[i]->shift);
	if (all) {
		if (all->nr == 1)
			only = all->bitmap[0];
		nr = DIV_ROUND_UP_ULL(tr->len, 1ULL << shift);
		known = kvzalloc(struct_size(known, own, only ? 0 : BITS_TO_LONGS(nr)),
				 GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
	}
	if (known) {
		known->shift = shift;
		known->nr = only ? only->nr : nr;
		/* Let go of, they are freed after this has been replaced. */
		known->bits = only ? only->bits[only->active] : known->own;
	}
	old = rcu_dereference_protected(tr->known, true);
	/* Pairs with the barrier in bkc_known_note(): the change, then this. */
	rcu_assign_pointer(tr->known, known);
	if (old)
		kvfree_rcu(old, rcu);
}
