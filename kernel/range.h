/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges in flight, what range.c and range_copy.c share.
 */
#ifndef BKC_RANGE_H
#define BKC_RANGE_H

#include "copy.h"
#include "meta.h"

static inline bool bkc_range_overlaps(const struct bkc_range *r, sector_t start,
				      sector_t end)
{
	return r->start < end && start < r->end;
}

static inline bool bkc_range_is_copy(const struct bkc_range *r)
{
	return r->kind == BKC_RANGE_COPY || r->kind == BKC_RANGE_COPY_EXCL;
}

/*
 * Bucket lock held. @redirects: it is said of blocks whose next write a crash
 * would lose without it, so a flush has to wait for it.
 */
static inline u64 __bkc_range_publish(struct bkc_state *s, u64 first, u64 nr,
				      enum bkc_valid valid, bool redirects)
{
	if (s->meta)
		return bkc_meta_publish(s->meta, first, nr, valid, redirects);
	return bkc_map_set(&s->map, first, nr, valid);
}

void __bkc_range_kick_copies(struct bkc_bucket *b, const struct bkc_range *gone);

#endif /* BKC_RANGE_H */
