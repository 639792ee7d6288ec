/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dm-blkcopy: internal types, and what each file offers the others.
 *
 *	target.c	the target type: ctr, dtr, suspend, resume, limits
 *	args.c		the table line's words to and from struct bkc_params
 *	state.c		the state object and the registry tables share it by
 *	map.c		the block map: two validity bits a block
 *	range.c, range_copy.c	ranges in flight, hashed; who may go, who waits
 *	io.c		map and end_io: reads, writes, dual writes, flushes
 *	copy.c, buffer.c	one copy of one run: read, scan, write, publish
 *	copier.c	which run is copied next, and when
 *	redirect.c	what of that stream, overlay and commit do their own way
 *	nospace.c	writes that wait for room in top
 *	merge.c		writes of a part of a block that has to move
 *	reader.c	copy_on_read
 *	verify.c	compares the legs
 *	backup.c	copy-before-write
 *	view.c		the target type blkcopy-view
 *	release.c	old data that no view is to be read for
 *	record.c	what is preserved, on a metadata device
 *	meta.c, super.c, exact.c	the metadata device
 *	past.c		whether writes may have gone past us
 *	commit.c	when its bits become durable
 *	lost.c		a leg has lost what bits are about to speak of
 *	tracker.c	change tracking: who notes a write, and when
 *	known.c		what all bitmaps of a volume know, and a write need not note
 *	bitmap.c, bitmap_meta.c	bitmaps of changed blocks, and on a metadata device
 *	intent.c	segments that are marked before they are written to
 *	track.c		the bitmaps' metadata device of another mode
 *	sync.c		a mirror that begins with less than all to be copied
 *	epoch.c		which writes have ended
 *	flush.c		flushes of top, and what they tell
 *	phase.c		pivot, abort, leg errors and their policy, events
 *	status.c, message.c	the status and table lines, and dmsetup message
 *
 * Locks, in the order they may nest:
 *	registry_lock, life_lock, tables_lock	process context, outermost
 *	bkc_bucket.lock				any context, irqs off
 *	bkc_state.copies_lock			any context, irqs off
 *	bkc_state.lock				any context, irqs off, innermost
 */
#ifndef BKC_H
#define BKC_H

#ifndef CONFIG_64BIT
#error "dm-blkcopy needs a 64-bit kernel: the map is loaded a word at a time"
#endif

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "epoch.h"
#include "map.h"
#include "own_io.h"
#include "uapi/blkcopy.h"

#define DM_MSG_PREFIX "blkcopy"

/*
 * A region is the unit the range lock hashes by: a write in flight and a run
 * being copied never cross one, so each needs the lock of one bucket only.
 */
#define BKC_REGION_SHIFT	11		/* sectors: 1 MiB */
#define BKC_REGION_SECTORS	BIT(BKC_REGION_SHIFT)

/* The first sector behind the region that @sector is in. */
static inline sector_t bkc_region_end(sector_t sector)
{
	return (sector | (BKC_REGION_SECTORS - 1)) + 1;
}

#define BKC_BUCKET_BITS		10
#define BKC_BUCKETS		BIT(BKC_BUCKET_BITS)
#define BKC_RUN_BLOCKS_MAX	(BKC_REGION_SECTORS / BLKCOPY_BLOCK_SECTORS_MIN)
#define BKC_RUN_PAGES_MAX	(BKC_REGION_SECTORS >> (PAGE_SHIFT - SECTOR_SHIFT))

enum bkc_leg {
	BKC_BASE,
	BKC_TOP,
	BKC_LEGS,
};

/* Indexes bkc_modes[]. */
enum bkc_mode_id {
	BKC_MODE_TRACK,
	BKC_MODE_MIRROR,
	BKC_MODE_STREAM,
	BKC_MODE_OVERLAY,
	BKC_MODE_COMMIT,
	BKC_MODE_BACKUP,
	BKC_MODE_NR,
};

enum bkc_phase {
	BKC_PHASE_IDLE,
	BKC_PHASE_COPYING,
	BKC_PHASE_SYNCED,
	BKC_PHASE_PIVOTED,
	BKC_PHASE_ABORTED,
	BKC_PHASE_STREAMING,
	BKC_PHASE_STREAMED,
	BKC_PHASE_MERGING,
	BKC_PHASE_MERGED,
	BKC_PHASE_PRESERVING,
	BKC_PHASE_BROKEN,
};

