/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The durable state of a volume: super.c and meta.c read and write its metadata
 * device, commit.c decides when, and in which order with the data.
 *
 * Of a mirror base has all, and "in both" is told of top: what is written after
 * that is marked first, see intent.c.
 *
 * The order, for every bit that says where data is (an exact bit): the data is
 * durable, then the bit is, then a flush is acknowledged. The map in memory runs
 * ahead of the disk: a write publishes its bits when its data has reached the
 * leg, and only a flush that comes after it has to wait for them.
 *
 * Locks: super_lock is outermost, process context, may be held over I/O. lock
 * is innermost, any context, irqs off.
 */
#ifndef BKC_META_H
#define BKC_META_H

#include "bkc.h"
#include "uapi/blkcopy_meta.h"

struct bkc_copy;

#define BKC_META_BATCH	64	/* exact sectors written between two flushes */

enum bkc_health {
	BKC_HEALTH_RW,
	/*
	 * A write of metadata failed: what is durable goes on to work, what
	 * needs a new durable bit gets EIO.
	 */
	BKC_HEALTH_META_RO,
};

/* Of intent.c, which says what the words mean. */
struct bkc_intent {
	u64 sectors;		/* of a segment, 512 bytes */
	u64 nr;			/* segments */
	u64 first;		/* 4 KiB, as is the next */
	u64 nr_sectors;
	spinlock_t lock;	/* of all changes of the four that follow */
	unsigned long *marked;
	unsigned long *durable;	/* read without the lock */
	unsigned long *clearing;
	u64 nr_marked;
	unsigned long *touched;	/* a hint */
	unsigned long *dirty;	/* sectors that differ from the disk */
	DECLARE_BITMAP(buckets, BKC_BUCKETS);	/* where writes wait for a mark */
	struct mutex write_lock;	/* of the two that follow, and of writing */
	struct page *image;
	u64 generation;
	struct workqueue_struct *wq;
	struct work_struct mark_work;
	struct delayed_work clear_work;
};

struct bkc_meta {
	struct bkc_state *s;
	struct block_device *bdev;
	u64 nr_exact;		/* in mode track the superblock says how many */
	u64 first_exact;	/* 4 KiB */

	/* Of the superblock. */
	struct mutex super_lock;
	struct blkcopy_meta_super *super;	/* the newest, as it is on disk */
	struct blkcopy_meta_super *next_super;	/* what is being written */
	bool may_write_base;	/* the disk says that it is no image, or is whole */
	bool loaded;		/* life_lock: read once, never again */
	bool closed;		/* no I/O is in flight, and all is durable */

	/* Exact sectors. */
	u64 *generation;	/* of commit_work: the newest that is durable */
	unsigned long *dirty;	/* differs from what the next commit will find */
	unsigned long *unsettled;	/* dirty, or in a commit that is not over */
	unsigned long *bad;	/* unreadable: its blocks are EIO */
	bool any_bad;
	bool distrusts;		/* life_lock: what was unreadable may be there again */
	u32 relies;		/* life_lock: flags, if what is to come does not */
	enum bkc_health health;

	/*
	 * A user's write published a bit that redirects it: wanted is counted
	 * up. durable is what wanted was when the last commit that succeeded
	 * took its images. While they differ, a flush needs a commit.
	 */
	u64 wanted;		/* lock */
	u64 durable;		/* of meta->wq */
	bool publishing;	/* lock: the map is ahead of what is said here */
	u32 resets;		/* lock: of the map, begun */
	u32 resets_done;	/* lock: that are dirty here */
	u32 resets_durable;	/* that the disk knows of */

	/* Of lost.c. */
	bool lost;		/* a flush of the leg that copies go to has failed */
	bool one_way;		/* copies were published that are nowhere else */
	bool lost_for_good;	/* of meta->wq, or preresume: no bit becomes durable */

	spinlock_t lock;	/* of the two that follow, and of what says so */
	struct bio_list waiters;	/* flushes, FUA writes whose data is there */
	struct list_head syncers;	/* bkc_meta_commit() */

