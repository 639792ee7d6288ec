/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all bitmaps of a volume know, see known.c.
 */
#ifndef BKC_KNOWN_H
#define BKC_KNOWN_H

#include <linux/bitops.h>
#include <linux/rcupdate.h>

#include "bkc.h"

struct bkc_known {
	struct rcu_head rcu;
	unsigned int shift;	/* sectors of a granule */
	u64 nr;			/* granules */
	unsigned long *bits;	/* own, or those of the only bitmap */
	unsigned long own[];
};

/*
 * Has every bitmap that records noted these sectors? Any context. False where it
 * takes more than a look to tell: bkc_known_note() does.
 */
static inline bool bkc_is_known(struct bkc_tracker *tr, sector_t start,
				sector_t end)
{
	struct bkc_known *known;
	bool yes = false;
	u64 granule;

	rcu_read_lock();
	known = rcu_dereference(tr->known);
	if (known) {
		granule = start >> known->shift;
		yes = granule == (end - 1) >> known->shift &&
		      granule < known->nr && test_bit(granule, known->bits);
	}
	rcu_read_unlock();
	return yes;
}

#endif /* BKC_KNOWN_H */
