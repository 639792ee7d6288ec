/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named bitmaps of changed blocks: tracker.c sees the writes, known.c notes them,
 * bitmap.c has the bits, bitmap_meta.c keeps them on a metadata device.
 *
 * Locks: mutex is outermost, process context. The I/O path finds the bitmaps by
 * RCU and changes bits by atomics.
 */
#ifndef BKC_BITMAP_H
#define BKC_BITMAP_H

#include <linux/rcupdate.h>

#include "bkc.h"

#define TRACKER_DRAIN_MAX	(5 * HZ)

struct bkc_bitmap {
	char name[BLKCOPY_BITMAP_NAME_MAX + 1];
	struct bkc_tracker *tracker;
	unsigned int slot;	/* on the metadata device */
	unsigned int shift;	/* sectors of a granule */
	u64 nr;			/* granules */
	bool recording;
	bool unstored;		/* the disk calls it recording still: for its marks */
	bool frozen;
	bool inconsistent;	/* it may have missed writes */
	bool gone;		/* the disk is to say so, then it is */
	bool lapsed[2];		/* by side: it did not record all the time */
	/*
	 * Writes are noted in side active. The other is there while it is
	 * frozen, and has what had changed by then.
	 */
	unsigned int active;
	unsigned long *bits[2];
	atomic64_t count[2];
};

struct bkc_bitmaps {
	unsigned int nr;
	struct bkc_bitmap *bitmap[];
};

/* tracker.c */
struct bkc_tracker *bkc_tracker_create(struct bkc_meta *meta);
void bkc_tracker_free(struct bkc_tracker *tr);
int bkc_tracker_switch(struct bkc_tracker *tr);

/* bitmap.c */
void bkc_bitmap_note(struct bkc_bitmap *b, sector_t start, sector_t end);
int bkc_bitmap_add(struct bkc_tracker *tr, const char *name, u64 granule,
		   bool recording);
int bkc_bitmap_remove(struct bkc_tracker *tr, const char *name);
int bkc_bitmap_clear(struct bkc_tracker *tr, const char *name);
int bkc_bitmap_enable(struct bkc_tracker *tr, const char *name, bool recording);
int bkc_bitmap_freeze(struct bkc_tracker *tr, const char *name);
int bkc_bitmap_thaw(struct bkc_tracker *tr, const char *name);
int bkc_bitmap_merge(struct bkc_tracker *tr, const char *name,
		     const char *source);
struct bkc_bitmap *bkc_bitmap_find(struct bkc_tracker *tr, const char *name);
bool bkc_bitmap_is_name(const char *name);
u64 bkc_bitmap_run(const struct bkc_bitmap *b, u64 *first, u64 end);
u64 bkc_bitmap_dirty(const struct bkc_bitmap *b, unsigned int block_shift);
const char *bkc_bitmap_state(const struct bkc_bitmap *b);
void bkc_bitmaps_void(struct bkc_tracker *tr);
void bkc_bitmaps_free(struct bkc_tracker *tr);
int bkc_bitmaps_publish(struct bkc_tracker *tr, struct bkc_bitmap *added,
			const struct bkc_bitmap *removed);
struct bkc_bitmap *bkc_bitmap_alloc(struct bkc_tracker *tr, const char *name,
				    unsigned int shift, gfp_t gfp);
void bkc_bitmap_free(struct bkc_bitmap *b);

/* sync.c */
void bkc_sync_start(struct bkc_state *s, struct bkc_table *t);

/* known.c */
void bkc_known_note(struct bkc_tracker *tr, sector_t start, sector_t end);
void bkc_known_renew(struct bkc_tracker *tr);

/* bitmap_meta.c */
struct bkc_meta;
struct blkcopy_meta_exact;
u64 bkc_bitmap_sectors(sector_t len, unsigned int block_shift);
void bkc_bitmap_dirty_bits(struct bkc_bitmap *b, u64 word);
void bkc_bitmap_dirty_record(struct bkc_bitmap *b);
void bkc_bitmap_dirty_slot(struct bkc_bitmap *b);
void bkc_bitmap_doubt(struct bkc_meta *meta, u64 index);
bool bkc_bitmap_uses(struct bkc_meta *meta, u64 index);
int bkc_bitmap_take_slot(struct bkc_tracker *tr, unsigned int *slot);
int bkc_bitmap_store(struct bkc_tracker *tr);
void bkc_bitmap_capture(struct bkc_meta *meta, u64 index,
			struct blkcopy_meta_exact *image);
int bkc_bitmap_load(struct bkc_meta *meta, u64 index,
		    const struct blkcopy_meta_exact *slot);
int bkc_bitmaps_loaded(struct bkc_meta *meta);

#endif /* BKC_BITMAP_H */
