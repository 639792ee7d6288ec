// SPDX-License-Identifier: GPL-2.0-only
/*
 * The intent map of a metadata device: one bit for a segment of the volume, set
 * and durable before a write is issued after which a crash could leave the legs
 * of a mirror different, or a change unrecorded. After an end that was not clean
 * all of a marked segment counts as different.
 *
 * A segment is
 *	marked		in what is, or is to be, on the disk
 *	durable		marked there, and a write may rely on it
 *	clearing	marked there, about to be cleared: not to be relied on
 *	touched		written to since the last look
 *
 * The first writer of a segment waits for one write of metadata, and who comes
 * meanwhile waits for the same one. A mark is cleared when nobody has written
 * there for a while (clear_work), in this order:
 *  1. durable becomes clearing: writes that come from here on ask again;
 *  2. the writes that may have seen durable end (epoch.c);
 *  3. a commit: both legs are flushed, the block map is durable;
 *  4. who asked meanwhile has its mark back, the others' are cleared;
 *  5. the sectors are written.
 * The idea of a coarse map that is written first and cleared late is md's.
 */
#include <linux/slab.h>

#include "meta.h"

/* Shorter where the power is cut every second: tests/crash. */
#ifndef BKC_INTENT_CLEAR_DELAY
#define BKC_INTENT_CLEAR_DELAY	(5 * HZ)
#endif
#define CLEAR_MAX	4096	/* at a time: a lock is held, irqs off */
#define DRAIN_MAX	(10 * HZ)
#define LONGS_A_SECTOR	(BLKCOPY_META_SEGMENTS / BITS_PER_LONG)

static_assert(BLKCOPY_META_SEGMENTS % BITS_PER_LONG == 0);
static_assert(BITS_PER_LONG == 64);

static u64 segment_of(const struct bkc_intent *in, sector_t sector)
{
	return div64_u64(sector, in->sectors);
}

static bool all_durable(const struct bkc_intent *in, u64 first, u64 last)
{
	for (; first <= last; first++) {
		if (unlikely(!test_bit(first, in->durable)))
			return false;
		/* Looked at first: a line that all processors share. */
		if (!test_bit(first, in->touched))
			set_bit(first, in->touched);
	}
	return true;
}

/* The marks become wanted, or are taken back from being cleared. */
static void want(struct bkc_intent *in, u64 first, u64 last)
{
	unsigned long flags;

	spin_lock_irqsave(&in->lock, flags);
	for (; first <= last; first++) {
		set_bit(first, in->touched);
		if (__test_and_clear_bit(first, in->clearing)) {
			/* It is on the disk still. */
			set_bit(first, in->durable);
		} else if (!__test_and_set_bit(first, in->marked)) {
			in->nr_marked++;
			/* Pairs with write_dirty(), which takes it the other way. */
			smp_mb__before_atomic();
			set_bit(div_u64(first, BLKCOPY_META_SEGMENTS), in->dirty);
		}
	}
	spin_unlock_irqrestore(&in->lock, flags);
}

/**
 * bkc_intent_begin - a write is about to be issued
 * @meta: metadata
 * @start: of the target, sectors
 * @end: sectors
 * @epoch: of the state's tracker, that it has entered; left, and 0, if it may not go
 *
 * Any context. False: its segments are not marked durably. Then they are wanted,
 * and the caller has to be there to be woken before it asks bkc_intent_ready()
 * whether that has happened meanwhile.
 */
bool bkc_intent_begin(struct bkc_meta *meta, sector_t start, sector_t end,
		      u8 *epoch)
{
	struct bkc_intent *in = &meta->intent;
	u64 first = segment_of(in, start), last = segment_of(in, end - 1);

	if (likely(all_durable(in, first, last)))
		return true;
	bkc_epoch_leave(&meta->s->tracker->epoch, *epoch);
	*epoch = 0;
	want(in, first, last);
	return false;
}

/**
 * bkc_intent_ready - should the write ask again at once?
 * @meta: metadata
 * @start: of the target, sectors
 * @end: sectors
 *
 * Any context, after the caller has put itself where it is woken from.
 */
bool bkc_intent_ready(struct bkc_meta *meta, sector_t start, sector_t end)
{
	struct bkc_intent *in = &meta->intent;

	/* Pairs with the barrier of wake_all(): it sees the waiter, or we this. */
	smp_mb();
	if (all_durable(in, segment_of(in, start), segment_of(in, end - 1)))
		return true;
	queue_work(in->wq, &in->mark_work);
	return false;
}

static void clear_later(struct bkc_meta *meta)
{
	queue_delayed_work(meta->s->copy_wq, &meta->intent.clear_work,
			   BKC_INTENT_CLEAR_DELAY);
}

