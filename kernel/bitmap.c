// SPDX-License-Identifier: GPL-2.0-only
/*
 * A named bitmap: which granules of the volume have been written to since it was
 * added or cleared. A granule is a power of two of blocks.
 *
 * Frozen, it has two sides: what had changed is kept for whoever copies it, and
 * writes are noted in the other. Then either it is cleared, and what was kept is
 * forgotten, or it is thawed as it is, and both sides are one again: a backup
 * that failed loses nothing. The two sides are qemu's bitmap and its successor.
 *
 * All but bkc_bitmap_note() is process context with tr->mutex held.
 */
#include <linux/bitmap.h>
#include <linux/ctype.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bitmap.h"

static u64 longs_of(const struct bkc_bitmap *b)
{
	return BITS_TO_LONGS(b->nr);
}

static unsigned long *alloc_bits(u64 nr)
{
	return kvcalloc(BITS_TO_LONGS(nr), sizeof(long), GFP_NOIO);
}

/**
 * bkc_bitmap_note - a write concerns these sectors
 * @b: bitmap
 * @start: of the target, sectors
 * @end: sectors
 *
 * Any context, under rcu_read_lock(). A word is looked at before it is written:
 * all processors share it.
 */
void bkc_bitmap_note(struct bkc_bitmap *b, sector_t start, sector_t end)
{
	u64 first = start >> b->shift, last = (end - 1) >> b->shift, word;
	unsigned int side;

	if (!READ_ONCE(b->recording))
		return;
	/* A table of another length, loaded before there were bitmaps. */
	if (unlikely(last >= b->nr)) {
		WRITE_ONCE(b->inconsistent, true);
		return;
	}
	/* Pairs with the release in bkc_bitmap_freeze(): its bits are there. */
	side = smp_load_acquire(&b->active);
	if (first == last && likely(test_bit(first, b->bits[side])))
		return;
	for (word = first / BITS_PER_LONG; word <= last / BITS_PER_LONG; word++) {
		unsigned long mask = ~0UL, *p = &b->bits[side][word];

		if (word == first / BITS_PER_LONG)
			mask &= ~0UL << (first % BITS_PER_LONG);
		if (word == last / BITS_PER_LONG)
			mask &= ~0UL >> (BITS_PER_LONG - 1 - last % BITS_PER_LONG);
		if (likely((READ_ONCE(*p) & mask) == mask))
			continue;
		mask &= ~atomic_long_fetch_or(mask, (atomic_long_t *)p);
		atomic64_add(hweight_long(mask), &b->count[side]);
		if (b->tracker->meta)
			bkc_bitmap_dirty_bits(b, word);
	}
}

struct bkc_bitmap *bkc_bitmap_alloc(struct bkc_tracker *tr, const char *name,
				    unsigned int shift, gfp_t gfp)
{
	struct bkc_bitmap *b = kzalloc(sizeof(*b), gfp);

	if (!b)
		return NULL;
	strscpy(b->name, name, sizeof(b->name));
	b->tracker = tr;
	b->shift = shift;
	b->nr = DIV_ROUND_UP_ULL(tr->len, 1ULL << shift);
	b->bits[0] = alloc_bits(b->nr);
	if (b->bits[0])
		return b;
	kfree(b);
	return NULL;
}

void bkc_bitmap_free(struct bkc_bitmap *b)
{
	if (!b)
		return;
	kvfree(b->bits[0]);
	kvfree(b->bits[1]);
	kfree(b);
}

static struct bkc_bitmaps *all_of(struct bkc_tracker *tr)
{
	return rcu_dereference_protected(tr->bitmaps,
					 lockdep_is_held(&tr->mutex));
}

struct bkc_bitmap *bkc_bitmap_find(struct bkc_tracker *tr, const char *name)
{
	struct bkc_bitmaps *all = all_of(tr);
	unsigned int i;

	for (i = 0; all && i < all->nr; i++)
		if (!strcmp(all->bitmap[i]->name, name))
			return all->bitmap[i];
	return NULL;
}

