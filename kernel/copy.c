// SPDX-License-Identifier: GPL-2.0-only
/*
 * One copy of one run of blocks from one leg, the source, to the other, the
 * target, with its own buffer. The steps, one function each:
 *
 *  1. copier.c has registered the run in the range lock (bkc_copy_start). An
 *     exclusive copy waits here for the writes in flight over it.
 *  2. read_run: one bio from the source.
 *  3. scan_run: with detect_zeroes, which blocks are zeros? A target that cannot
 *     zero is read there first (peek_target, peeked).
 *  4. write_run: blocks of zeros become WRITE_ZEROES, which may leave a hole.
 *  5. copy_done: publish what no write has cancelled, let the copier go on.
 *
 * Steps 2 to 4 begin in a work of copy_wq, as submitting may sleep; the end
 * of an I/O is any context.
 */
#include <linux/highmem.h>
#include <linux/ioprio.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bkc.h"

#define SECTORS_PER_PAGE	(PAGE_SIZE >> SECTOR_SHIFT)
#define COPY_BIOS		16	/* reserve of the bio set */

/*
 * ---- Buffers. Copies are kept while the copier is at work, so their pages are
 * allocated once; one is always there, so that a copy goes on without memory.
 */

static void copy_work(struct work_struct *work);

static unsigned int copy_sectors(const struct bkc_copy *copy)
{
	return copy->nr_pages * SECTORS_PER_PAGE;
}

/* Process context: its work may be queued still, with nothing to do. */
void bkc_copy_free(struct bkc_copy *copy)
{
	cancel_work_sync(&copy->work);
	while (copy->nr_pages)
		__free_page(copy->pages[--copy->nr_pages]);
	kfree(copy);
}

static void copy_grow(struct bkc_copy *copy, unsigned int sectors, gfp_t gfp)
{
	while (copy_sectors(copy) < sectors) {
		struct page *page = alloc_page(gfp);

		if (!page)
			return;
		copy->pages[copy->nr_pages++] = page;
	}
}

/**
 * bkc_copy_alloc - a buffer, and what is needed to fill and write it
 * @s: state
 * @sectors: that it must hold at least
 * @gfp: how to allocate
 * @work: what copy->work runs
 *
 * Process context. NULL when there is no memory.
 */
struct bkc_copy *bkc_copy_alloc(struct bkc_state *s, unsigned int sectors,
				gfp_t gfp, work_func_t work)
{
	struct bkc_copy *copy = kzalloc(sizeof(*copy), gfp);

	if (!copy)
		return NULL;
	copy->s = s;
	INIT_WORK(&copy->work, work);
	copy_grow(copy, sectors, gfp);
	if (copy_sectors(copy) >= sectors)
		return copy;
	bkc_copy_free(copy);
	return NULL;
}

/**
 * bkc_copy_get - a copy with a buffer
 * @s: state
 * @sectors: wanted; set to what the buffer holds, a block at least
 *
 * Process context; does not wait for memory. NULL when there is none and the
 * reserve is in use: try again when a copy has ended.
 */
struct bkc_copy *bkc_copy_get(struct bkc_state *s, unsigned int *sectors)
{
	const gfp_t gfp = GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN;
	unsigned int block_sectors = 1U << s->map.block_shift;
	struct bkc_copy *copy;

	spin_lock_irq(&s->copies_lock);
	copy = list_first_entry_or_null(&s->free_copies, struct bkc_copy, list);
	if (copy)
		list_del(&copy->list);
	spin_unlock_irq(&s->copies_lock);

	/* Queued by a write's end in its last life, it must not see the next. */
	if (copy)
		cancel_work_sync(&copy->work);
	else
		copy = bkc_copy_alloc(s, block_sectors, gfp, copy_work);
	if (copy)
		copy_grow(copy, *sectors, gfp);
	if (!copy) {
		spin_lock_irq(&s->copies_lock);
		if (!s->reserve_busy) {
			s->reserve_busy = true;
			copy = s->reserve;
		}
		spin_unlock_irq(&s->copies_lock);
		if (copy)
			cancel_work_sync(&copy->work);
	}
	if (!copy)
		return NULL;
	copy->demand = false;
	*sectors = min(*sectors, round_down(copy_sectors(copy), block_sectors));
	return copy;
}

/* Any context. */
void bkc_copy_shrink(struct bkc_copy *copy, unsigned int sectors)
{
	while (copy_sectors(copy) >= sectors + SECTORS_PER_PAGE)
		__free_page(copy->pages[--copy->nr_pages]);
}