/*
 * The mode word of the fast path: where I/O goes while every block is alike.
 * BKC_ROUTE_MAP: reads go to base, writes ask the map and the range lock.
 */
enum bkc_route {
	BKC_ROUTE_BASE,
	BKC_ROUTE_TOP,
	BKC_ROUTE_MAP,
};

enum bkc_write {
	BKC_WRITE_BASE,		/* base alone; the block is, or becomes, base-only */
	BKC_WRITE_DUAL,		/* both legs in parallel */
	BKC_WRITE_NONE,		/* no such state in this mode */
	/* Of modes with durable state, see redirect.c: */
	BKC_WRITE_FREE_BASE,	/* base has the block, and no copy touches it */
	BKC_WRITE_FREE_TOP,	/* the same of top */
	BKC_WRITE_HELD_TOP,	/* top has it, a copy may be reading it there */
	BKC_WRITE_REDIRECT,	/* whole blocks, to the leg that is to have them */
	BKC_WRITE_MERGE,	/* a part: its edges first, then as one whole */
	BKC_WRITE_ZERO,		/* no I/O: the block is zeroes from here on */
	BKC_WRITE_IGNORE,	/* nothing to do */
};

enum bkc_policy {
	BKC_POLICY_REPORT,
	BKC_POLICY_IGNORE,
	BKC_POLICY_STOP,
	BKC_POLICY_ENOSPC,
};

/* Who paused or aborted a copy. */
enum bkc_stopper {
	BKC_BY_NOBODY,
	BKC_BY_USER,
	BKC_BY_POLICY,
};

/* What a mode does, one row each; see bkc_modes[] in target.c. */
struct bkc_mode {
	const char *name;
	bool has_top;		/* the table names a top, blocks have state */
	bool has_copier;	/* takes the parameters of a copy */
	bool preserves;		/* old data goes to top first: backup.c */
	enum bkc_phase first_phase;
	enum bkc_phase end_phase;	/* of the copier: nothing is left */
	enum bkc_route first_route;
	enum bkc_leg copy_to;		/* the copier reads the other leg */
	u8 copy_states;			/* BIT(enum bkc_valid) it looks for */
	enum bkc_valid copied[BKC_VALID_NR];	/* what each of them becomes */
	enum bkc_write write[BKC_VALID_NR];
	/* Of modes with durable state: */
	bool durable;			/* the table must name a metadata device */
	bool base_read_only;
	bool keeps_reads;		/* copy_on_read has a meaning */
	bool mixes_base;		/* base alone is no image meanwhile */
	bool waits_for_space;		/* a write to top may, by its policy */
	u8 flush_legs;			/* BIT(enum bkc_leg) a flush is for */
	u32 meta_mode;	/* enum blkcopy_meta_mode */
	enum bkc_leg write_to;		/* who is to have a redirected block */
	enum bkc_write part[BKC_VALID_NR];	/* write[] is for whole blocks */
	enum bkc_write zero[BKC_VALID_NR];	/* whole blocks, to be zeroes */
};

extern const struct bkc_mode bkc_modes[BKC_MODE_NR];

static inline bool bkc_has_dual_writes(const struct bkc_mode *mode)
{
	return mode->has_top && !mode->durable && !mode->preserves;
}

enum bkc_param_id {
	BKC_PARAM_RATE,
	BKC_PARAM_INFLIGHT,
	BKC_PARAM_RUN,
	BKC_PARAM_SEGMENT,
	BKC_PARAM_COPY_MODE,
	BKC_PARAM_ON_BASE_ERROR,
	BKC_PARAM_ON_TOP_ERROR,
	BKC_PARAM_NR,
};

/* Features and parameters of a table line. */
struct bkc_params {
	u32 value[BKC_PARAM_NR];	/* kib, mib, or the index of a word */
	u32 given;			/* bit per parameter: print it */
	bool no_discard_passdown;
	bool detect_zeroes;
	bool paused;
	bool nosync;
	bool copy_on_read;
	bool persistent;
	const char *bitmaps, *sync;	/* words; while a line is parsed or printed */
};

enum { BKC_COPY_DUAL, BKC_COPY_BACKGROUND };

/*
 * ---- Ranges in flight
 */

