/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges in flight, what range.c and range_copy.c share.
 */
#ifndef BKC_RANGE_H
#define BKC_RANGE_H

#include <linux/hash.h>

#include "copy.h"
#include "meta.h"

static inline struct bkc_bucket *bkc_range_bucket(struct bkc_state *s, sector_t start)
{
	return &s->buckets[hash_64(start >> BKC_REGION_SHIFT, BKC_BUCKET_BITS)];
}

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

/* Bucket lock held. A range is not in the list any more: who waited for it looks. */
static inline void __bkc_range_gone(struct bkc_state *s, struct bkc_bucket *b,
				    const struct bkc_range *gone)
{
	if (!list_empty(&b->ranges))
		__bkc_range_kick_copies(b, gone);
	if (!bio_list_empty(&b->parked))
		__bkc_range_kick(s, b);
}

#endif /* BKC_RANGE_H */