/* What is durable, or cannot become so, is looked at again. */
static void wake_all(struct bkc_meta *meta)
{
	struct bkc_intent *in = &meta->intent;
	struct bkc_state *s = meta->s;
	unsigned int i;

	/* Pairs with the barrier of bkc_intent_ready(). */
	smp_mb();
	for_each_set_bit(i, in->buckets, BKC_BUCKETS)
		if (test_and_clear_bit(i, in->buckets))
			set_bit(i, s->retry);
	queue_work(s->io_wq, &s->retry_work);
	bkc_tracker_wake(s->tracker);
}

/* write_lock held. What sector @index is to be. */
static void capture(struct bkc_meta *meta, u64 index)
{
	struct bkc_intent *in = &meta->intent;
	struct blkcopy_meta_intent *image = page_address(in->image);
	const unsigned long *from = in->marked + index * LONGS_A_SECTOR;
	u64 left = BITS_TO_LONGS(in->nr) - index * LONGS_A_SECTOR, i;
	__le64 *to = (__le64 *)image->bits;

	memset(image, 0, sizeof(*image));
	for (i = 0; i < min_t(u64, left, LONGS_A_SECTOR); i++)
		to[i] = cpu_to_le64(READ_ONCE(from[i]));
	bkc_meta_seal(meta, &image->header, BLKCOPY_META_MAGIC_INTENT, index,
		      ++in->generation);
}

/* write_lock held: what the image has may be relied on, but for clearing. */
static void settle(struct bkc_intent *in, u64 index)
{
	struct blkcopy_meta_intent *image = page_address(in->image);
	u64 first = index * BLKCOPY_META_SEGMENTS, i;
	u64 nr = min_t(u64, in->nr - first, BLKCOPY_META_SEGMENTS);

	spin_lock_irq(&in->lock);
	for (i = 0; i < nr; i++)
		if ((image->bits[i / 8] & BIT(i % 8)) &&
		    !test_bit(first + i, in->clearing) &&
		    !test_bit(first + i, in->durable))
			set_bit(first + i, in->durable);
	spin_unlock_irq(&in->lock);
}

/*
 * write_lock held. A torn sector counts as all marked, so one slot will do, and
 * no data has to be flushed before.
 */
static int write_dirty(struct bkc_meta *meta)
{
	struct bkc_intent *in = &meta->intent;
	int r = 0;
	u64 i;

	for_each_set_bit(i, in->dirty, in->nr_sectors) {
		/* Who marks after this sets it again. */
		if (!test_and_clear_bit(i, in->dirty))
			continue;
		capture(meta, i);
		r = bkc_meta_io(meta, REQ_OP_WRITE | REQ_FUA | BKC_WAITED_FOR |
				REQ_META, in->first + i, &in->image, 1);
		if (r) {
			set_bit(i, in->dirty);
			bkc_meta_failed(meta, "marking a segment", r);
			break;
		}
		settle(in, i);
	}
	return r;
}

static void mark_work(struct work_struct *work)
{
	struct bkc_intent *in = container_of(work, struct bkc_intent, mark_work);
	struct bkc_meta *meta = container_of(in, struct bkc_meta, intent);

	mutex_lock(&in->write_lock);
	if (READ_ONCE(meta->health) == BKC_HEALTH_RW)
		write_dirty(meta);
	mutex_unlock(&in->write_lock);
	wake_all(meta);
	clear_later(meta);
}

/* Step 1. How many? */
static u64 choose(struct bkc_intent *in)
{
	u64 i, nr = 0;

	spin_lock_irq(&in->lock);
	for_each_set_bit(i, in->durable, in->nr) {
		if (test_and_clear_bit(i, in->touched))
			continue;
		clear_bit(i, in->durable);
		__set_bit(i, in->clearing);
		if (++nr == CLEAR_MAX)
			break;
	}
	spin_unlock_irq(&in->lock);
	return nr;
}

/* Step 4; or, if not @clear, they are as they were. */
static void finish(struct bkc_intent *in, bool clear)
{
	u64 i;

	spin_lock_irq(&in->lock);
	for_each_set_bit(i, in->clearing, in->nr) {
		__clear_bit(i, in->clearing);
		if (!clear) {
			set_bit(i, in->durable);
			continue;
		}
		__clear_bit(i, in->marked);
		in->nr_marked--;
		set_bit(div_u64(i, BLKCOPY_META_SEGMENTS), in->dirty);
	}
	spin_unlock_irq(&in->lock);
}

static int clear_untouched(struct bkc_meta *meta)
{
	struct bkc_intent *in = &meta->intent;
	int r;

	if (!choose(in))
		return 0;
	r = bkc_epoch_drain(&meta->s->tracker->epoch, DRAIN_MAX) ?: bkc_meta_commit(meta);
	mutex_lock(&in->write_lock);
	finish(in, !r);
	if (!r)
		r = write_dirty(meta);
	mutex_unlock(&in->write_lock);
	/* Marks that were wanted meanwhile went with it, or got back. */
	wake_all(meta);
	return r;
}

