// SPDX-License-Identifier: GPL-2.0-only
/*
 * The metadata device: its superblock and its exact sectors, read once, when
 * the first table that names it resumes, and written from then on. The format
 * is in uapi/blkcopy_meta.h, the order of writes in commit.c.
 *
 * Nothing is formatted here, and nothing is guessed: what does not fit is
 * refused, and a block whose state cannot be read is an I/O error.
 */
#include <linux/crc32.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bitmap.h"
#include "meta.h"

#define META_BIOS		BKC_META_BATCH
#define LOAD_PAGES		BIO_MAX_VECS	/* 1 MiB a read */

static_assert(PAGE_SIZE == BLKCOPY_META_SECTOR_SIZE);

/*
 * ---- Sectors
 */

static __le32 crc_of(const struct blkcopy_meta_header *h)
{
	static const u8 none[sizeof(h->crc)];
	const u8 *p = (const u8 *)h;
	const size_t at = offsetof(struct blkcopy_meta_header, crc);
	u32 crc = __crc32c_le(~0, p, at);

	crc = __crc32c_le(crc, none, sizeof(none));
	crc = __crc32c_le(crc, p + at + sizeof(none),
			  BLKCOPY_META_SECTOR_SIZE - at - sizeof(none));
	return cpu_to_le32(~crc);
}

void bkc_meta_seal(struct bkc_meta *meta, struct blkcopy_meta_header *h,
		   u64 magic, u64 index, u64 generation)
{
	memset(h, 0, sizeof(*h));
	h->magic = cpu_to_le64(magic);
	memcpy(h->uuid, meta->super->header.uuid, sizeof(h->uuid));
	h->index = cpu_to_le64(index);
	h->generation = cpu_to_le64(generation);
	h->crc = crc_of(h);
}

bool bkc_meta_is(const struct blkcopy_meta_header *h, u64 magic, u64 index)
{
	return h->magic == cpu_to_le64(magic) &&
	       h->index == cpu_to_le64(index) && h->crc == crc_of(h);
}

/* Process context. Reads or writes whole sectors of 4 KiB, and waits. */
int bkc_meta_io(struct bkc_meta *meta, blk_opf_t opf, u64 first,
		struct page **pages, unsigned int nr)
{
	struct bio *bio = bio_alloc_bioset(meta->bdev, nr, opf, GFP_NOIO,
					   &meta->bios);
	unsigned int i;
	int r;

	bio->bi_iter.bi_sector = first << BKC_META_SECTOR_SHIFT;
	for (i = 0; i < nr; i++)
		__bio_add_page(bio, pages[i], PAGE_SIZE, 0);
	r = submit_bio_wait(bio);
	bio_put(bio);
	return r;
}

/* From here on nothing new becomes durable. Any context. */
void bkc_meta_failed(struct bkc_meta *meta, const char *what, int r)
{
	if (xchg(&meta->health, BKC_HEALTH_META_RO) == BKC_HEALTH_META_RO)
		return;
	DMERR("metadata on %pg: %s failed (%d): what needs new durable state gets I/O errors",
	      meta->bdev, what, r);
	bkc_event(meta->s);
}

/*
 * ---- Exact sectors
 */

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
		*unsure = generation[!i] + 1 != generation[i];
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
		/* Believed, if the end was not a clean one: see load_exact. */
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
		/* One slot that cannot be read is as bad as a torn one. */
		bool unread = false;
		int slot;

		for (slot = 0; slot < 2; slot++)
			if (bkc_meta_io(meta, REQ_OP_READ, first + 2 * i + slot,
					pages + slot, 1)) {
				memset(page_address(pages[slot]), 0xff, PAGE_SIZE);
				unread = true;
			}
		r = load_sector(meta, pages, index + i, unsure);
		/* It may have been durable, its marks gone: all have changed. */
		if (unread && bkc_meta_has_bitmaps(meta))
			set_bit(index + i, meta->bad);
	}
	return r;
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
	bool clean = flags & BLKCOPY_META_CLEAN;

	if (!clean && !(flags & BLKCOPY_META_DOUBTFUL))
		meta->torn = min_t(u64, unsure, U32_MAX);
	else if (clean && bkc_meta_exact_sum(meta, false) ==
			  le32_to_cpu(meta->super->exact_sum))
		;
	else if (clean && !bkc_meta_has_bitmaps(meta) &&
		 bitmap_empty(meta->unsettled, meta->nr_exact) &&
		 bitmap_empty(meta->bad, meta->nr_exact))
		bitmap_fill(meta->bad, meta->nr_exact);
	else
		bitmap_or(meta->bad, meta->bad, meta->unsettled, meta->nr_exact);
	bitmap_zero(meta->unsettled, meta->nr_exact);
}