	struct bkc_intent intent;	/* of a mirror, and of bitmaps */

	struct workqueue_struct *wq;	/* one commit at a time */
	struct work_struct commit_work;
	struct delayed_work lazy_work;	/* background copies' bits */
	struct bio_set bios;
	struct page *images[BKC_META_BATCH];

	/* Of record.c. */
	bool open;		/* life_lock to change: the disk says it is in use */
	bool ordered;		/* writes wait for what is said here */
	bool refuses;		/* the view is broken, and the disk does not know */
	bool waits;		/* a write waits for a commit */
	spinlock_t record_lock;	/* of the next two */
	struct list_head to_record;	/* copies */
	struct bio_list discards;	/* of views, on their way to top */
	struct list_head recorded;	/* of record_work: what the images add */
	struct work_struct record_work;
	struct work_struct break_work;

	atomic64_t commits;
	u32 torn;		/* sectors whose newer slot was bad at load */
};

/* meta.c */
struct bkc_meta *bkc_meta_create(struct bkc_state *s, struct block_device *bdev,
				 char **error);
void bkc_meta_stop(struct bkc_meta *meta);
void bkc_meta_destroy(struct bkc_meta *meta);
int bkc_meta_open(struct bkc_meta *meta, struct bkc_table *t);
void bkc_meta_close(struct bkc_meta *meta, bool goes_on);
void bkc_meta_is_past(struct bkc_meta *meta);
void bkc_meta_capture(struct bkc_meta *meta, u64 index, struct page *image);
void bkc_meta_failed(struct bkc_meta *meta, const char *what, int r);

#define BKC_META_SECTOR_SHIFT	(12 - SECTOR_SHIFT)
void bkc_meta_seal(struct bkc_meta *meta, struct blkcopy_meta_header *h,
		   u64 magic, u64 index, u64 generation);
bool bkc_meta_is(const struct blkcopy_meta_header *h, u64 magic, u64 index);
static inline bool bkc_meta_has_bitmaps(const struct bkc_meta *meta)
{
	return meta->s->mode->meta_mode == BLKCOPY_META_MODE_TRACK;
}

/* While it is loaded. */
static inline bool bkc_meta_was_clean(const struct bkc_meta *meta)
{
	return meta->super->flags & cpu_to_le32(BLKCOPY_META_CLEAN);
}

int bkc_meta_io(struct bkc_meta *meta, blk_opf_t opf, u64 first,
		struct page **pages, unsigned int nr);

/* exact.c */
int bkc_meta_load_exact(struct bkc_meta *meta);
void bkc_meta_supersede(struct bkc_meta *meta);
bool bkc_meta_has_lost(const struct bkc_meta *meta);
bool bkc_meta_find_bad(struct bkc_meta *meta, u64 first, u64 nr);

/* super.c */
int bkc_meta_read_super(struct bkc_meta *meta);
int bkc_meta_check_super(struct bkc_meta *meta, struct bkc_table *t);
int bkc_meta_write_super(struct bkc_meta *meta, enum bkc_phase phase, u32 set,
			 u32 clear);
int bkc_meta_try_super(struct bkc_meta *meta, enum bkc_phase phase, u32 set);
void bkc_meta_repeat_super(struct bkc_meta *meta);
u32 bkc_meta_exact_sum(const struct bkc_meta *meta, bool doubts);
enum bkc_phase bkc_meta_phase(const struct bkc_meta *meta);

/* commit.c */
u64 bkc_meta_publish(struct bkc_meta *meta, u64 first, u64 nr,
		     enum bkc_valid valid, bool by_user);
void bkc_meta_written(struct bkc_meta *meta, u64 first, u64 nr);
void bkc_meta_wait(struct bkc_meta *meta, struct bio *bio);
void bkc_meta_begin_reset(struct bkc_meta *meta);
void bkc_meta_dirty_all(struct bkc_meta *meta);
int bkc_meta_commit(struct bkc_meta *meta);
void bkc_meta_commit_work(struct work_struct *work);
void bkc_meta_lazy_work(struct work_struct *work);
int bkc_meta_commit_here(struct bkc_meta *meta);
bool bkc_meta_is_unsettled(struct bkc_meta *meta, u64 first, u64 nr);