static void clear_work(struct work_struct *work)
{
	struct bkc_intent *in = container_of(to_delayed_work(work),
					     struct bkc_intent, clear_work);
	struct bkc_meta *meta = container_of(in, struct bkc_meta, intent);

	if (READ_ONCE(meta->health) != BKC_HEALTH_RW)
		return;
	clear_untouched(meta);
	if (READ_ONCE(in->nr_marked))
		clear_later(meta);
}

/*
 * ---- Life
 */

static unsigned long *zalloc_bits(u64 nr)
{
	return kvcalloc(BITS_TO_LONGS(nr), sizeof(long), GFP_NOIO);
}

/* In preresume, the superblock is read and fits. */
static int alloc(struct bkc_meta *meta)
{
	const struct blkcopy_meta_super *super = meta->super;
	struct bkc_intent *in = &meta->intent;

	in->sectors = (u64)le32_to_cpu(super->segment_mib) << (20 - SECTOR_SHIFT);
	in->nr = DIV64_U64_ROUND_UP(meta->s->map.len, in->sectors);
	in->first = le64_to_cpu(super->first_intent);
	in->nr_sectors = le64_to_cpu(super->nr_intent);
	/* A load that failed may be tried again. */
	bkc_intent_free(meta);
	in->marked = zalloc_bits(in->nr);
	in->durable = zalloc_bits(in->nr);
	in->touched = zalloc_bits(in->nr);
	in->clearing = zalloc_bits(in->nr);
	in->dirty = zalloc_bits(in->nr_sectors);
	if (!in->marked || !in->durable || !in->touched || !in->clearing ||
	    !in->dirty)
		return -ENOMEM;
	return 0;
}

static void load_sector(struct bkc_meta *meta, u64 index)
{
	struct bkc_intent *in = &meta->intent;
	struct blkcopy_meta_intent *image = page_address(in->image);
	u64 first = index * BLKCOPY_META_SEGMENTS, i;
	u64 nr = min_t(u64, in->nr - first, BLKCOPY_META_SEGMENTS);
	bool unread, bad;

	unread = bkc_meta_io(meta, REQ_OP_READ, in->first + index, &in->image, 1);
	bad = unread ||
	      !bkc_meta_is(&image->header, BLKCOPY_META_MAGIC_INTENT, index) ||
	      memcmp(image->header.uuid, meta->super->header.uuid,
		     sizeof(image->header.uuid));
	if (bad) {
		DMWARN("metadata on %pg: marks in sector %llu are unreadable: all count as set",
		       meta->bdev, index);
		/* It is not there as it should be. */
		set_bit(index, in->dirty);
		/* Of bitmaps what is written is marked first, whatever was there. */
		if ((unread || bkc_meta_was_clean(meta)) &&
		    !bkc_meta_has_bitmaps(meta))
			meta->distrusts = true;
	} else {
		in->generation = max(in->generation,
				     le64_to_cpu(image->header.generation));
	}
	for (i = 0; i < nr; i++) {
		if (!bad && !(image->bits[i / 8] & BIT(i % 8)))
			continue;
		__set_bit(first + i, in->marked);
		in->nr_marked++;
		if (!bad)
			set_bit(first + i, in->durable);
	}
}

/**
 * bkc_intent_load - read the intent map
 * @meta: metadata, its superblock read
 *
 * In preresume, nothing in flight. Returns 0 or -ENOMEM: a sector that cannot be
 * read is all marked.
 */
int bkc_intent_load(struct bkc_meta *meta)
{
	struct bkc_intent *in = &meta->intent;
	int r = alloc(meta);
	u64 i;

	if (r)
		return r;
	in->nr_marked = 0;
	for (i = 0; i < in->nr_sectors; i++)
		load_sector(meta, i);
	return 0;
}

/*
 * Sectors of the first run of marked segments at or after *segment, which is moved
 * behind it; false: no more.
 */
bool bkc_intent_next(struct bkc_meta *meta, u64 *segment, sector_t *start,
		     sector_t *end)
{
	struct bkc_intent *in = &meta->intent;
	u64 first = find_next_bit(in->marked, in->nr, *segment);
	u64 last = find_next_zero_bit(in->marked, in->nr, first);

	if (first >= in->nr)
		return false;
	*segment = last;
	*start = first * in->sectors;
	*end = min_t(sector_t, last * in->sectors, meta->s->map.len);
	return true;
}

