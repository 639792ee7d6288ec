// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modes with durable state, and a leg that has lost what it had cached. It tells
 * of that once, by a flush that fails, ours or a user's; the flush after that
 * succeeds, and bits that become durable then would speak of what is not there.
 * dm-thin and dm-clone leave it at read-only from then on.
 *
 * A user's own writes are his: his flush fails. What copies have brought since
 * the last commit nobody else answers for:
 *  - What is in both is in the leg that it came from. It is taken back, and
 *    copied once more.
 *  - What is in the leg alone that copies go to (all of a commit, zeroes in a
 *    stream) a user may have written over since, and that is there alone. There
 *    is no way back: nothing becomes durable any more until the state is read
 *    from the disk again, which says of those blocks that they have not moved.
 * bkc_meta.one_way says that there may be some of the latter.
 */
#include "flush.h"
#include "meta.h"
#include "range.h"

/*
 * A flush of @leg has failed: a user's, before bkc_flush_end(), or ours. Any context.
 * The next commit looks at it before it says anything. Returns whether copies are
 * concerned, so that it is to be counted as an error of one.
 */
bool bkc_lost_note(struct bkc_state *s, enum bkc_leg leg)
{
	if (!s->mode->has_copier || leg != s->mode->copy_to)
		return false;
	WRITE_ONCE(s->meta->lost, true);
	return true;
}

/* Blocks of one exact sector that are in both; they differ from the disk, or may. */
static void take_back(struct bkc_state *s, u64 index)
{
	struct bkc_map *map = &s->map;
	u64 first = index * BLKCOPY_META_BLOCKS;
	const u64 end = min(first + BLKCOPY_META_BLOCKS, map->nr_blocks);
	enum bkc_valid valid;
	struct bkc_bucket *b;
	sector_t start;
	u64 nr;

	for (; first < end; first += nr) {
		first = bkc_map_find(map, first, end, BIT(BKC_IN_BOTH));
		if (first == end)
			return;
		/* What is in one bucket. */
		start = first << map->block_shift;
		nr = min(end, bkc_region_end(start) >> map->block_shift) - first;
		b = bkc_range_bucket(s, start);
		spin_lock_irq(&b->lock);
		nr = bkc_map_run(map, first, nr, &valid);
		if (valid == BKC_IN_BOTH)
			__bkc_range_publish(s, first, nr, BKC_IN_BASE, false);
		spin_unlock_irq(&b->lock);
	}
}

/**
 * bkc_lost_settle - see to a flush that has failed
 * @meta: metadata of a mode with durable state
 * @one_way: what bkc_meta.one_way was when the commit that is under way began
 *
 * Of meta->wq. Returns 0, or -EIO when no bit may become durable any more.
 */
int bkc_lost_settle(struct bkc_meta *meta, bool one_way)
{
	struct bkc_state *s = meta->s;
	u64 i;

	if (meta->lost_for_good)
		return -EIO;
	if (!xchg(&meta->lost, false))
		return 0;
	/* Copies under way are void; those that are not have said what they are. */
	spin_lock_irq(&s->lock);
	WRITE_ONCE(s->top_epoch, s->top_epoch + 1);
	spin_unlock_irq(&s->lock);
	bkc_range_sync(s);
	if (one_way || READ_ONCE(meta->one_way)) {
		bkc_lost_for_good(meta);
		return -EIO;
	}
	if (s->mode->copy_to == BKC_TOP)
		for_each_set_bit(i, meta->unsettled, meta->nr_exact) {
			take_back(s, i);
			cond_resched();
		}
	bkc_copier_kick(s);
	return 0;
}

/* Process context. */
void bkc_lost_for_good(struct bkc_meta *meta)
{
	meta->lost_for_good = true;
	DMERR("metadata on %pg: copies were lost: nothing is durable until it is read again",
	      meta->bdev);
	bkc_meta_failed(meta, "a flush of what it speaks of", -EIO);
}

/*
 * A commit has flushed @meta's volume. Did another flush have the answer that was
 * meant for ours? They end as ours has. Of meta->wq. 0 or -EIO.
 */
int bkc_lost_look(struct bkc_meta *meta)
{
	struct bkc_state *s = meta->s;

	if (!s->mode->durable)
		return 0;
	while (bkc_drain_flushes(s, jiffies + HZ))
		;
	return READ_ONCE(meta->lost) ? -EIO : 0;
}