/* lost.c */
bool bkc_lost_note(struct bkc_state *s, enum bkc_leg leg);
int bkc_lost_settle(struct bkc_meta *meta, bool one_way);
int bkc_lost_look(struct bkc_meta *meta);
void bkc_lost_for_good(struct bkc_meta *meta);

/* record.c */
void bkc_record_init(struct bkc_meta *meta);
void bkc_record_exit(struct bkc_meta *meta);
void bkc_record_capture(const struct bkc_meta *meta, u64 index,
			struct blkcopy_meta_exact *exact);
bool bkc_record_copy(struct bkc_copy *copy);
void bkc_record_discard(struct bkc_meta *meta, struct bio *bio);
void bkc_record_wait(struct bkc_meta *meta);
void bkc_record_break(struct bkc_meta *meta);
void bkc_record_open(struct bkc_meta *meta, bool persistent,
		     enum bkc_phase said, int r);
void bkc_record_close(struct bkc_meta *meta);
enum bkc_phase bkc_record_phase(const struct bkc_meta *meta);

/* Do writes of a backup wait until the disk says what is preserved? */
static inline bool bkc_meta_is_ordered(const struct bkc_meta *meta)
{
	return meta && READ_ONCE(meta->ordered);
}

/* intent.c */
bool bkc_intent_begin(struct bkc_meta *meta, sector_t start, sector_t end,
		      u8 *epoch);
bool bkc_intent_ready(struct bkc_meta *meta, sector_t start, sector_t end);
int bkc_intent_load(struct bkc_meta *meta);
bool bkc_intent_next(struct bkc_meta *meta, u64 *segment, sector_t *start,
		     sector_t *end);
int bkc_mirror_load(struct bkc_meta *meta);
void bkc_intent_start(struct bkc_meta *meta);
void bkc_intent_stop(struct bkc_meta *meta);
int bkc_intent_clear_all(struct bkc_meta *meta);
int bkc_intent_init(struct bkc_meta *meta);
void bkc_intent_free(struct bkc_meta *meta);
void bkc_intent_exit(struct bkc_meta *meta);

/* Must a flush that arrives now wait for a commit? Any context. */
static inline bool bkc_meta_must_commit(struct bkc_meta *meta)
{
	/* Pairs with the release in bkc_meta_publish(). */
	return smp_load_acquire(&meta->publishing) ||
	       READ_ONCE(meta->wanted) != READ_ONCE(meta->durable);
}

/*
 * May the disk say "in both" of blocks that are base-only? Bucket lock held: who
 * takes it after the sync of bkc_drop_top() sees the reset.
 */
static inline bool bkc_meta_is_reset(const struct bkc_meta *meta)
{
	/* Pairs with the release in commit(). */
	u32 durable = smp_load_acquire(&meta->resets_durable);

	return READ_ONCE(meta->resets) != durable;
}

static inline u64 bkc_meta_index(u64 block)
{
	return div_u64(block, BLKCOPY_META_BLOCKS);
}

/* Is the state of any of these blocks unreadable? Any context. */
static inline bool bkc_meta_has_bad(struct bkc_meta *meta, u64 first, u64 nr)
{
	return unlikely(READ_ONCE(meta->any_bad)) &&
	       bkc_meta_find_bad(meta, first, nr);
}

/* past.c */
bool __bkc_past_is_ours(struct bkc_state *s, struct bkc_table *t);
bool bkc_past_went(const struct bkc_state *s, const void *md);
bool bkc_past_goes_on(struct bkc_state *s, const struct bkc_table *t);
void __bkc_past_looked_for(struct bkc_state *s);
void bkc_past_looked_for(struct bkc_state *s, bool gone);

#endif /* BKC_META_H */