/* Any context. */
void bkc_copy_put(struct bkc_copy *copy)
{
	struct bkc_state *s = copy->s;
	unsigned long flags;

	spin_lock_irqsave(&s->copies_lock, flags);
	if (copy == s->reserve)
		s->reserve_busy = false;
	else
		list_add(&copy->list, &s->free_copies);
	spin_unlock_irqrestore(&s->copies_lock, flags);
}

/*
 * Give the buffers back; those in flight come back to the list later. For the
 * copier alone, or when it is stopped: it may hold a copy it has just started.
 */
void bkc_copies_trim(struct bkc_state *s)
{
	struct bkc_copy *copy, *next;
	LIST_HEAD(list);

	spin_lock_irq(&s->copies_lock);
	list_splice_init(&s->free_copies, &list);
	spin_unlock_irq(&s->copies_lock);
	list_for_each_entry_safe(copy, next, &list, list)
		bkc_copy_free(copy);
}

int bkc_copies_init(struct bkc_state *s)
{
	int r;

	r = bioset_init(&s->copy_bios, COPY_BIOS, 0, BIOSET_NEED_BVECS);
	if (r)
		return r;
	s->reserve = bkc_copy_alloc(s, 1U << s->map.block_shift, GFP_KERNEL,
				    copy_work);
	return s->reserve ? 0 : -ENOMEM;
}

void bkc_copies_exit(struct bkc_state *s)
{
	bkc_copies_trim(s);
	if (s->reserve)
		bkc_copy_free(s->reserve);
	bioset_exit(&s->copy_bios);
}

/*
 * ---- Steps
 */

static unsigned int run_sectors(const struct bkc_copy *copy)
{
	return copy->range.end - copy->range.start;
}

/* Step 5, any context. */
static void copy_done(struct bkc_copy *copy)
{
	struct bkc_state *s = copy->s;
	blk_status_t base = copy->status[BKC_BASE];
	blk_status_t top = copy->status[BKC_TOP];
	unsigned int sectors = run_sectors(copy), published;
	unsigned long flags;

	if (unlikely(base || top) && s->mode->preserves && bkc_backup_keep(copy))
		return;
	published = bkc_range_end_copy(s, copy, !base && !top);
	if (base)
		bkc_leg_error(s, BKC_BASE, base, true);
	if (top)
		bkc_leg_error(s, BKC_TOP, top, true);
	if (!copy->demand) {
		spin_lock_irqsave(&s->lock, flags);
		s->pass_errors |= base || top;
		s->pass_copied |= published > 0;
		spin_unlock_irqrestore(&s->lock, flags);
	}
	if (published)
		bkc_copier_account(s, min_t(u64, sectors,
					    (u64)published <<
					    s->map.block_shift) << SECTOR_SHIFT);
	bkc_copy_unref(copy);
}

/* Any context. The copy has ended, or somebody has read its buffer. */
void bkc_copy_unref(struct bkc_copy *copy)
{
	struct bkc_state *s = copy->s;
	u64 bytes = (u64)run_sectors(copy) << SECTOR_SHIFT;
	bool demand = copy->demand;
	unsigned long flags;

	if (!atomic_dec_and_test(&copy->refs))
		return;
	/* As many of them are kept as writes had in flight: not large ones. */
	if (demand)
		bkc_copy_shrink(copy, 1U << s->map.block_shift);
	bkc_copy_put(copy);

	/* The last touch of s: who waits for copy_wait takes this lock. */
	spin_lock_irqsave(&s->copy_wait.lock, flags);
	if (!atomic64_sub_return(bytes, demand ? &s->saving : &s->inflight))
		wake_up_locked(&s->copy_wait);
	if (!demand)
		bkc_copier_kick(s);
	if (s->mode->preserves)
		bkc_backup_ended(s);
	spin_unlock_irqrestore(&s->copy_wait.lock, flags);
}

/* Any context. A copy that was kept ends, or is written to top once more. */
void bkc_copy_give_up(struct bkc_copy *copy)
{
	copy_done(copy);
}

