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
 * Steps 2 to 4 begin in a work of copy_wq, as submitting may sleep, or in map,
 * where backup.c sees to it that nothing has to be waited for; the end of an I/O
 * is any context.
 */
#include "backup.h"
#include "meta.h"
#include "redirect.h"

/*
 * ---- Steps
 */

static unsigned int run_sectors(const struct bkc_copy *copy)
{
	return copy->range.end - copy->range.start;
}

/* @ok: what it has is to be published. */
static void end_copy(struct bkc_copy *copy, bool ok)
{
	struct bkc_state *s = copy->s;
	blk_status_t base = copy->status[BKC_BASE];
	blk_status_t top = copy->status[BKC_TOP];
	unsigned int sectors = run_sectors(copy), published;
	unsigned long flags;

	published = bkc_range_end_copy(s, copy, ok);
	if (base)
		bkc_leg_error(s, BKC_BASE, base, true);
	if (top)
		bkc_leg_error(s, BKC_TOP, top, true);
	if (!copy->demand) {
		spin_lock_irqsave(&s->lock, flags);
		s->pass_errors |= !ok;
		s->pass_copied |= published > 0;
		spin_unlock_irqrestore(&s->lock, flags);
	}
	if (published)
		bkc_copier_account(s, min_t(u64, sectors,
					    (u64)published <<
					    s->map.block_shift) << SECTOR_SHIFT);
	bkc_copy_unref(copy);
}

/* Step 5, any context. */
static void copy_done(struct bkc_copy *copy)
{
	bool failed = copy->status[BKC_BASE] || copy->status[BKC_TOP];

	if (copy->s->mode->preserves &&
	    (failed ? bkc_backup_keep(copy) : bkc_record_copy(copy)))
		return;
	end_copy(copy, !failed);
}

/* The end of what bkc_record_copy() has taken. Process context. */
void bkc_copy_recorded(struct bkc_copy *copy, bool ok)
{
	copy->recorded = ok;
	end_copy(copy, ok);
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
		__assign_bit(i, copy->zero, bkc_copy_is_zero(copy, from, to));
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
	/* Pairs with the xchg in bkc_copy_work(). */
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
	if (copy->s->mode->preserves)
		bkc_backup_top_ended(copy->s);
	bkc_copy_bio_put(copy, bio);
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
			target_segment(copy, first, last,
				       REQ_OP_WRITE | BKC_WAITED_FOR,
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
	bkc_copy_bio_put(copy, bio);
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
		if (!copy->status[target_of(copy)] && bkc_copy_is_zero(copy, from, to))
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

/* Step 4, whatever it is, zeroes or not. Process context. */
void bkc_copy_write_all(struct bkc_copy *copy)
{
	bitmap_zero(copy->zero, BKC_RUN_BLOCKS_MAX);
	copy->zeroing = false;
	write_run(copy);
}

/* Steps 3 and 4. Process context. */
void bkc_copy_write(struct bkc_copy *copy)
{
	scan_run(copy);
}

static void read_endio(struct bio *bio)
{
	struct bkc_copy *copy = bio->bi_private;

	copy->status[source_of(copy)] = bio->bi_status;
	bkc_copy_bio_put(copy, bio);
	if (!copy->status[source_of(copy)]) {
		if (copy->s->mode->preserves)
			bkc_backup_read(copy);
		else
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
	/* A read that was to fill top, and that a discard has overtaken. */
	if (copy->bio)
		bkc_reader_serve(copy, BLK_STS_OK);
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
void bkc_copy_work(struct work_struct *work)
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
 * @exclusive: as it was told
 *
 * Process context.
 */
void bkc_copy_start(struct bkc_copy *copy, bool exclusive)
{
	/*
	 * Queued by the end of a write, an exclusive one may have begun already;
	 * it may even have ended, and be somebody else's: nothing of it is read.
	 */
	if (exclusive)
		bkc_copy_work(&copy->work);
	else
		read_run(copy);
}