/**
 * bkc_bitmaps_publish - the set of bitmaps changes
 * @tr: tracker
 * @added: one more, or NULL
 * @removed: one less, or NULL; nobody uses it any more on return
 *
 * Returns 0 or -ENOMEM.
 */
int bkc_bitmaps_publish(struct bkc_tracker *tr, struct bkc_bitmap *added,
			const struct bkc_bitmap *removed)
{
	struct bkc_bitmaps *old = all_of(tr), *new = NULL;
	unsigned int nr = old ? old->nr : 0, i, n = 0;

	if (nr + !!added > !!removed) {
		new = kzalloc(struct_size(new, bitmap, nr + 1), GFP_NOIO);
		if (!new)
			return -ENOMEM;
		for (i = 0; i < nr; i++)
			if (old->bitmap[i] != removed)
				new->bitmap[n++] = old->bitmap[i];
		if (added)
			new->bitmap[n++] = added;
		new->nr = n;
	}
	rcu_assign_pointer(tr->bitmaps, new);
	bkc_known_renew(tr);
	synchronize_rcu();
	kfree(old);
	return 0;
}

void bkc_bitmaps_free(struct bkc_tracker *tr)
{
	struct bkc_bitmaps *all = rcu_dereference_protected(tr->bitmaps, true);
	unsigned int i;

	for (i = 0; all && i < all->nr; i++)
		bkc_bitmap_free(all->bitmap[i]);
	kfree(all);
	RCU_INIT_POINTER(tr->bitmaps, NULL);
	bkc_known_renew(tr);
}

/* Writes may have gone past us: no bitmap says what has changed. */
void bkc_bitmaps_void(struct bkc_tracker *tr)
{
	struct bkc_bitmaps *all = all_of(tr);
	unsigned int i;

	for (i = 0; all && i < all->nr; i++) {
		all->bitmap[i]->inconsistent = true;
		if (tr->meta)
			bkc_bitmap_dirty_slot(all->bitmap[i]);
	}
}

/*
 * ---- Messages
 */

bool bkc_bitmap_is_name(const char *name)
{
	const char *p;

	for (p = name; *p; p++)
		if (!isalnum(*p) && !strchr("-_.+:", *p))
			return false;
	return p != name && p - name <= BLKCOPY_BITMAP_NAME_MAX;
}

/**
 * bkc_bitmap_add - begin to record changes
 * @tr: tracker
 * @name: of the bitmap
 * @granule: sectors, a power of two
 * @recording: from now on, or when it is enabled
 *
 * Returns 0, -EINVAL, -EEXIST, -ENOSPC: there are as many as there can be,
 * -ENOMEM, -ETIMEDOUT: a write that is in flight does not end, or what writing
 * the metadata returned.
 */
int bkc_bitmap_add(struct bkc_tracker *tr, const char *name, u64 granule,
		   bool recording)
{
	struct bkc_bitmaps *all = all_of(tr);
	struct bkc_bitmap *b;
	int r = 0;

	if (!bkc_bitmap_is_name(name))
		return -EINVAL;
	if (bkc_bitmap_find(tr, name))
		return -EEXIST;
	if (all && all->nr >= BLKCOPY_BITMAPS_MAX)
		return -ENOSPC;
	b = bkc_bitmap_alloc(tr, name, ilog2(granule), GFP_NOIO);
	if (!b)
		return -ENOMEM;
	if (tr->meta)
		r = bkc_bitmap_take_slot(tr, &b->slot);
	b->recording = recording;
	b->lapsed[b->active] = !recording;
	if (!r)
		r = bkc_bitmaps_publish(tr, b, NULL);
	if (r) {
		bkc_bitmap_free(b);
		return r;
	}
	/*
	 * Writes in flight are changes, and are noted when they end; but their
	 * segments are not marked, so a crash must not find them out.
	 */
	r = bkc_tracker_switch(tr);
	if (!r && tr->meta) {
		/* It is there when the caller is told so, and after a crash. */
		bkc_bitmap_dirty_slot(b);
		r = bkc_bitmap_store(tr);
		if (r) {
			/* The disk may say by now that it records: so it does. */
			b->inconsistent = true;
			bkc_bitmap_dirty_record(b);
			return r;
		}
	}
	if (r && !bkc_bitmaps_publish(tr, NULL, b))
		bkc_bitmap_free(b);
	return r;
}