/* The bio's pages are from..to of the run, in sectors of the buffer. */
static void add_buffer(struct bkc_copy *copy, struct bio *bio,
		       unsigned int from, unsigned int to)
{
	while (from < to) {
		unsigned int skip = from % SECTORS_PER_PAGE;
		unsigned int n = min_t(unsigned int, to - from,
				       SECTORS_PER_PAGE - skip);

		__bio_add_page(bio, copy->pages[from / SECTORS_PER_PAGE],
			       n << SECTOR_SHIFT, skip << SECTOR_SHIFT);
		from += n;
	}
}

/**
 * bkc_copy_bio - an I/O of a part of the buffer
 * @copy: the buffer, its range and its state
 * @leg: to or from which
 * @from: sectors of the buffer
 * @to: sectors of the buffer
 * @opf: what to do; WRITE_ZEROES takes no pages
 * @end_io: finds @copy in bi_private
 *
 * Process context; may wait for a bio of those in flight. To be submitted.
 */
struct bio *bkc_copy_bio(struct bkc_copy *copy, enum bkc_leg leg,
			 unsigned int from, unsigned int to, blk_opf_t opf,
			 bio_end_io_t *end_io)
{
	bool data = (opf & REQ_OP_MASK) != REQ_OP_WRITE_ZEROES;
	unsigned int vecs = DIV_ROUND_UP(to, SECTORS_PER_PAGE) -
			    from / SECTORS_PER_PAGE;
	struct bkc_state *s = copy->s;
	struct bio *bio = bio_alloc_bioset(s->bdev[leg], data ? vecs : 0, opf,
					   GFP_NOIO, &s->copy_bios);

	bio->bi_iter.bi_sector = s->start[leg] + copy->range.start + from;
	bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7);
	bio->bi_end_io = end_io;
	bio->bi_private = copy;
	if (data)
		add_buffer(copy, bio, from, to);
	else
		bio->bi_iter.bi_size = (to - from) << SECTOR_SHIFT;
	return bio;
}

static bool is_zero(const struct bkc_copy *copy, unsigned int from,
		    unsigned int to)
{
	while (from < to) {
		unsigned int skip = from % SECTORS_PER_PAGE;
		unsigned int n = min_t(unsigned int, to - from,
				       SECTORS_PER_PAGE - skip);
		void *p = kmap_local_page(copy->pages[from / SECTORS_PER_PAGE]);
		bool zero = !memchr_inv(p + (skip << SECTOR_SHIFT), 0,
					n << SECTOR_SHIFT);

		kunmap_local(p);
		if (!zero)
			return false;
		from += n;
	}
	return true;
}

/* From and to in sectors of the buffer. */
void bkc_copy_fill_zeroes(const struct bkc_copy *copy, unsigned int from,
			  unsigned int to)
{
	while (from < to) {
		unsigned int skip = from % SECTORS_PER_PAGE;
		unsigned int n = min_t(unsigned int, to - from,
				       SECTORS_PER_PAGE - skip);

		memzero_page(copy->pages[from / SECTORS_PER_PAGE],
			     skip << SECTOR_SHIFT, n << SECTOR_SHIFT);
		from += n;
	}
}

/**
 * bkc_copy_data - between a bio and the part of the buffer it is over
 * @copy: the buffer
 * @at: bytes of the buffer, where the part begins
 * @bio: a write is copied into the buffer, a read from it
 * @part: of the bio, as much of it as is over the part
 *
 * Any context.
 */
void bkc_copy_data(struct bkc_copy *copy, unsigned int at, struct bio *bio,
		   struct bvec_iter part)
{
	struct bvec_iter iter;
	struct bio_vec vec;

	__bio_for_each_segment(vec, bio, iter, part) {
		unsigned int done = 0;

		/* A segment is of one page; ours may begin elsewhere in it. */
		while (done < vec.bv_len) {
			struct page *page = copy->pages[at >> PAGE_SHIFT];
			unsigned int skip = offset_in_page(at);
			unsigned int n = min_t(unsigned int, vec.bv_len - done,
					       PAGE_SIZE - skip);

			if (op_is_write(bio_op(bio)))
				memcpy_page(page, skip, vec.bv_page,
					    vec.bv_offset + done, n);
			else
				memcpy_page(vec.bv_page, vec.bv_offset + done,
					    page, skip, n);
			done += n;
			at += n;
		}
	}
}

/* The same of a whole bio of a table that is not aimed at a leg yet. */
void bkc_copy_bio_data(struct bkc_copy *copy, struct bio *bio)
{
	struct bkc_table *t = bkc_io_of(bio)->table;
	sector_t start = dm_target_offset(t->ti, bio->bi_iter.bi_sector);

	bkc_copy_data(copy, (start - copy->range.start) << SECTOR_SHIFT, bio,
		      bio->bi_iter);
}

