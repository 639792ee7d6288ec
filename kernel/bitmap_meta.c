// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bitmaps on the metadata device of a volume in track mode. They are its exact
 * sectors: a slot for a bitmap, of as many sectors each as its bits may take and
 * one more, the first, that says whose they are. Two copies of each, commits, and
 * the end of a commit that was torn are meta.c's and commit.c's.
 *
 * Of a frozen bitmap both sides are kept as one: after a crash the backup it was
 * frozen for has failed. Bits are written when a mark of their segment is to go,
 * and at the end; until then the mark says that they may be set. So what is read
 * back is never less than what has changed.
 */
#include "bitmap.h"
#include "meta.h"

static_assert(BLKCOPY_META_WORDS * 64 == BLKCOPY_META_SEGMENTS);

/* Of a slot: for a granule as small as it may be. */
u64 bkc_bitmap_sectors(sector_t len, unsigned int block_shift)
{
	return 1 + DIV_ROUND_UP_ULL(DIV_ROUND_UP_ULL(len, 1ULL << block_shift),
				    BLKCOPY_META_SEGMENTS);
}

static u64 sectors_of(const struct bkc_meta *meta)
{
	return bkc_bitmap_sectors(meta->s->map.len, meta->s->map.block_shift);
}

/* Of its slot; behind the record. */
static u64 sectors_of_bits(const struct bkc_bitmap *b)
{
	return DIV_ROUND_UP_ULL(b->nr, BLKCOPY_META_SEGMENTS);
}

static unsigned int nr_slots(const struct bkc_meta *meta)
{
	return div64_u64(meta->nr_exact, sectors_of(meta));
}

static void dirty(struct bkc_meta *meta, u64 index)
{
	set_bit(index, meta->unsettled);
	/* After what it says has changed: see take_batch(). */
	smp_mb__before_atomic();
	set_bit(index, meta->dirty);
}

/* Bits of this word have changed. Any context. */
void bkc_bitmap_dirty_bits(struct bkc_bitmap *b, u64 word)
{
	struct bkc_meta *meta = b->tracker->meta;

	dirty(meta, b->slot * sectors_of(meta) + 1 +
		    div_u64(word, BLKCOPY_META_WORDS));
}

/* What is known of it has changed, its bits have not. */
void bkc_bitmap_dirty_record(struct bkc_bitmap *b)
{
	dirty(b->tracker->meta, b->slot * sectors_of(b->tracker->meta));
}

/* All of it is to be written. */
void bkc_bitmap_dirty_slot(struct bkc_bitmap *b)
{
	struct bkc_meta *meta = b->tracker->meta;
	u64 i;

	for (i = 0; i <= sectors_of_bits(b); i++)
		dirty(meta, b->slot * sectors_of(meta) + i);
}

static struct bkc_bitmap *in_slot(struct bkc_bitmaps *all, unsigned int slot)
{
	unsigned int i;

	for (i = 0; all && i < all->nr; i++)
		if (all->bitmap[i]->slot == slot)
			return all->bitmap[i];
	return NULL;
}

static struct bkc_bitmap *of_slot(struct bkc_tracker *tr, unsigned int slot)
{
	return in_slot(rcu_dereference_protected(tr->bitmaps,
						 lockdep_is_held(&tr->mutex)),
		       slot);
}

/* tr->mutex held. Returns 0 or -ENOSPC. */
int bkc_bitmap_take_slot(struct bkc_tracker *tr, unsigned int *slot)
{
	for (*slot = 0; *slot < nr_slots(tr->meta); (*slot)++)
		if (!of_slot(tr, *slot))
			return 0;
	return -ENOSPC;
}

/* Process context: what bitmaps there are, and their bits, become durable. */
int bkc_bitmap_store(struct bkc_tracker *tr)
{
	return bkc_meta_commit(tr->meta);
}

/*
 * ---- To the disk
 */