/*
 * On the disk first: while that says that it records, it does. Returns 0, -ENOENT,
 * -ENOMEM, or what writing the metadata returned.
 */
int bkc_bitmap_remove(struct bkc_tracker *tr, const char *name)
{
	struct bkc_bitmap *b = bkc_bitmap_find(tr, name);
	int r = 0;

	if (!b)
		return -ENOENT;
	if (tr->meta) {
		WRITE_ONCE(b->gone, true);
		bkc_bitmap_dirty_record(b);
		r = bkc_bitmap_store(tr);
	}
	if (!r)
		r = bkc_bitmaps_publish(tr, NULL, b);
	if (!r) {
		bkc_bitmap_free(b);
		return 0;
	}
	if (tr->meta) {
		/* The disk may say that it is not there: nothing is lost by that. */
		WRITE_ONCE(b->gone, false);
		bkc_bitmap_dirty_record(b);
	}
	return r;
}

/* The other side is empty, and writes go there from here on. */
static int turn(struct bkc_bitmap *b)
{
	unsigned int side = !b->active;

	b->bits[side] = alloc_bits(b->nr);
	if (!b->bits[side])
		return -ENOMEM;
	b->lapsed[side] = !b->recording;
	atomic64_set(&b->count[side], 0);
	/* Pairs with the acquire in bkc_bitmap_note(). */
	smp_store_release(&b->active, side);
	bkc_known_renew(b->tracker);
	bkc_tracker_switch(b->tracker);
	return 0;
}

/* Nobody notes there any more: bkc_tracker_switch() has been since. */
static void drop_side(struct bkc_bitmap *b, unsigned int side)
{
	unsigned long *bits = b->bits[side];

	/* Pairs with the barrier in put_bits(): what was in it has been added. */
	smp_store_release(&b->bits[side], NULL);
	b->lapsed[side] = false;
	atomic64_set(&b->count[side], 0);
	/* Whoever captures them for the metadata looks under RCU. */
	synchronize_rcu();
	kvfree(bits);
}

/*
 * What it has is all there is, from here on. The bits are durable before it is said
 * that they are to be believed: it has been incomplete until now.
 */
static int mend(struct bkc_bitmap *b)
{
	struct bkc_tracker *tr = b->tracker;
	int r = tr->meta ? bkc_bitmap_store(tr) : 0;

	if (r)
		return r;
	b->inconsistent = false;
	if (!tr->meta)
		return 0;
	bkc_bitmap_dirty_record(b);
	r = bkc_bitmap_store(tr);
	if (r) {
		b->inconsistent = true;
		bkc_bitmap_dirty_record(b);
	}
	return r;
}

/*
 * Nothing has changed, as of now; of a frozen one what was kept is forgotten.
 * One that was inconsistent is not any more, unless something is kept: that is
 * durable when this returns. Returns 0, -ENOENT, -ENOMEM, or what writing the
 * metadata returned.
 */
int bkc_bitmap_clear(struct bkc_tracker *tr, const char *name)
{
	struct bkc_bitmap *b = bkc_bitmap_find(tr, name);
	bool mended;
	int r;

	if (!b)
		return -ENOENT;
	mended = !b->frozen && b->inconsistent;
	if (!b->frozen) {
		r = turn(b);
		if (r)
			return r;
	}
	drop_side(b, !b->active);
	b->frozen = false;
	if (tr->meta)
		bkc_bitmap_dirty_slot(b);
	return mended ? mend(b) : 0;
}

/*
 * After a crash marks are looked at for what the disk calls recording: of one that
 * is not any more its bits are durable before that is said.
 */
