// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a new mirror with state in memory need not copy, because its line says so:
 * nothing of it ("nosync": top is equal to base), or what has not changed by a
 * bitmap ("sync": top holds what the volume held when that began).
 *
 * Of nosync the user is believed. Of sync as well, as to top; but that the bitmap
 * has every write since it began is ours to know. Where there is any doubt all of
 * it is copied: that costs time, and a block that is wrongly in both costs the data.
 */
#include <linux/sched.h>

#include "bitmap.h"
#include "meta.h"

/* Granules that are looked at, and blocks that change, at once: some milliseconds. */
#define SLICE		BIT_ULL(20)

/*
 * tr->mutex held. Has another dm device a live table on the tracker? What it has
 * written is not all this one's, and what this one has held before is not in it.
 */
static bool is_shared(struct bkc_tracker *tr, const struct bkc_table *t)
{
	const void *md = dm_table_get_md(t->ti->table);
	struct bkc_table *other;

	list_for_each_entry(other, &tr->tables, tracked)
		if (READ_ONCE(other->live) &&
		    dm_table_get_md(other->ti->table) != md)
			return true;
	return false;
}

/* tr->mutex held. Why the bitmap is not to be believed, or NULL. */
static const char *why_not(struct bkc_tracker *tr, const struct bkc_table *t,
			   const struct bkc_bitmap *b)
{
	if (!b)
		return "there is no such bitmap";
	/* A write of a longer table says so without the lock. */
	if (READ_ONCE(b->inconsistent))
		return "it may have missed writes";
	/* Of its two sides one is somebody's who copies it. */
	if (b->frozen)
		return "it is frozen";
	if (!b->recording)
		return "it is disabled";
	if (b->lapsed[b->active])
		return "it was disabled for a while";
	if (tr->len != t->ti->len)
		return "it is of another length";
	if (tr->meta && READ_ONCE(tr->meta->health) != BKC_HEALTH_RW)
		return "its metadata has failed";
	if (is_shared(tr, t))
		return "another device writes to it";
	return NULL;
}

/* Every block that has one of the sectors @start to @end-1 is to be copied. */
static void set_changed(struct bkc_map *map, sector_t start, sector_t end)
{
	u64 first, nr = bkc_map_span(map, start, min(end, map->len), &first);

	while (nr) {
		u64 n = min(nr, SLICE);

		bkc_map_set(map, first, n, BKC_IN_BASE);
		first += n;
		nr -= n;
		cond_resched();
	}
}

/*
 * tr->mutex held, nothing in flight. By sectors: a granule is a block or several,
 * but of a table that was loaded before there were bitmaps a part of one.
 */
static void copy_changed(struct bkc_map *map, const struct bkc_bitmap *b)
{
	u64 first = 0, run;

	bkc_map_start_in(map, BKC_IN_BOTH);
	while (first < b->nr) {
		run = bkc_bitmap_run(b, &first, min(b->nr, first + SLICE));
		if (run)
			set_changed(map, first << b->shift,
				    (first + run) << b->shift);
		first += run;
		cond_resched();
	}
}

/**
 * bkc_sync_start - what is in both before anything is copied
 * @s: state; its map is new, every block base-only
 * @t: the first of its tables that is resumed
 *
 * In resume, life_lock held: no table is live, nothing is in flight, and so a bit
 * that is not set is one of no write. Process context; nobody but us looks at the
 * map, as the copier, a pivot and "verify" ask for a live table first.
 */
void bkc_sync_start(struct bkc_state *s, struct bkc_table *t)
{
	struct bkc_tracker *tr = t->tracker;
	const struct bkc_bitmap *b;
	const char *why;

	if (t->params.nosync)
		bkc_map_start_in(&s->map, BKC_IN_BOTH);
	if (!t->sync[0])
		return;
	/* It is asked again when the tracker is told of the table, after us. */
	bkc_tracker_went_past(t);
	mutex_lock(&tr->mutex);
	b = bkc_bitmap_find(tr, t->sync);
	why = why_not(tr, t, b);
	if (!why)
		copy_changed(&s->map, b);
	mutex_unlock(&tr->mutex);
	if (why)
		DMWARN("%s: sync %s: %s: everything is copied",
		       dm_table_device_name(t->ti->table), t->sync, why);
}
