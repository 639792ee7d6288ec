// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exact sectors of a metadata device, as they are read: which of two slots is
 * believed, and what to make of one that cannot be. The format is in
 * uapi/blkcopy_meta.h; they are written by commit.c.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bitmap.h"
#include "meta.h"

#define LOAD_PAGES		BIO_MAX_VECS	/* 1 MiB a read */

static bool of_volume(const struct bkc_meta *meta,
		      const struct blkcopy_meta_exact *slot, u64 index)
{
	return bkc_meta_is(&slot->header, BLKCOPY_META_MAGIC_EXACT, index) &&
	       !memcmp(slot->header.uuid, meta->super->header.uuid,
		       sizeof(slot->header.uuid));
}

static bool never_written(const void *slot)
{
	return !memchr_inv(slot, 0, BLKCOPY_META_SECTOR_SIZE);
}

/* Is the one before it gone, and whatever is in its place of the time before? */
static bool is_anew(u64 newer, u64 older)
{
	return newer >> 32 > older >> 32 &&
	       lower_32_bits(newer) == BLKCOPY_META_ANEW_GENERATION;
}

/*
 * The newer of a sector's slots. *unsure: the other is bad, or is not the one
 * before it, and may have been the newer one. NULL: nothing in either can be
 * believed.
 */
static const struct blkcopy_meta_exact *
choose_slot(const struct bkc_meta *meta, struct page **slots, u64 index,
	    bool *unsure)
{
	const struct blkcopy_meta_exact *slot[2];
	u64 generation[2] = {};
	bool good[2];
	int i;

	for (i = 0; i < 2; i++) {
		slot[i] = page_address(slots[i]);
		generation[i] = le64_to_cpu(slot[i]->header.generation);
		good[i] = of_volume(meta, slot[i], index) &&
			  generation[i] % 2 == i;
	}
	if (good[0] && good[1]) {
		i = generation[1] > generation[0];
		*unsure = generation[!i] + 1 != generation[i] &&
			  !is_anew(generation[i], generation[!i]);
		return slot[i];
	}
	/* Blank it is after the first write alone, which was to slot 0. */
	*unsure = !good[0] || !never_written(slot[1]) ||
		  generation[0] != BLKCOPY_META_FIRST_GENERATION;
	return good[0] ? slot[0] : good[1] ? slot[1] : NULL;
}

static int load_sector(struct bkc_meta *meta, struct page **slots, u64 index,
		       u64 *unsure)
{
	const struct blkcopy_meta_exact *slot;
	bool maybe_older;

	if (bkc_meta_has_bitmaps(meta) && never_written(page_address(slots[0])) &&
	    never_written(page_address(slots[1]))) {
		/* So that the next is written to slot 0. */
		meta->generation[index] = BLKCOPY_META_FIRST_GENERATION - 1;
		/* Or what was there has been discarded: the sum tells. */
		if (bkc_bitmap_uses(meta, index))
			set_bit(index, meta->unsettled);
		return 0;
	}
	slot = choose_slot(meta, slots, index, &maybe_older);
	if (!slot) {
		set_bit(index, meta->bad);
		return bkc_meta_has_bitmaps(meta) ?
		       bkc_bitmap_load(meta, index, NULL) : 0;
	}
	if (maybe_older) {
		/* Believed, if the end was not a clean one: see judge_unsure. */
		set_bit(index, meta->unsettled);
		(*unsure)++;
	}
	meta->generation[index] = le64_to_cpu(slot->header.generation);
	if (bkc_meta_has_bitmaps(meta))
		return bkc_bitmap_load(meta, index, slot);
	bkc_map_load(&meta->s->map, index * BLKCOPY_META_WORDS, slot->words,
		     BLKCOPY_META_WORDS);
	return 0;
}

/*
 * A slot that cannot be read is not torn: it may be the one that was durable, its
 * marks gone. Unless the sum tells, nothing is known of the sector.
 */
static void is_unread(struct bkc_meta *meta, u64 index)
{
	set_bit(index, meta->bad);
	meta->distrusts = true;
	if (!bkc_meta_was_clean(meta))
		meta->generation[index] = 0;
}

/* A read that fails makes the sectors bad, not the volume. */
static int load_range(struct bkc_meta *meta, u64 index, unsigned int nr,
		      struct page **pages, u64 *unsure)
{
	u64 first = meta->first_exact + 2 * index;
	unsigned int i;
	int r = 0;

	if (!bkc_meta_io(meta, REQ_OP_READ, first, pages, 2 * nr)) {
		for (i = 0; !r && i < nr; i++)
			r = load_sector(meta, pages + 2 * i, index + i, unsure);
		return r;
	}
	for (i = 0; !r && i < nr; i++) {
		bool unread = false;
		u64 torn = 0;
		int slot;

		for (slot = 0; slot < 2; slot++)
			if (bkc_meta_io(meta, REQ_OP_READ, first + 2 * i + slot,
					pages + slot, 1)) {
				memset(page_address(pages[slot]), 0xff, PAGE_SIZE);
				unread = true;
			}
		r = load_sector(meta, pages, index + i, &torn);
		if (unread)
			is_unread(meta, index + i);
		else
			*unsure += torn;
	}
	return r;
}