static int store_disabled(struct bkc_bitmap *b)
{
	int r;

	bkc_bitmap_dirty_slot(b);
	r = bkc_bitmap_store(b->tracker);
	if (r)
		return r;
	WRITE_ONCE(b->unstored, false);
	bkc_bitmap_dirty_record(b);
	return bkc_bitmap_store(b->tracker);
}

/*
 * Returns 0, -ENOENT, or what writing the metadata returned: then one that was to
 * record does not, and one that was not to does after a crash.
 */
int bkc_bitmap_enable(struct bkc_tracker *tr, const char *name, bool recording)
{
	struct bkc_bitmap *b = bkc_bitmap_find(tr, name);
	bool was;
	int r;

	if (!b)
		return -ENOENT;
	was = b->recording;
	/* Before a write can be missed: the disk may be told at any time. */
	if (!recording)
		b->lapsed[b->active] = true;
	if (tr->meta)
		WRITE_ONCE(b->unstored, !recording && (was || b->unstored));
	WRITE_ONCE(b->recording, recording);
	bkc_known_renew(tr);
	bkc_tracker_switch(tr);
	if (!tr->meta)
		return 0;
	if (!recording)
		return store_disabled(b);
	bkc_bitmap_dirty_slot(b);
	r = bkc_bitmap_store(tr);
	if (r && !was) {
		WRITE_ONCE(b->recording, false);
		bkc_known_renew(tr);
	}
	return r;
}

/* What may have missed writes counts all as changed. Nobody notes in this side. */
static void fill_side(struct bkc_bitmap *b, unsigned int side)
{
	unsigned int tail = b->nr % BITS_PER_LONG;
	u64 i;

	for (i = 0; i < longs_of(b); i++) {
		if (!(i % 4096))
			cond_resched();
		WRITE_ONCE(b->bits[side][i], ~0UL);
	}
	if (tail)
		b->bits[side][longs_of(b) - 1] = ~0UL >> (BITS_PER_LONG - tail);
	atomic64_set(&b->count[side], b->nr);
}

/*
 * Of one that is inconsistent all is kept as changed, and from here on it is not
 * any more: a backup of all of it makes good what it has missed, and one that fails
 * leaves all as changed. Returns 0, -ENOENT, -EBUSY when it is frozen, -ENOMEM, or
 * what writing the metadata returned.
 */
int bkc_bitmap_freeze(struct bkc_tracker *tr, const char *name)
{
	struct bkc_bitmap *b = bkc_bitmap_find(tr, name);
	int r;

	if (!b)
		return -ENOENT;
	if (b->frozen)
		return -EBUSY;
	r = turn(b);
	if (r)
		return r;
	b->frozen = true;
	if (!b->inconsistent)
		return 0;
	fill_side(b, !b->active);
	if (tr->meta) {
		/* Its bits first: a crash must not find old ones that are believed. */
		bkc_bitmap_dirty_slot(b);
		r = bkc_bitmap_store(tr);
		if (r) {
			bkc_bitmap_thaw(tr, name);
			return r;
		}
	}
	b->inconsistent = false;
	if (tr->meta)
		bkc_bitmap_dirty_record(b);
	return 0;
}

/* Into the active side, as if it had been noted there. */
static void add_bits(struct bkc_bitmap *b, const unsigned long *from)
{
	unsigned int side = b->active;
	u64 i;

	for (i = 0; i < longs_of(b); i++) {
		unsigned long bits = READ_ONCE(from[i]);

		if (!(i % 4096))
			cond_resched();
		if (!bits)
			continue;
		bits &= ~atomic_long_fetch_or(bits,
					      (atomic_long_t *)&b->bits[side][i]);
		atomic64_add(hweight_long(bits), &b->count[side]);
		if (bits && b->tracker->meta)
			bkc_bitmap_dirty_bits(b, i);
	}
}