/* What a bio's end, or a copy's, has to see to. */
enum bkc_range_kind {
	BKC_RANGE_REFUSED,	/* none of the below: no such state in this mode */
	BKC_RANGE_WRITE_BASE,
	BKC_RANGE_WRITE_DUAL,
	BKC_RANGE_COPY,		/* a write over it cancels its blocks */
	BKC_RANGE_COPY_EXCL,	/* a write over it waits */
	BKC_RANGE_HELD_TOP,	/* to top, where a copy may read */
	BKC_RANGE_REDIRECT,	/* its blocks move when it has ended */
	BKC_RANGE_MERGE,	/* the same, by way of a buffer */
	/* From here on, not in a bucket: */
	BKC_RANGE_ONE_LEG,	/* count an error, as the route's leg's */
	BKC_RANGE_FLUSH_TOP,
	BKC_RANGE_FLUSH,	/* of a mode with durable state */
	BKC_RANGE_WAITS,	/* for a commit; it was never mapped to a leg */
	BKC_RANGE_WAITS_MAPPED,	/* the same; its data has been written */
	BKC_RANGE_DONE,		/* all has been seen to */
};

struct bkc_range {
	struct list_head list;	/* bkc_bucket.ranges */
	sector_t start;		/* of the target, sectors */
	sector_t end;
	u8 kind;		/* enum bkc_range_kind */
};

struct bkc_bucket {
	spinlock_t lock;	/* of all below; irqs off */
	struct list_head ranges;
	struct bio_list parked;	/* in order of arrival */
} ____cacheline_aligned_in_smp;

/* Per-bio data; used by tables with a top. */
struct bkc_io {
	struct bkc_range range;
	u8 leg;			/* enum bkc_leg it went to, if to one alone */
	u8 flush_gen;		/* BKC_RANGE_FLUSH*: from bkc_flush_begin() */
	bool fua;		/* below us the flag may get lost */
	bool flush;		/* empty: what is below may take its flag off */
	u8 epoch;		/* of the table's tracker, or 0 */
	u8 mark;		/* of the state's: it relies on a mark; or 0 */
	bool tracked;		/* bkc_tracker_end() is due */
	u8 tries;		/* how often top had no room for it */
	u32 switches;		/* of the tracker, when it began */
	struct bkc_table *table;
	atomic_t pending;	/* legs of a dual write still out */
	blk_status_t status[BKC_LEGS];
	union {
		struct bio clone; /* to top: embedded, so nothing to allocate */
		struct bvec_iter iter;	/* redirected: as it came, for nospace.c */
	};
};

/*
 * ---- The state of a volume, shared by the tables that name it
 */

static inline struct bkc_io *bkc_io_of(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct bkc_io));
}

struct bkc_copy;
struct bkc_meta;
struct bkc_verify;
struct bkc_bitmaps;

/* Change tracking, see tracker.c. */
struct bkc_tracker {
	struct bkc_bitmaps __rcu *bitmaps;	/* NULL: there are none */
	struct bkc_known __rcu *known;		/* to all of them, or NULL */
	u32 switches;		/* changes of what is noted where, ever */
	struct bkc_epoch epoch;	/* of writes that are noted, or rely on a mark */
	struct bkc_meta *meta;	/* or NULL: bitmaps in memory */

	struct list_head list;	/* trackers_lock */
	refcount_t refs;
	const void *md;		/* "-": the dm device it is kept with */
	char mem_id[BLKCOPY_META_MEM_ID_MAX + 1];
	sector_t len;

	struct mutex mutex;	/* of bitmaps, messages, and the four below */
	struct list_head tables;	/* that have been resumed */
	unsigned int live;
	const void *live_md;	/* of the table that is, or was last, live */
	bool sealed;

	spinlock_t lock;	/* of parked */
	struct bio_list parked;	/* writes whose segments are to be marked */
	struct work_struct retry_work;
};

struct bkc_state {
	/*
	 * Read on every I/O, written at a change of phase. params change under
	 * tables_lock, paused under lock; readers take a word as they find it.
	 */
	enum bkc_route route;
	bool hold;		/* writes park: a pivot drains */
	struct bkc_params params;
	const struct bkc_mode *mode;	/* changes in preresume alone */
	struct bkc_meta *meta;		/* or NULL: state in memory */
	struct bkc_bucket *buckets;
	struct bkc_map map;
	struct block_device *bdev[BKC_LEGS];
	dev_t number[BKC_LEGS];	/* of bdev, for who comes later */
	sector_t start[BKC_LEGS];
	u32 top_align;		/* sectors; a write of less goes to base alone */

	/* Identity, set once. */
	struct list_head registry;
	refcount_t refs;
	const void *md;		/* "-": the dm device it is kept with */
	char mem_id[BLKCOPY_META_MEM_ID_MAX + 1];