static void put_record(struct blkcopy_meta_exact *image,
		       const struct bkc_bitmap *b)
{
	struct blkcopy_meta_bitmap *record = (void *)image;
	u32 flags = BLKCOPY_META_BITMAP_IN_USE;

	if (READ_ONCE(b->recording) || READ_ONCE(b->unstored))
		flags |= BLKCOPY_META_BITMAP_RECORDING;
	if (READ_ONCE(b->inconsistent))
		flags |= BLKCOPY_META_BITMAP_INCONSISTENT;
	if (READ_ONCE(b->lapsed[0]) || READ_ONCE(b->lapsed[1]))
		flags |= BLKCOPY_META_BITMAP_LAPSED;
	record->flags = cpu_to_le32(flags);
	record->granule_sectors = cpu_to_le32(1U << b->shift);
	strscpy(record->name, b->name, sizeof(record->name));
}

static void put_bits(struct blkcopy_meta_exact *image,
		     const struct bkc_bitmap *b, u64 first)
{
	u64 left = BITS_TO_LONGS(b->nr), i;
	const unsigned long *bits[2];
	int side;

	if (first >= left)
		return;
	left = min_t(u64, left - first, BLKCOPY_META_WORDS);
	for (side = 0; side < 2; side++)
		bits[side] = READ_ONCE(b->bits[side]);
	/*
	 * Pairs with the release in drop_side(): of one that is not there any more
	 * all bits are in the other by now, before a word of that is read.
	 */
	smp_rmb();
	for (side = 0; side < 2; side++)
		for (i = 0; bits[side] && i < left; i++)
			image->words[i] |=
				cpu_to_le64(READ_ONCE(bits[side][first + i]));
}

/* Of meta->wq: what sector @index would say now, but for its header. */
void bkc_bitmap_capture(struct bkc_meta *meta, u64 index,
			struct blkcopy_meta_exact *image)
{
	u64 per = sectors_of(meta), sector;
	struct bkc_bitmap *b;

	memset(image, 0, sizeof(*image));
	div64_u64_rem(index, per, &sector);
	rcu_read_lock();
	b = in_slot(rcu_dereference(meta->s->tracker->bitmaps),
		    div64_u64(index, per));
	if (b && !sector && !READ_ONCE(b->gone))
		put_record(image, b);
	else if (b && sector)
		put_bits(image, b, (sector - 1) * BLKCOPY_META_WORDS);
	rcu_read_unlock();
}

/*
 * ---- From the disk; in preresume, tr->mutex held, nothing in flight
 */

static int load_record(struct bkc_meta *meta, unsigned int slot,
		       const struct blkcopy_meta_bitmap *record)
{
	u32 granule = le32_to_cpu(record->granule_sectors);
	u32 flags = le32_to_cpu(record->flags);
	struct bkc_tracker *tr = meta->s->tracker;
	char name[BLKCOPY_BITMAP_NAME_MAX + 1];
	struct bkc_bitmap *b;

	if (!(flags & BLKCOPY_META_BITMAP_IN_USE))
		return 0;
	if (!is_power_of_2(granule) || granule < 1U << meta->s->map.block_shift ||
	    strnlen(record->name, sizeof(name)) == sizeof(name) ||
	    !bkc_bitmap_is_name(record->name)) {
		DMERR("metadata on %pg: bitmap %u is not understood and left out",
		      meta->bdev, slot);
		return 0;
	}
	strscpy(name, record->name, sizeof(name));
	b = bkc_bitmap_alloc(tr, name, ilog2(granule), GFP_NOIO);
	if (!b)
		return -ENOMEM;
	b->slot = slot;
	b->recording = flags & BLKCOPY_META_BITMAP_RECORDING;
	b->lapsed[b->active] = !b->recording ||
			       flags & BLKCOPY_META_BITMAP_LAPSED;
	b->inconsistent = flags & BLKCOPY_META_BITMAP_INCONSISTENT;
	if (!bkc_bitmaps_publish(tr, b, NULL))
		return 0;
	bkc_bitmap_free(b);
	return -ENOMEM;
}