/* Both sides are one. Returns 0, -ENOENT, -EINVAL when it is not frozen. */
int bkc_bitmap_thaw(struct bkc_tracker *tr, const char *name)
{
	struct bkc_bitmap *b = bkc_bitmap_find(tr, name);

	if (!b)
		return -ENOENT;
	if (!b->frozen)
		return -EINVAL;
	add_bits(b, b->bits[!b->active]);
	b->lapsed[b->active] |= b->lapsed[!b->active];
	b->frozen = false;
	drop_side(b, !b->active);
	return 0;
}

/* Granules of another size. */
static void add_scaled(struct bkc_bitmap *b, const struct bkc_bitmap *from,
		       const unsigned long *bits)
{
	u64 first, last, i;

	for_each_set_bit(i, bits, from->nr) {
		first = (i << from->shift) >> b->shift;
		last = min_t(u64, (((i + 1) << from->shift) - 1) >> b->shift,
			     b->nr - 1);
		for (; first <= last; first++) {
			if (test_and_set_bit(first, b->bits[b->active]))
				continue;
			atomic64_inc(&b->count[b->active]);
			if (b->tracker->meta)
				bkc_bitmap_dirty_bits(b, first / BITS_PER_LONG);
		}
		cond_resched();
	}
}

/**
 * bkc_bitmap_merge - what has changed in one has changed in the other too
 * @tr: tracker
 * @name: it gets the bits
 * @source: it has them
 *
 * Returns 0, -ENOENT, -EBUSY when @name is frozen, -ESTALE when either is
 * inconsistent, or what writing the metadata returned.
 */
int bkc_bitmap_merge(struct bkc_tracker *tr, const char *name,
		     const char *source)
{
	struct bkc_bitmap *b = bkc_bitmap_find(tr, name);
	struct bkc_bitmap *from = bkc_bitmap_find(tr, source);
	int side;

	if (!b || !from)
		return -ENOENT;
	if (b->frozen)
		return -EBUSY;
	if (b->inconsistent || from->inconsistent)
		return -ESTALE;
	for (side = 0; b != from && side < 2; side++) {
		if (!from->bits[side])
			continue;
		if (b->shift == from->shift)
			add_bits(b, from->bits[side]);
		else
			add_scaled(b, from, from->bits[side]);
	}
	/* No mark is over these bits, and the source may be cleared next. */
	return tr->meta ? bkc_bitmap_store(tr) : 0;
}

/*
 * ---- Looking at it
 */

static unsigned int side_to_show(const struct bkc_bitmap *b)
{
	return b->frozen ? !b->active : b->active;
}

/**
 * bkc_bitmap_run - a run of changed granules
 * @b: bitmap
 * @first: granule to begin at; moved to where the run begins, or to @end
 * @end: granule to stop before
 *
 * Returns its length, 0 when there is none.
 */
u64 bkc_bitmap_run(const struct bkc_bitmap *b, u64 *first, u64 end)
{
	const unsigned long *bits = b->bits[side_to_show(b)];

	*first = find_next_bit(bits, end, *first);
	/* What is scattered is mostly single. */
	if (*first + 1 < end && !test_bit(*first + 1, bits))
		return 1;
	return find_next_zero_bit(bits, end, *first) - *first;
}

/* How many blocks have changed, at most: the last granule may be a short one. */
u64 bkc_bitmap_dirty(const struct bkc_bitmap *b, unsigned int block_shift)
{
	u64 granules = max_t(s64, atomic64_read(&b->count[side_to_show(b)]), 0);
	u64 blocks = DIV_ROUND_UP_ULL(b->tracker->len, 1ULL << block_shift);

	return min(granules << (b->shift - min(b->shift, block_shift)), blocks);
}

const char *bkc_bitmap_state(const struct bkc_bitmap *b)
{
	if (b->inconsistent)
		return BLKCOPY_BITMAP_INCONSISTENT;
	if (b->frozen)
		return BLKCOPY_BITMAP_FROZEN;
	return b->recording ? BLKCOPY_BITMAP_RECORDING : BLKCOPY_BITMAP_DISABLED;
}