static int load_exact(struct bkc_meta *meta)
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

/* Nothing at all is known of a sector: no sum could tell whether it is as it was. */
static bool has_lost(const struct bkc_meta *meta)
{
	u64 i;

	for_each_set_bit(i, meta->bad, meta->nr_exact)
		if (!meta->generation[i])
			return true;
	return false;
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

/* Commit's step 2: what sector @index would say now. Of meta->wq. */
void bkc_meta_capture(struct bkc_meta *meta, u64 index, struct page *image)
{
	struct blkcopy_meta_exact *exact = page_address(image);
	const struct bkc_map *map = &meta->s->map;
	u64 at = index * BLKCOPY_META_WORDS, i;

	if (bkc_meta_has_bitmaps(meta)) {
		bkc_bitmap_capture(meta, index, exact);
	} else {
		for (i = 0; i < BLKCOPY_META_WORDS; i++)
			exact->words[i] = cpu_to_le64(bkc_map_word(map, at + i));
		bkc_record_capture(meta, index, exact);
	}
	bkc_meta_seal(meta, &exact->header, BLKCOPY_META_MAGIC_EXACT, index,
		      meta->generation[index] + 1);
}

/*
 * ---- Life
 */

static void free_sectors(struct bkc_meta *meta)
{
	bitmap_free(meta->bad);
	bitmap_free(meta->unsettled);
	bitmap_free(meta->dirty);
	kvfree(meta->generation);
	meta->bad = NULL;
	meta->unsettled = NULL;
	meta->dirty = NULL;
	meta->generation = NULL;
}

static int alloc_sectors(struct bkc_meta *meta, gfp_t gfp)
{
	meta->generation = kvcalloc(meta->nr_exact, sizeof(u64), gfp);
	meta->dirty = bitmap_zalloc(meta->nr_exact, gfp);
	meta->unsettled = bitmap_zalloc(meta->nr_exact, gfp);
	meta->bad = bitmap_zalloc(meta->nr_exact, gfp);
	if (meta->generation && meta->dirty && meta->unsettled && meta->bad)
		return 0;
	return -ENOMEM;
}

static int alloc_all(struct bkc_meta *meta)
{
	unsigned int i;

	meta->super = (void *)get_zeroed_page(GFP_KERNEL);
	meta->next_super = (void *)get_zeroed_page(GFP_KERNEL);
	if (!meta->super || !meta->next_super)
		return -ENOMEM;
	if (meta->nr_exact && alloc_sectors(meta, GFP_KERNEL))
		return -ENOMEM;
	for (i = 0; i < BKC_META_BATCH; i++) {
		meta->images[i] = alloc_page(GFP_KERNEL);
		if (!meta->images[i])
			return -ENOMEM;
	}
	meta->wq = alloc_ordered_workqueue("bkc_meta", WQ_MEM_RECLAIM);
	if (!meta->wq)
		return -ENOMEM;
	return bioset_init(&meta->bios, META_BIOS, 0, BIOSET_NEED_BVECS);
}

/**
 * bkc_meta_create - memory for the metadata of a state
 * @s: the state; its map is allocated
 * @bdev: the metadata device
 * @error: set on failure
 *
 * In ctr: nothing is read yet. Returns it or an ERR_PTR.
 */
struct bkc_meta *bkc_meta_create(struct bkc_state *s, struct block_device *bdev,
				 char **error)
{
	struct bkc_meta *meta = kzalloc(sizeof(*meta), GFP_KERNEL);
	int r;

	if (!meta)
		return ERR_PTR(-ENOMEM);
	meta->s = s;
	meta->bdev = bdev;
	if (!bkc_meta_has_bitmaps(meta))
		meta->nr_exact = DIV_ROUND_UP_ULL(s->map.nr_blocks,
						  BLKCOPY_META_BLOCKS);
	mutex_init(&meta->super_lock);
	spin_lock_init(&meta->lock);
	bio_list_init(&meta->waiters);
	INIT_LIST_HEAD(&meta->syncers);
	INIT_WORK(&meta->commit_work, bkc_meta_commit_work);
	INIT_DELAYED_WORK(&meta->lazy_work, bkc_meta_lazy_work);
	bkc_record_init(meta);
	r = alloc_all(meta) ?: bkc_intent_init(meta);
	if (r) {
		*error = "Cannot allocate the metadata";
		bkc_meta_destroy(meta);
		return ERR_PTR(r);
	}
	return meta;
}

/* Process context; no I/O is in flight. */
void bkc_meta_destroy(struct bkc_meta *meta)
{
	unsigned int i;

	if (!meta)
		return;
	bkc_record_exit(meta);
	bkc_intent_exit(meta);
	if (meta->wq) {
		cancel_delayed_work_sync(&meta->lazy_work);
		destroy_workqueue(meta->wq);
	}
	bioset_exit(&meta->bios);
	for (i = 0; i < BKC_META_BATCH; i++)
		if (meta->images[i])
			__free_page(meta->images[i]);
	free_sectors(meta);
	free_page((unsigned long)meta->next_super);
	free_page((unsigned long)meta->super);
	mutex_destroy(&meta->super_lock);
	kfree(meta);
}

/*
 * Bitmaps, and what is known of them. A record that cannot be read is one bitmap
 * less; bits that cannot be read are all set.
 */
static int load_bitmaps(struct bkc_meta *meta)
{
	u64 i;
	int r;

	/* Of a load that failed before; a status may be looking. */
	mutex_lock(&meta->s->tracker->mutex);
	bkc_bitmaps_free(meta->s->tracker);
	mutex_unlock(&meta->s->tracker->mutex);
	free_sectors(meta);
	r = alloc_sectors(meta, GFP_NOIO) ?: load_exact(meta);
	if (r)
		return r;
	for_each_set_bit(i, meta->bad, meta->nr_exact)
		bkc_bitmap_doubt(meta, i);
	bitmap_or(meta->dirty, meta->dirty, meta->bad, meta->nr_exact);
	bitmap_zero(meta->bad, meta->nr_exact);
	meta->any_bad = false;
	return bkc_bitmaps_loaded(meta);
}

static int load(struct bkc_meta *meta, struct bkc_table *t)
{
	int r = bkc_meta_read_super(meta) ?: bkc_meta_check_super(meta, t);

	if (r)
		return r;
	if (bkc_meta_has_bitmaps(meta))
		r = load_bitmaps(meta);
	else
		r = load_exact(meta) ?: t->mode->durable || t->mode->preserves ?
		    0 : bkc_mirror_load(meta);
	if (r)
		return r;
	meta->loaded = true;
	/* Once: later what is in memory is newer. */
	if (!t->mode->durable) {
		bkc_state_set_mode(meta->s, t->mode);
		bkc_state_set_phase(meta->s, bkc_meta_phase(meta));
	}
	return 0;
}

/* A commit that is under way has taken dirty off, and may fail: not unsettled. */
static bool nothing_to_write(const struct bkc_meta *meta)
{
	return bitmap_empty(meta->dirty, meta->nr_exact) &&
	       bitmap_empty(meta->unsettled, meta->nr_exact);
}

/* Of a mirror, of bitmaps, or of a backup. @said: the phase the disk is told of. */
static int open_marked(struct bkc_meta *meta, const struct bkc_table *t,
		       enum bkc_phase *said)
{
	bool ordered = !t->mode->preserves || t->params.persistent;
	u32 set = ordered ? 0 : BLKCOPY_META_UNORDERED;
	u32 clear = BLKCOPY_META_CLEAN | (BLKCOPY_META_UNORDERED & ~set);
	enum bkc_phase phase = READ_ONCE(meta->s->phase);

	*said = phase;
	/* What is written now is not what the sum of the end before is of. */
	if (!nothing_to_write(meta))
		bkc_meta_write_super(meta, phase, 0, BLKCOPY_META_CLEAN);
	/*
	 * Not before the disk says of every block that it differs, of every
	 * bitmap that it has missed something.
	 */
	if (phase != BKC_PHASE_ABORTED &&
	    (nothing_to_write(meta) || !bkc_meta_commit(meta)))
		clear |= BLKCOPY_META_TOP_STALE | BLKCOPY_META_UNSEALED;
	WRITE_ONCE(meta->closed, false);
	bkc_intent_start(meta);
	return bkc_meta_write_super(meta, phase, set, clear);
}

/**
 * bkc_meta_open - a table is about to be resumed
 * @meta: metadata
 * @t: the table; its mode is the state's from here on
 *
 * In preresume, life_lock held, nothing in flight. Reads everything the first
 * time, and refuses what does not fit. Later it cannot fail: dm would leave the
 * device suspended. From here on the disk says that the end was not clean.
 */
int bkc_meta_open(struct bkc_meta *meta, struct bkc_table *t)
{
	enum bkc_phase said;
	u32 set = 0;
	int r;

	if (!meta->loaded) {
		r = load(meta, t);
		if (r)
			return r;
	}
	/* What failed may work again, and nothing in memory was lost. */
	WRITE_ONCE(meta->health, BKC_HEALTH_RW);
	meta->relies = 0;
	if (!t->mode->durable) {
		r = open_marked(meta, t, &said);
		if (t->mode->preserves)
			bkc_record_open(meta, t->params.persistent, said, r);
		return 0;
	}
	bkc_state_set_mode(meta->s, t->mode);
	WRITE_ONCE(meta->s->base_unflushed, t->mode->base_read_only);
	if (t->mode->mixes_base) {
		if (bkc_state_left(meta->s))
			set |= BLKCOPY_META_BASE_MIXED;
		else
			meta->may_write_base = true;
	}
	if (meta->any_bad)
		set |= BLKCOPY_META_DOUBTFUL;
	bkc_meta_write_super(meta, READ_ONCE(meta->s->phase), set,
			     BLKCOPY_META_CLEAN | (BLKCOPY_META_DOUBTFUL & ~set));
	return 0;
}

/* What the disk has to say if writes may go past us, of a table of somebody else's. */
static u32 past_flag(const struct bkc_meta *meta)
{
	const struct bkc_state *s = meta->s;

	if (s->mode->durable || READ_ONCE(s->sealed))
		return 0;
	if (bkc_meta_has_bitmaps(meta))
		return BLKCOPY_META_UNSEALED;
	return bkc_phase_copies(s->phase) ? BLKCOPY_META_TOP_STALE : 0;
}

/*
 * In dtr, or when a table is not resumed after all; life_lock held, none is live:
 * what bkc_meta_close() has relied on does not come.
 */
void bkc_meta_is_past(struct bkc_meta *meta)
{
	if (!bkc_meta_write_super(meta, READ_ONCE(meta->s->phase), meta->relies, 0))
		meta->relies = 0;
}

/**
 * bkc_meta_close - no table is live any more
 * @meta: metadata
 * @goes_on: one of ours is loaded, to be resumed next
 *
 * In postsuspend of the last live table, life_lock held, nothing in flight:
 * everything becomes durable, and the disk says so. What may come next is a table
 * of somebody else's, past which we would not see writes: unless it is one of ours,
 * or that was said (seal), top counts as stale until we are resumed.
 */
void bkc_meta_close(struct bkc_meta *meta, bool goes_on)
{
	struct bkc_state *s = meta->s;
	u32 set = BLKCOPY_META_CLEAN, past = past_flag(meta);
	int r;

	/* A view's discard has seen that no table is live, or is in the map. */
	if (s->mode->preserves)
		bkc_range_sync(s);
	cancel_delayed_work_sync(&meta->lazy_work);
	if (!s->mode->durable)
		bkc_intent_stop(meta);
	if (!goes_on)
		set |= past;
	r = bkc_meta_commit(meta);
	WRITE_ONCE(meta->closed, !r && !s->mode->durable);
	if (!r && !s->mode->durable)
		r = bkc_intent_clear_all(meta);
	/* Stale it is, clean or not. */
	if (r || has_lost(meta))
		set &= ~BLKCOPY_META_CLEAN;
	if (set)
		bkc_meta_write_super(meta, READ_ONCE(s->phase), set, 0);
	meta->relies = goes_on ? past : 0;
	bkc_record_close(meta);
}