	struct mutex life_lock;		/* resume against presuspend */
	bool started;			/* life_lock: some table was resumed */
	struct mutex tables_lock;	/* of tables and of params' changes */
	struct list_head tables;	/* that have been resumed */

	spinlock_t lock;	/* of what follows, up to error_flags */
	enum bkc_phase phase;
	unsigned int live;	/* tables between resume and presuspend */
	unsigned int draining;	/* lock: between presuspend and postsuspend */
	unsigned int away;	/* lock: from postsuspend to resume, or dtr */
	atomic_t resuming;	/* life_lock to raise: metadata was opened for it */
	bool pivoting;		/* or about to abort: no other change of phase */
	bool aborting;		/* lock: the disk is being told of an abort */
	bool deciding;		/* the disk is being told of a pivot */
	bool pivot_out;		/* one gave up, its flush of top is still out */
	bool erroring;		/* a policy is being applied: no pivot */
	u32 policy_pauses;	/* how often a policy has paused, ever */
	enum bkc_stopper stopped_by;
	bool paused_before;	/* a policy did so as well */
	bool sealed;
	const void *left_md;	/* of the table that was live last */
	struct list_head loaded;	/* tables_lock: not resumed yet */
	/*
	 * Flushes of top that failed, ever, and of those the ones bkc_drop_top()
	 * has seen to. While they differ "in both" is void: no pivot, no copy.
	 */
	u32 suspected;
	u32 suspected_done;
	u32 top_epoch;		/* a copy begun before a change is void */
	unsigned long error_flags;	/* bkc_error_flag, for error_work */
	unsigned long lost;	/* BIT(leg): a flush of ours failed there */
	bool base_unflushed;	/* since it is not written to any more */

	/*
	 * Flushes of top, with durable state of either leg, in flight, by the
	 * value of flush_gen they began in.
	 */
	atomic_t top_flushes[2];
	unsigned int flush_gen;	/* flush_lock: 0 or 1; who drains turns it */
	struct mutex flush_lock;

	/*
	 * With a metadata device; else NULL. Whose marks the writes rely on; in
	 * mode track it has the bitmaps as well.
	 */
	struct bkc_tracker *tracker;

	atomic_t errors[BKC_LEGS];
	atomic64_t copied;	/* bytes, ever */
	atomic64_t inflight;	/* bytes */

	/* Of the copier's work alone, but for what says "lock". */
	u64 cursor;		/* block */
	unsigned int pass;
	unsigned int fruitless;
	bool yield;		/* the last pass had errors: writes go first */
	bool pass_errors;	/* lock: a copy failed in this pass */
	bool pass_copied;	/* lock: a block was published in this pass */
	unsigned long not_before;	/* jiffies: after a pass with errors */
	s64 tokens;		/* bytes */
	unsigned long tokens_at;

	/* The measured rate: two marks, so a window of one to two seconds. */
	spinlock_t rate_lock;
	u64 rate_bytes[2];
	unsigned long rate_at[2];

	spinlock_t copies_lock;	/* of the three that follow */
	struct list_head free_copies;
	struct bkc_copy *reserve;	/* always there: progress without memory */
	bool reserve_busy;
	struct bio_set copy_bios;

	struct bkc_verify *verify;	/* tables_lock; NULL before the first */

	/* Of merge.c: writes that wait for a buffer. */
	spinlock_t merge_lock;	/* of the four that follow */
	struct bio_list merges;
	struct list_head merge_used;	/* buffers that came back */
	struct bkc_copy *merge_reserve;
	bool merge_reserve_busy;
	struct work_struct merge_work;

	spinlock_t nospace_lock;	/* of nospace */
	struct bio_list nospace;	/* writes that wait for room in top */
	struct delayed_work nospace_work;

	spinlock_t readers_lock;	/* of readers */
	struct bio_list readers;	/* of reader.c */
	struct work_struct reader_work;

	/* Of backup.c. */
	atomic64_t saving;	/* bytes: copies made for writes, in flight */
	DECLARE_BITMAP(save, BKC_BUCKETS);	/* writes there want copies */
	unsigned int save_next;	/* of save_work: the bucket whose turn it is */
	bool starved;		/* there was no room for a copy */
	bool top_inline;	/* top's last I/O was done while it was submitted */
	bool filled;		/* lock: it was told that all is in top */
	struct list_head to_top;	/* copies_lock: safe, to be written */
	struct list_head stuck;	/* copies_lock: copies top did not take */
	struct work_struct save_work;
	struct work_struct top_work;
	struct delayed_work stuck_work;

