/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A copy of a run of blocks: copy.c takes its steps, buffer.c has its memory.
 */
#ifndef BKC_COPY_H
#define BKC_COPY_H

#include "bkc.h"

#define BKC_COPY_OWN_VECS	16

enum bkc_copy_step {
	BKC_STEP_WAIT,		/* exclusive: for the writes in flight */
	BKC_STEP_BUSY,		/* an I/O is in flight */
	BKC_STEP_SCAN,
	BKC_STEP_PEEKED,
	BKC_STEP_WRITE,
};

struct bkc_copy {
	struct bkc_range range;
	struct bkc_state *s;
	struct list_head list;	/* of bkc_state: free_copies, to_top, stuck */
	struct work_struct work;
	enum bkc_copy_step step;	/* leaves WAIT under the bucket lock */
	u64 block;
	unsigned int nr_blocks;
	enum bkc_valid valid;	/* of its blocks, when it began */
	bool writing;		/* bucket lock: a write over it waits */
	bool demand;		/* backup: a write waits for it */
	struct task_struct *mapper;	/* backup: begun by it in map; only compared */
	bool safe;		/* bucket lock; backup: the old data is here */
	bool recorded;		/* backup: it is durable that top has it */
	atomic_t refs;		/* its own, and views that read the buffer */
	bool own_busy;		/* own is in flight */
	struct bio own;		/* of a demand copy: nothing to allocate */
	struct bio_vec own_vecs[BKC_COPY_OWN_VECS];
	struct bio *bio;	/* merge, copy_on_read: the user's */
	u32 epoch;		/* bkc_state.top_epoch when it began */
	bool zeroing;		/* zero blocks go out as WRITE_ZEROES */
	atomic_t pending;
	blk_status_t status[BKC_LEGS];
	DECLARE_BITMAP(cancelled, BKC_RUN_BLOCKS_MAX);	/* bucket lock */
	DECLARE_BITMAP(zero, BKC_RUN_BLOCKS_MAX);
	DECLARE_BITMAP(skip, BKC_RUN_BLOCKS_MAX);	/* not to be written */
	unsigned int nr_pages;
	struct page *pages[BKC_RUN_PAGES_MAX];
};

/*
 * Is this the end of an I/O that is done while it is submitted (to a RAM disk, pmem,
 * zram), in a context in which more may be submitted? That goes to this task's list,
 * for when the driver has returned.
 */
static inline bool bkc_is_submitting(void)
{
	return preemptible() && !rcu_preempt_depth() && current->bio_list;
}

/* copy.c */
void bkc_copy_start(struct bkc_copy *copy, bool exclusive);
void bkc_copy_work(struct work_struct *work);
void bkc_copy_unref(struct bkc_copy *copy);
void bkc_copy_again(struct bkc_copy *copy);
void bkc_copy_write(struct bkc_copy *copy);
void bkc_copy_write_all(struct bkc_copy *copy);
void bkc_copy_give_up(struct bkc_copy *copy);
void bkc_copy_recorded(struct bkc_copy *copy, bool ok);

/* buffer.c */
struct bkc_copy *bkc_copy_get(struct bkc_state *s, unsigned int *sectors);
struct bkc_copy *bkc_copy_get_now(struct bkc_state *s, unsigned int sectors);
void bkc_copy_put(struct bkc_copy *copy);
void bkc_copy_bio_put(struct bkc_copy *copy, struct bio *bio);
int bkc_copies_init(struct bkc_state *s);
void bkc_copies_exit(struct bkc_state *s);
void bkc_copies_trim(struct bkc_state *s);
struct bkc_copy *bkc_copy_alloc(struct bkc_state *s, unsigned int sectors,
				gfp_t gfp, work_func_t work);
void bkc_copy_free(struct bkc_copy *copy);
struct bio *bkc_copy_bio(struct bkc_copy *copy, enum bkc_leg leg,
			 unsigned int from, unsigned int to, blk_opf_t opf,
			 bio_end_io_t *end_io);
void bkc_copy_fill_zeroes(const struct bkc_copy *copy, unsigned int from,
			  unsigned int to);
void bkc_copy_bio_data(struct bkc_copy *copy, struct bio *bio);
void bkc_copy_data(struct bkc_copy *copy, unsigned int at, struct bio *bio,
		   struct bvec_iter iter);
void bkc_copy_shrink(struct bkc_copy *copy, unsigned int sectors);
bool bkc_copy_is_zero(const struct bkc_copy *copy, unsigned int from,
		      unsigned int to);

#endif /* BKC_COPY_H */