static void block_sectors(const struct bkc_copy *copy, unsigned int i,
			  unsigned int *from, unsigned int *to)
{
	*from = i << copy->s->map.block_shift;
	*to = min(*from + (1U << copy->s->map.block_shift), run_sectors(copy));
}

/* Which blocks of the run are zeros; returns how many. */
static unsigned int find_zero_blocks(struct bkc_copy *copy)
{
	unsigned int i, from, to;

	for (i = 0; i < copy->nr_blocks; i++) {
		block_sectors(copy, i, &from, &to);
		__assign_bit(i, copy->zero, is_zero(copy, from, to));
	}
	return bitmap_weight(copy->zero, copy->nr_blocks);
}

static enum bkc_leg target_of(const struct bkc_copy *copy)
{
	return copy->s->mode->copy_to;
}

static enum bkc_leg source_of(const struct bkc_copy *copy)
{
	return target_of(copy) == BKC_TOP ? BKC_BASE : BKC_TOP;
}

/* One I/O to the target for blocks first..last-1 of the run. */
static void target_segment(struct bkc_copy *copy, unsigned int first,
			   unsigned int last, blk_opf_t opf,
			   bio_end_io_t *end_io)
{
	unsigned int from, to, ignored;
	struct bio *bio;

	block_sectors(copy, first, &from, &ignored);
	block_sectors(copy, last - 1, &ignored, &to);
	bio = bkc_copy_bio(copy, target_of(copy), from, to, opf, end_io);
	atomic_inc(&copy->pending);
	submit_bio_noacct(bio);
}

/*
 * The next step begins in a work of copy_wq. Any context. A work that a write's
 * end has queued may take the step before we queue ours, and come to the
 * copy's end: copies_lock keeps bkc_copy_put(), and with it the free, out.
 */
static void copy_next(struct bkc_copy *copy, enum bkc_copy_step step)
{
	struct bkc_state *s = copy->s;
	unsigned long flags;

	spin_lock_irqsave(&s->copies_lock, flags);
	/* Pairs with the xchg in copy_work(). */
	smp_store_release(&copy->step, step);
	queue_work(s->copy_wq, &copy->work);
	spin_unlock_irqrestore(&s->copies_lock, flags);
}

void bkc_copy_again(struct bkc_copy *copy)
{
	copy_next(copy, BKC_STEP_WRITE);
}

static void write_put(struct bkc_copy *copy)
{
	if (!atomic_dec_and_test(&copy->pending))
		return;
	if (copy->status[target_of(copy)] && copy->zeroing) {
		/* It would not zero, or failed: write it all, once. */
		copy->zeroing = false;
		bitmap_zero(copy->zero, BKC_RUN_BLOCKS_MAX);
		copy_next(copy, BKC_STEP_WRITE);
		return;
	}
	copy_done(copy);
}

static void write_endio(struct bio *bio)
{
	struct bkc_copy *copy = bio->bi_private;

	if (bio->bi_status)
		copy->status[target_of(copy)] = bio->bi_status;
	bio_put(bio);
	write_put(copy);
}

/* Step 4, but for the blocks bkc_range_begin_write() says to skip. */
static void write_run(struct bkc_copy *copy)
{
	DECLARE_BITMAP(data, BKC_RUN_BLOCKS_MAX);
	unsigned int first, last;

	copy->status[target_of(copy)] = BLK_STS_OK;
	atomic_set(&copy->pending, 1);
	if (bkc_range_begin_write(copy->s, copy)) {
		bitmap_or(data, copy->zero, copy->skip, copy->nr_blocks);
		for_each_clear_bitrange(first, last, data, copy->nr_blocks)
			target_segment(copy, first, last, REQ_OP_WRITE,
				       write_endio);
		bitmap_andnot(data, copy->zero, copy->skip, copy->nr_blocks);
		if (copy->zeroing)
			for_each_set_bitrange(first, last, data, copy->nr_blocks)
				target_segment(copy, first, last,
					       REQ_OP_WRITE_ZEROES, write_endio);
	}
	write_put(copy);
}

static void peek_put(struct bkc_copy *copy)
{
	if (atomic_dec_and_test(&copy->pending))
		copy_next(copy, BKC_STEP_PEEKED);
}

