// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of copies: where they come from, and I/O and data of a part of one.
 */
#include <linux/highmem.h>
#include <linux/ioprio.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "copy.h"

#define SECTORS_PER_PAGE	(PAGE_SIZE >> SECTOR_SHIFT)
#define COPY_BIOS		16	/* reserve of the bio set */

/*
 * ---- Buffers. Copies are kept while the copier is at work, so their pages are
 * allocated once; one is always there, so that a copy goes on without memory.
 */

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
	if (copy && !s->mode->preserves)
		cancel_work_sync(&copy->work);
	else if (!copy)
		copy = bkc_copy_alloc(s, block_sectors, gfp, bkc_copy_work);
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
	copy->mapper = NULL;
	*sectors = min(*sectors, round_down(copy_sectors(copy), block_sectors));
	return copy;
}

/* The same, but of those that were used before, and in map. */
struct bkc_copy *bkc_copy_get_now(struct bkc_state *s, unsigned int sectors)
{
	struct bkc_copy *copy;
	unsigned long flags;

	spin_lock_irqsave(&s->copies_lock, flags);
	copy = list_first_entry_or_null(&s->free_copies, struct bkc_copy, list);
	if (copy && copy_sectors(copy) >= sectors)
		list_del(&copy->list);
	else
		copy = NULL;
	spin_unlock_irqrestore(&s->copies_lock, flags);
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
				    bkc_copy_work);
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
 * ---- Parts of a buffer, in its sectors
 */

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
 * Process context; may wait for a bio of those in flight, but not for the first
 * one of a small demand copy. To be submitted, and given back when it has ended.
 */
struct bio *bkc_copy_bio(struct bkc_copy *copy, enum bkc_leg leg,
			 unsigned int from, unsigned int to, blk_opf_t opf,
			 bio_end_io_t *end_io)
{
	bool data = (opf & REQ_OP_MASK) != REQ_OP_WRITE_ZEROES;
	unsigned int vecs = DIV_ROUND_UP(to, SECTORS_PER_PAGE) -
			    from / SECTORS_PER_PAGE;
	struct bkc_state *s = copy->s;
	struct bio *bio = &copy->own;

	/* Pairs with the release in bkc_copy_bio_put(). */
	if (!smp_load_acquire(&copy->own_busy) &&
	    copy->demand && vecs <= BKC_COPY_OWN_VECS) {
		copy->own_busy = true;
		bio_init(bio, s->bdev[leg], copy->own_vecs, BKC_COPY_OWN_VECS,
			 opf);
	} else {
		bio = bio_alloc_bioset(s->bdev[leg], data ? vecs : 0, opf,
				       GFP_NOIO, &s->copy_bios);
	}
	bio->bi_iter.bi_sector = s->start[leg] + copy->range.start + from;
	if (!copy->demand)
		bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7);
	bio->bi_end_io = end_io;
	bio->bi_private = copy;
	if (data)
		add_buffer(copy, bio, from, to);
	else
		bio->bi_iter.bi_size = (to - from) << SECTOR_SHIFT;
	return bio;
}

/* The bio has ended. Any context. */
void bkc_copy_bio_put(struct bkc_copy *copy, struct bio *bio)
{
	if (bio != &copy->own) {
		bio_put(bio);
		return;
	}
	bio_uninit(bio);
	/* Pairs with the acquire in bkc_copy_bio(): it is as new. */
	smp_store_release(&copy->own_busy, false);
}

bool bkc_copy_is_zero(const struct bkc_copy *copy, unsigned int from,
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