/* What cannot be read may all have changed. */
static void load_bits(struct bkc_bitmap *b, u64 first,
		      const struct blkcopy_meta_exact *slot)
{
	u64 left = BITS_TO_LONGS(b->nr), i;
	unsigned int tail = b->nr % BITS_PER_LONG, added = 0;

	if (first >= left)
		return;
	left = min_t(u64, left - first, BLKCOPY_META_WORDS);
	for (i = 0; i < left; i++) {
		unsigned long bits = slot ? le64_to_cpu(slot->words[i]) : ~0UL;

		if (tail && first + i == BITS_TO_LONGS(b->nr) - 1)
			bits &= ~0UL >> (BITS_PER_LONG - tail);
		if (!bits)
			continue;
		added += hweight_long(bits & ~b->bits[0][first + i]);
		b->bits[0][first + i] |= bits;
	}
	atomic64_add(added, &b->count[0]);
}

/**
 * bkc_bitmap_load - a sector has been read
 * @meta: metadata
 * @index: of the sector
 * @slot: what it says; NULL when it was never written, or cannot be read
 *
 * In order of @index. Returns 0 or -ENOMEM.
 */
int bkc_bitmap_load(struct bkc_meta *meta, u64 index,
		    const struct blkcopy_meta_exact *slot)
{
	struct bkc_tracker *tr = meta->s->tracker;
	u64 per = sectors_of(meta), sector;
	struct bkc_bitmap *b;
	int r = 0;

	div64_u64_rem(index, per, &sector);
	index = div64_u64(index, per);
	mutex_lock(&tr->mutex);
	b = of_slot(tr, index);
	if (!sector && slot)
		r = load_record(meta, index, (const void *)slot);
	else if (sector && b)
		load_bits(b, (sector - 1) * BLKCOPY_META_WORDS, slot);
	mutex_unlock(&tr->mutex);
	return r;
}

/* Are bits of a bitmap there, whose record has been read? */
bool bkc_bitmap_uses(struct bkc_meta *meta, u64 index)
{
	struct bkc_tracker *tr = meta->s->tracker;
	u64 per = sectors_of(meta), sector;
	struct bkc_bitmap *b;
	bool uses;

	div64_u64_rem(index, per, &sector);
	mutex_lock(&tr->mutex);
	b = of_slot(tr, div64_u64(index, per));
	uses = b && sector && sector <= sectors_of_bits(b);
	mutex_unlock(&tr->mutex);
	return uses;
}

/* What has been read of a sector is not what was written last, or may not be. */
void bkc_bitmap_doubt(struct bkc_meta *meta, u64 index)
{
	struct bkc_tracker *tr = meta->s->tracker;
	u64 per = sectors_of(meta), sector;
	struct bkc_bitmap *b;

	div64_u64_rem(index, per, &sector);
	mutex_lock(&tr->mutex);
	b = of_slot(tr, div64_u64(index, per));
	if (b && !sector)
		b->inconsistent = true;
	else if (b)
		load_bits(b, (sector - 1) * BLKCOPY_META_WORDS, NULL);
	mutex_unlock(&tr->mutex);
}

/* All are there: what was being written to counts as changed. */
static void note_marked(struct bkc_meta *meta)
{
	struct bkc_bitmaps *all;
	sector_t start, end;
	u64 segment = 0;
	unsigned int i;

	while (bkc_intent_next(meta, &segment, &start, &end)) {
		rcu_read_lock();
		all = rcu_dereference(meta->s->tracker->bitmaps);
		for (i = 0; all && i < all->nr; i++)
			bkc_bitmap_note(all->bitmap[i], start, end);
		rcu_read_unlock();
		cond_resched();
	}
}

int bkc_bitmaps_loaded(struct bkc_meta *meta)
{
	struct bkc_tracker *tr = meta->s->tracker;
	int r = bkc_intent_load(meta);

	if (r)
		return r;
	note_marked(meta);
	if (le32_to_cpu(meta->super->flags) & BLKCOPY_META_UNSEALED) {
		mutex_lock(&tr->mutex);
		bkc_bitmaps_void(tr);
		mutex_unlock(&tr->mutex);
	}
	return 0;
}