/* Nothing at all is known of a sector: no sum could tell whether it is as it was. */
bool bkc_meta_has_lost(const struct bkc_meta *meta)
{
	u64 i;

	for_each_set_bit(i, meta->bad, meta->nr_exact)
		if (!meta->generation[i])
			return true;
	return false;
}

static bool sum_is_right(const struct bkc_meta *meta)
{
	return bkc_meta_was_clean(meta) && !bkc_meta_has_lost(meta) &&
	       bkc_meta_exact_sum(meta, false) ==
	       le32_to_cpu(meta->super->exact_sum);
}

/*
 * After an end that was not clean a bad newer slot is a torn write, and the
 * older one is what was durable. After a clean one it is damage, unless the sum
 * of all generations says that the good slots are the newest; and damage it
 * stays until it is mended. If the sum is wrong and no slot is bad, a write that
 * was acknowledged is not there, and nobody knows which. Not so of bitmaps: one
 * that is frozen while all is suspended is written after the sum.
 */
static void judge_unsure(struct bkc_meta *meta, u64 unsure)
{
	u32 flags = le32_to_cpu(meta->super->flags);
	bool has_bitmaps = bkc_meta_has_bitmaps(meta);

	if (!bkc_meta_was_clean(meta) && !(flags & BLKCOPY_META_DOUBTFUL)) {
		meta->torn = min_t(u64, unsure, U32_MAX);
	} else if (sum_is_right(meta)) {
		/* What could not be read was the older one. */
		if (!has_bitmaps)
			bitmap_zero(meta->bad, meta->nr_exact);
	} else if (bkc_meta_was_clean(meta) && !has_bitmaps &&
		   bitmap_empty(meta->unsettled, meta->nr_exact) &&
		   bitmap_empty(meta->bad, meta->nr_exact)) {
		bitmap_fill(meta->bad, meta->nr_exact);
	} else {
		bitmap_or(meta->bad, meta->bad, meta->unsettled, meta->nr_exact);
	}
	bitmap_zero(meta->unsettled, meta->nr_exact);
}

/*
 * Sectors of which nothing was known are written anew, in one slot after the other.
 * What was in the other may turn up again, and must not be the newer one: an end
 * has a superblock of its own, and fewer than 2^32 commits.
 */
void bkc_meta_supersede(struct bkc_meta *meta)
{
	u64 above = le64_to_cpu(meta->super->header.generation) << 32, i;

	for_each_set_bit(i, meta->bad, meta->nr_exact)
		if (!meta->generation[i])
			meta->generation[i] = above |
					      (BLKCOPY_META_ANEW_GENERATION - 1);
}

/*
 * Process context, in preresume. A sector of which nothing can be believed is bad,
 * and no error. Returns 0 or -ENOMEM.
 */
int bkc_meta_load_exact(struct bkc_meta *meta)
{
	unsigned int chunk = LOAD_PAGES / 2, i, nr;
	u64 index, unsure = 0, bad;
	struct page **pages;
	int r = 0;

	pages = kcalloc(LOAD_PAGES, sizeof(*pages), GFP_NOIO);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < min_t(u64, LOAD_PAGES, 2 * meta->nr_exact); i++) {
		pages[i] = alloc_page(GFP_NOIO);
		if (!pages[i]) {
			r = -ENOMEM;
			goto out;
		}
	}
	/* A load that failed may be tried again. */
	memset(meta->generation, 0, meta->nr_exact * sizeof(*meta->generation));
	bitmap_zero(meta->dirty, meta->nr_exact);
	bitmap_zero(meta->bad, meta->nr_exact);
	meta->distrusts = false;
	for (index = 0; index < meta->nr_exact; index += nr) {
		nr = min_t(u64, chunk, meta->nr_exact - index);
		r = load_range(meta, index, nr, pages, &unsure);
		if (r)
			goto out;
		cond_resched();
	}
	judge_unsure(meta, unsure);
	bad = bitmap_weight(meta->bad, meta->nr_exact);
	meta->any_bad = bad;
	/* What is torn is so the next time as well. */
	meta->distrusts = bad && (meta->distrusts || bkc_meta_was_clean(meta));
	if (bad)
		DMERR("metadata on %pg: %llu of %llu sectors are unreadable: see blkctl check",
		      meta->bdev, bad, meta->nr_exact);
	if (!bkc_meta_has_bitmaps(meta))
		bkc_map_recount(&meta->s->map);
out:
	for (i = 0; i < LOAD_PAGES; i++)
		if (pages[i])
			__free_page(pages[i]);
	kfree(pages);
	return r;
}

/* bkc_meta_has_bad() where anything is. */
bool bkc_meta_find_bad(struct bkc_meta *meta, u64 first, u64 nr)
{
	u64 i, last = bkc_meta_index(first + nr - 1);

	for (i = bkc_meta_index(first); i <= last; i++)
		if (test_bit(i, meta->bad))
			return true;
	return false;
}