/* Blocks of a map that was loaded turn out to be in base alone. */
static void only_in_base(struct bkc_meta *meta, u64 first, u64 nr)
{
	u64 i = bkc_meta_index(first), last = bkc_meta_index(first + nr - 1);

	bkc_map_set(&meta->s->map, first, nr, BKC_IN_BASE);
	for (; i <= last; i++) {
		set_bit(i, meta->unsettled);
		set_bit(i, meta->dirty);
	}
}

/*
 * Of a mirror. Base has everything, unless it has pivoted, when no map is looked
 * at. So what is not known is copied again: a segment that was being written to
 * at an end that was not clean, a sector that cannot be read, and all when writes
 * may have gone past us.
 */
int bkc_mirror_load(struct bkc_meta *meta)
{
	struct bkc_map *map = &meta->s->map;
	u64 segment = 0, i, first;
	sector_t start, end;
	int r = bkc_intent_load(meta);

	if (r)
		return r;
	while (bkc_intent_next(meta, &segment, &start, &end)) {
		first = bkc_block_of(map, start);
		only_in_base(meta, first, bkc_block_of(map, end - 1) - first + 1);
		cond_resched();
	}
	for_each_set_bit(i, meta->bad, meta->nr_exact) {
		first = i * BLKCOPY_META_BLOCKS;
		only_in_base(meta, first, min_t(u64, BLKCOPY_META_BLOCKS,
						map->nr_blocks - first));
	}
	bkc_meta_supersede(meta);
	bitmap_zero(meta->bad, meta->nr_exact);
	meta->any_bad = false;
	/* States that a mirror never has: base has all. */
	for (first = 0; ; first++) {
		first = bkc_map_find(map, first, map->nr_blocks,
				     BIT(BKC_IN_TOP) | BIT(BKC_IN_NONE));
		if (first == map->nr_blocks)
			break;
		only_in_base(meta, first, 1);
	}
	if (le32_to_cpu(meta->super->flags) & BLKCOPY_META_TOP_STALE)
		only_in_base(meta, 0, map->nr_blocks);
	return 0;
}

/* Process context: a table is live again. */
void bkc_intent_start(struct bkc_meta *meta)
{
	if (meta->intent.nr_marked)
		clear_later(meta);
}

/* No work of it runs any more, nor will. Process context. */
void bkc_intent_stop(struct bkc_meta *meta)
{
	cancel_delayed_work_sync(&meta->intent.clear_work);
	cancel_work_sync(&meta->intent.mark_work);
	/* The former queues the latter's waiters, the latter the former. */
	cancel_delayed_work_sync(&meta->intent.clear_work);
}

/**
 * bkc_intent_clear_all - nothing is in flight, and everything is durable
 * @meta: metadata
 *
 * In postsuspend, after bkc_intent_stop() and a commit that succeeded. Returns 0
 * or an errno.
 */
int bkc_intent_clear_all(struct bkc_meta *meta)
{
	struct bkc_intent *in = &meta->intent;
	int r;
	u64 i;

	mutex_lock(&in->write_lock);
	for_each_set_bit(i, in->marked, in->nr)
		set_bit(div_u64(i, BLKCOPY_META_SEGMENTS), in->dirty);
	bitmap_zero(in->marked, in->nr);
	bitmap_zero(in->durable, in->nr);
	bitmap_zero(in->touched, in->nr);
	in->nr_marked = 0;
	r = write_dirty(meta);
	mutex_unlock(&in->write_lock);
	return r;
}

int bkc_intent_init(struct bkc_meta *meta)
{
	struct bkc_intent *in = &meta->intent;

	spin_lock_init(&in->lock);
	mutex_init(&in->write_lock);
	INIT_WORK(&in->mark_work, mark_work);
	INIT_DELAYED_WORK(&in->clear_work, clear_work);
	in->image = alloc_page(GFP_KERNEL);
	in->wq = alloc_ordered_workqueue("bkc_intent", WQ_MEM_RECLAIM);
	return in->image && in->wq ? 0 : -ENOMEM;
}

void bkc_intent_free(struct bkc_meta *meta)
{
	struct bkc_intent *in = &meta->intent;

	kvfree(in->dirty);
	kvfree(in->clearing);
	kvfree(in->touched);
	kvfree(in->durable);
	kvfree(in->marked);
	in->dirty = NULL;
	in->clearing = NULL;
	in->touched = NULL;
	in->durable = NULL;
	in->marked = NULL;
}

/* Process context; no I/O is in flight. */
void bkc_intent_exit(struct bkc_meta *meta)
{
	struct bkc_intent *in = &meta->intent;

	if (in->wq) {
		bkc_intent_stop(meta);
		destroy_workqueue(in->wq);
	}
	bkc_intent_free(meta);
	if (in->image)
		__free_page(in->image);
	mutex_destroy(&in->write_lock);
}