	/* Of view.c. */
	struct list_head views;		/* tables_lock */
	unsigned int nr_views;		/* registry_lock: of refs, so many */
	spinlock_t redo_lock;		/* of redo */
	struct bio_list redo;		/* reads that have to look again */
	struct work_struct redo_work;

	wait_queue_head_t drain_wait;	/* pivot: ranges in flight */
	wait_queue_head_t copy_wait;	/* presuspend: copies in flight */
	struct workqueue_struct *io_wq;	/* never waits for I/O */
	struct workqueue_struct *copy_wq;
	bool own_wqs;
	struct work_struct retry_work;
	DECLARE_BITMAP(retry, BKC_BUCKETS);
	struct delayed_work copier_work;
	struct work_struct pivot_work;
	struct delayed_work error_work;
	struct work_struct event_work;
};

/*
 * Something in flight has ended: for a pivot, which holds writes, and for what
 * is left over when the route has changed. Any context.
 */
static inline void bkc_wake_drain(struct bkc_state *s)
{
	if (unlikely(READ_ONCE(s->hold) ||
		     READ_ONCE(s->route) != BKC_ROUTE_MAP))
		wake_up(&s->drain_wait);
}

/* One table line. */
struct bkc_table {
	struct bkc_state *s;
	struct dm_target *ti;
	const struct bkc_mode *mode;
	struct dm_dev *dev[BKC_LEGS];
	struct dm_dev *meta_dev;	/* or NULL: meta says where state is kept */
	sector_t start[BKC_LEGS];
	u32 block_sectors;
	char sync[BLKCOPY_BITMAP_NAME_MAX + 1];	/* a bitmap, or empty: see sync.c */
	char meta[sizeof(BLKCOPY_META_MEM_PREFIX) + BLKCOPY_META_MEM_ID_MAX];
	struct bkc_params params;
	u32 policy_pauses;	/* bkc_state's, when the line was loaded */
	struct list_head list;	/* bkc_state.tables */
	bool resumed;		/* tables_lock: has been live */
	bool live;		/* life_lock: is */
	bool draining, away;	/* bkc_state.lock */
	bool resuming;		/* counted in bkc_state.resuming */
	struct bkc_tracker *tracker;
	struct list_head tracked;	/* bkc_tracker.tables, or empty */
	/* See track.c: who has this table's bitmaps; whose bitmaps these are. */
	struct bkc_table *track;
	struct bkc_table *of;
};

/* args.c */
int bkc_parse_options(struct dm_arg_set *as, const struct bkc_mode *mode,
		      struct bkc_params *p, char **error);
bool bkc_param_applies(const struct bkc_mode *mode, const char *key);
int bkc_parse_param(const char *key, const char *word, struct bkc_params *p,
		    enum bkc_param_id *id);
void bkc_default_params(struct bkc_params *p);
ssize_t bkc_print_options(const struct bkc_params *p, char *result,
			  ssize_t sz, unsigned int maxlen);

/* state.c */
struct bkc_state *bkc_state_get(struct bkc_table *t, char **error);
void bkc_state_put(struct bkc_table *t);
void bkc_state_resume(struct bkc_table *t);
void bkc_state_presuspend(struct bkc_table *t);
int bkc_state_preresume(struct bkc_table *t);
void bkc_state_postsuspend(struct bkc_table *t);
void bkc_state_set_mode(struct bkc_state *s, const struct bkc_mode *mode,
			bool ahead);
void bkc_state_set_phase(struct bkc_state *s, enum bkc_phase phase);
u64 bkc_state_left(const struct bkc_state *s);

/* range.c */
enum bkc_verdict {
	BKC_GO,			/* registered: issue it as range.kind says */
	BKC_ROUTE_CHANGED,	/* the map is out of use: look at the route */
	BKC_REFUSE,		/* no such state in this mode: an I/O error */
	BKC_FREE,		/* not registered, nothing to wait for */
	BKC_ENDED,		/* there is nothing to be done for it */
	BKC_WAIT,		/* parked, or to be left parked */
	BKC_VERDICTS,
};

enum bkc_verdict bkc_range_admit(struct bkc_state *s, struct bio *bio,
				 struct bkc_io *io, sector_t start,
				 unsigned int len);
void bkc_range_cut(struct bkc_table *t, struct bio *bio, struct bkc_io *io);
enum bkc_verdict bkc_range_admit_cut(struct bkc_state *s, struct bio *bio,
				     struct bkc_io *io);