static void peek_endio(struct bio *bio)
{
	struct bkc_copy *copy = bio->bi_private;

	if (bio->bi_status)
		copy->status[target_of(copy)] = bio->bi_status;
	bio_put(bio);
	peek_put(copy);
}

/*
 * Step 3a, for a target that cannot zero (a thin volume): what reads as zeros
 * there already needs no write, and stays a hole.
 */
static void peek_target(struct bkc_copy *copy)
{
	unsigned int first, last;

	atomic_set(&copy->pending, 1);
	for_each_set_bitrange(first, last, copy->zero, copy->nr_blocks)
		target_segment(copy, first, last, REQ_OP_READ, peek_endio);
	peek_put(copy);
}

/* Step 3b: the zero blocks' pages hold what the target has. */
static void peeked(struct bkc_copy *copy)
{
	unsigned int i, from, to;

	for_each_set_bit(i, copy->zero, copy->nr_blocks) {
		block_sectors(copy, i, &from, &to);
		if (!copy->status[target_of(copy)] && is_zero(copy, from, to))
			continue;
		__clear_bit(i, copy->zero);
		bkc_copy_fill_zeroes(copy, from, to);
	}
	write_run(copy);
}

/* Step 3 */
static void scan_run(struct bkc_copy *copy)
{
	bitmap_zero(copy->zero, BKC_RUN_BLOCKS_MAX);
	copy->zeroing = false;
	if (copy->s->params.detect_zeroes && find_zero_blocks(copy)) {
		copy->zeroing =
			bdev_write_zeroes_sectors(copy->s->bdev[target_of(copy)]);
		/* Not where a view may be reading the buffer. */
		if (!copy->zeroing && !copy->s->mode->preserves) {
			peek_target(copy);
			return;
		}
		if (!copy->zeroing)
			bitmap_zero(copy->zero, BKC_RUN_BLOCKS_MAX);
	}
	write_run(copy);
}

static void read_endio(struct bio *bio)
{
	struct bkc_copy *copy = bio->bi_private;

	copy->status[source_of(copy)] = bio->bi_status;
	bio_put(bio);
	if (!copy->status[source_of(copy)]) {
		if (copy->s->mode->preserves)
			bkc_range_copy_safe(copy->s, copy);
		copy_next(copy, BKC_STEP_SCAN);
		return;
	}
	if (copy->bio)
		bkc_reader_serve(copy, copy->status[source_of(copy)]);
	copy_done(copy);
}

/* Blocks that are zeroes: nothing to read, and nothing to look for. */
static void zero_run(struct bkc_copy *copy)
{
	copy->zeroing = bdev_write_zeroes_sectors(copy->s->bdev[target_of(copy)]);
	bitmap_zero(copy->zero, BKC_RUN_BLOCKS_MAX);
	if (copy->zeroing)
		bitmap_set(copy->zero, 0, copy->nr_blocks);
	bkc_copy_fill_zeroes(copy, 0, run_sectors(copy));
	write_run(copy);
}

/* Step 2 */
static void read_run(struct bkc_copy *copy)
{
	if (copy->valid == BKC_IN_NONE)
		zero_run(copy);
	else
		submit_bio_noacct(bkc_copy_bio(copy, source_of(copy), 0,
					       run_sectors(copy), REQ_OP_READ,
					       read_endio));
}

/*
 * Takes the step that is due, once: it may be queued by more than one write
 * that ended, and again by what an earlier run of it has started.
 */
static void copy_work(struct work_struct *work)
{
	struct bkc_copy *copy = container_of(work, struct bkc_copy, work);

	if (READ_ONCE(copy->step) == BKC_STEP_WAIT) {
		if (bkc_range_copy_ready(copy->s, copy))
			read_run(copy);
		return;
	}
	switch (xchg(&copy->step, BKC_STEP_BUSY)) {
	case BKC_STEP_SCAN:
		if (copy->bio)
			bkc_reader_serve(copy, BLK_STS_OK);
		scan_run(copy);
		break;
	case BKC_STEP_PEEKED:
		peeked(copy);
		break;
	case BKC_STEP_WRITE:
		write_run(copy);
		break;
	default:
		break;
	}
}

/**
 * bkc_copy_start - copy a registered run
 * @copy: bkc_range_begin_copy() has registered it
 *
 * Process context.
 */
void bkc_copy_start(struct bkc_copy *copy)
{
	/* Queued by the end of a write, it may have begun already. */
	copy_work(&copy->work);
}
