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

/* Its works, which may find that a leg fails. Process context; no I/O is in flight. */
void bkc_meta_stop(struct bkc_meta *meta)
{
	bkc_record_exit(meta);
	bkc_intent_stop(meta);
	cancel_delayed_work_sync(&meta->lazy_work);
	flush_workqueue(meta->wq);
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
	r = alloc_sectors(meta, GFP_NOIO) ?: bkc_meta_load_exact(meta);
	if (r)
		return r;
	for_each_set_bit(i, meta->bad, meta->nr_exact)
		bkc_bitmap_doubt(meta, i);
	bkc_meta_supersede(meta);
	bitmap_or(meta->dirty, meta->dirty, meta->bad, meta->nr_exact);
	bitmap_zero(meta->bad, meta->nr_exact);
	meta->any_bad = false;
	return bkc_bitmaps_loaded(meta);
}

/* What says that a part of the map, or of bitmaps, is not to be believed. */
static u32 stale_flag(const struct bkc_meta *meta)
{
	const struct bkc_state *s = meta->s;

	if (s->mode->durable)
		return 0;
	if (bkc_meta_has_bitmaps(meta))
		return BLKCOPY_META_UNSEALED;
	return bkc_phase_copies(s->phase) ? BLKCOPY_META_TOP_STALE : 0;
}

/* What the disk has to say if writes may go past us, of a table of somebody else's. */
static u32 past_flag(const struct bkc_meta *meta)
{
	return READ_ONCE(meta->s->sealed) ? 0 : stale_flag(meta);
}

/*
 * What could not be read may be there again the next time, and say what was before:
 * a write that goes by what is in memory instead is not marked. So the disk first
 * says that none of it is to be believed, until open_marked() has replaced it.
 */
static int tell_distrust(struct bkc_meta *meta)
{
	u32 set = meta->distrusts ? stale_flag(meta) : 0;

	if (!set)
		return 0;
	return bkc_meta_write_super(meta, READ_ONCE(meta->s->phase), set,
				    BLKCOPY_META_CLEAN);
}

static int load(struct bkc_meta *meta, struct bkc_table *t)
{
	int r = bkc_meta_read_super(meta) ?: bkc_meta_check_super(meta, t);

	if (r)
		return r;
	if (bkc_meta_has_bitmaps(meta))
		r = load_bitmaps(meta);
	else
		r = bkc_meta_load_exact(meta) ?: t->mode->durable || t->mode->preserves ?
		    0 : bkc_mirror_load(meta);
	if (r)
		return r;
	/* Once: later what is in memory is newer. */
	if (!t->mode->durable) {
		bkc_state_set_mode(meta->s, t->mode, false);
		bkc_state_set_phase(meta->s, bkc_meta_phase(meta));
		r = tell_distrust(meta);
	}
	meta->loaded = !r;
	return r;
}

/* A commit that is under way has taken dirty off, and may fail: not unsettled. */
static bool nothing_to_write(const struct bkc_meta *meta)
{
	return bitmap_empty(meta->dirty, meta->nr_exact) &&
	       bitmap_empty(meta->unsettled, meta->nr_exact);
}

/*
 * The table that was there wrote to base, and could not make durable what is there
 * now; commits of the one that is to come do not flush base.
 */
static void leave_base(struct bkc_meta *meta, const struct bkc_mode *to)
{
	struct bkc_state *s = meta->s;

	if (s->mode->mixes_base && !to->mixes_base && !nothing_to_write(meta) &&
	    blkdev_issue_flush(s->bdev[BKC_BASE]))
		bkc_lost_for_good(meta);
}

static bool says_mixed(const struct bkc_meta *meta)
{
	return meta->super->flags & cpu_to_le32(BLKCOPY_META_BASE_MIXED);
}

/* Of a mirror, of bitmaps, or of a backup. @said: the phase the disk is told of. */
static int open_marked(struct bkc_meta *meta, const struct bkc_table *t,
		       enum bkc_phase *said)
{
	bool ordered = !t->mode->preserves || t->params.persistent;
	u32 set = ordered ? 0 : BLKCOPY_META_UNORDERED;
	u32 clear = BLKCOPY_META_CLEAN;
	enum bkc_phase phase = READ_ONCE(meta->s->phase);

	/* What is written now is not what the sum of the end before is of. */
	if (!nothing_to_write(meta))
		bkc_meta_write_super(meta, phase, 0, BLKCOPY_META_CLEAN);
	/*
	 * Not before the disk says of every block that it differs, of every
	 * bitmap that it has missed something, of every view what is preserved.
	 */
	if (phase != BKC_PHASE_ABORTED &&
	    (nothing_to_write(meta) || !bkc_meta_commit(meta)))
		clear |= BLKCOPY_META_TOP_STALE | BLKCOPY_META_UNSEALED |
			 (BLKCOPY_META_UNORDERED & ~set);
	/* A commit that failed may have broken the view. */
	phase = READ_ONCE(meta->s->phase);
	*said = phase;
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
	bool ahead, whole;
	u32 set = 0;
	int r;

	/* What failed may work again, and nothing in memory was lost. */
	WRITE_ONCE(meta->health, BKC_HEALTH_RW);
	if (!meta->loaded) {
		r = load(meta, t);
		if (r)
			return r;
	}
	meta->relies = 0;
	if (!t->mode->durable) {
		r = open_marked(meta, t, &said);
		if (t->mode->preserves)
			bkc_record_open(meta, t->params.persistent, said, r);
		return 0;
	}
	leave_base(meta, t->mode);
	ahead = !nothing_to_write(meta);
	bkc_state_set_mode(meta->s, t->mode, ahead);
	WRITE_ONCE(meta->s->base_unflushed, t->mode->base_read_only);
	if (t->mode->mixes_base) {
		whole = !ahead && !bkc_state_left(meta->s);
		meta->may_write_base = whole || says_mixed(meta);
		if (!whole)
			set |= BLKCOPY_META_BASE_MIXED;
	}
	if (meta->any_bad)
		set |= BLKCOPY_META_DOUBTFUL;
	bkc_meta_write_super(meta, READ_ONCE(meta->s->phase), set,
			     BLKCOPY_META_CLEAN | (BLKCOPY_META_DOUBTFUL & ~set));
	if (meta->lost_for_good)
		bkc_lost_for_good(meta);
	return 0;
}

/*
 * In dtr, or when a table is not resumed after all; life_lock held, none is live:
 * what bkc_meta_close() has relied on does not come.
 */
void bkc_meta_is_past(struct bkc_meta *meta)
{
	/* It may be one sector that could not be written, and this is another. */
	if (!bkc_meta_try_super(meta, READ_ONCE(meta->s->phase), meta->relies))
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
	/* Stale it is, clean or not; a disk that failed may still take that. */
	if (r || bkc_meta_has_lost(meta))
		set &= ~BLKCOPY_META_CLEAN;
	if (set)
		bkc_meta_try_super(meta, READ_ONCE(s->phase), set);
	meta->relies = goes_on ? past : 0;
	bkc_record_close(meta);
}