void bkc_range_done(struct bkc_state *s, struct bkc_io *io);
unsigned int bkc_range_begin_copy(struct bkc_state *s, struct bkc_copy *copy,
				  u64 block, unsigned int nr, bool exclusive);
unsigned int bkc_range_begin_verify(struct bkc_state *s, struct bkc_copy *copy,
				    u64 block, unsigned int nr);
bool bkc_range_copy_ready(struct bkc_state *s, struct bkc_copy *copy);
unsigned int bkc_range_end_copy(struct bkc_state *s, struct bkc_copy *copy,
				bool ok);
void bkc_range_retry_all(struct bkc_state *s);
void bkc_range_retry(struct bkc_state *s, struct bkc_bucket *b);
void bkc_range_sync(struct bkc_state *s);
bool bkc_range_quiet(struct bkc_state *s);
void bkc_range_retry_work(struct work_struct *work);
int bkc_buckets_init(struct bkc_state *s);
bool bkc_range_begin_write(struct bkc_state *s, struct bkc_copy *copy);
void __bkc_range_cancel_copies(struct bkc_state *s, struct bkc_bucket *b,
			       sector_t start, sector_t end);
void __bkc_range_kick(struct bkc_state *s, struct bkc_bucket *b);

/* tracker.c */
struct bkc_tracker *bkc_tracker_get(struct bkc_table *t, char **error);
void bkc_tracker_put(struct bkc_table *t);
void bkc_tracker_went_past(struct bkc_table *t);
void bkc_tracker_resume(struct bkc_table *t);
void bkc_tracker_presuspend(struct bkc_table *t);
void bkc_tracker_seal(struct bkc_tracker *tr, bool sealed);
bool bkc_tracker_begin_noted(struct bkc_table *t, struct bio *bio,
			     struct bkc_io *io);
void bkc_tracker_end_noted(struct bkc_tracker *tr, struct bkc_io *io, bool again);
void bkc_tracker_wake(struct bkc_tracker *tr);

/* track.c */
int bkc_track_open(struct bkc_table *t, char **error);
void bkc_track_close(struct bkc_table *t);

/* io.c */
int bkc_map_bio(struct dm_target *ti, struct bio *bio);
int bkc_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);
void bkc_issue_parked(struct bio *bio, enum bkc_verdict verdict);
void bkc_map_again(struct bio *bio);
void bkc_note_error(struct bkc_table *t, struct bio *bio, blk_status_t status);

/* copier.c */
void bkc_copier_work(struct work_struct *work);
void bkc_copier_kick(struct bkc_state *s);
void bkc_copier_kick_soon(struct bkc_state *s);
void bkc_copier_stop(struct bkc_state *s);
void bkc_copier_account(struct bkc_state *s, u64 bytes);
u64 bkc_copier_rate_kib(struct bkc_state *s);

/* Jiffies until then, one at least. */
static inline unsigned long bkc_time_left(unsigned long until)
{
	return time_before(jiffies, until) ? until - jiffies : 1;
}

/* phase.c */
enum bkc_error_flag {
	BKC_ERR_BASE_COPY,	/* a copy could not read base */
	BKC_ERR_TOP,
	BKC_ERR_TOP_NOSPC,
};

void bkc_leg_error(struct bkc_state *s, enum bkc_leg leg, blk_status_t status,
		   bool by_copy);
bool bkc_error_counts(blk_status_t status, struct bio *bio);
int bkc_pivot(struct bkc_state *s);
int bkc_abort(struct bkc_state *s, enum bkc_stopper by);
int bkc_pause(struct bkc_state *s, enum bkc_stopper by);
int bkc_unpause(struct bkc_state *s);
int bkc_finish(struct bkc_state *s);
void bkc_settle(struct bkc_state *s);
void bkc_pivot_work(struct work_struct *work);
void bkc_error_work(struct work_struct *work);
void bkc_event_work(struct work_struct *work);
void bkc_event(struct bkc_state *s);
bool bkc_drop_top(struct bkc_state *s);
bool bkc_phase_copies(enum bkc_phase phase);

/* status.c, message.c */
void bkc_status(struct dm_target *ti, status_type_t type,
		unsigned int status_flags, char *result, unsigned int maxlen);
int bkc_message(struct dm_target *ti, unsigned int argc, char **argv,
		char *result, unsigned int maxlen);

#endif /* BKC_H */
