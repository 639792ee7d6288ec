// SPDX-License-Identifier: GPL-2.0-only
/*
 * The superblock of a metadata device: two copies, of which the older is written
 * first, then the other. It says what the volume is, in which mode and phase it stands, and
 * whether its end was a clean one.
 */
#include <linux/crc32.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "bitmap.h"
#include "meta.h"

#define SUPERS			2

static int write_super_image(struct bkc_meta *meta,
			     struct blkcopy_meta_super *super)
{
	u64 generation = le64_to_cpu(super->header.generation) + 1;
	struct page *page = virt_to_page(super);
	int r;

	bkc_meta_seal(meta, &super->header, BLKCOPY_META_MAGIC_SUPER,
		      generation % SUPERS, generation);
	r = bkc_meta_io(meta, REQ_OP_WRITE | REQ_PREFLUSH | REQ_FUA |
			BKC_WAITED_FOR | REQ_META, generation % SUPERS, &page, 1);
	return r;
}

/**
 * bkc_meta_exact_sum - what tells whether every sector is as it was left
 * @meta: metadata
 * @doubts: a sector that is bad counts with the generation after the one that
 *	was found, so that the next time it is as doubtful as now
 */
u32 bkc_meta_exact_sum(const struct bkc_meta *meta, bool doubts)
{
	u32 crc = ~0;
	u64 i;

	for (i = 0; i < meta->nr_exact; i++) {
		bool newer = doubts && meta->generation[i] &&
			     test_bit(i, meta->bad);
		__le64 generation = cpu_to_le64(meta->generation[i] + newer);

		crc = __crc32c_le(crc, (const u8 *)&generation,
				  sizeof(generation));
	}
	return ~crc;
}

static u32 disk_phase(enum bkc_phase phase)
{
	static const u8 values[] = {
		[BKC_PHASE_IDLE] = BLKCOPY_META_PHASE_IDLE,
		[BKC_PHASE_COPYING] = BLKCOPY_META_PHASE_COPYING,
		[BKC_PHASE_SYNCED] = BLKCOPY_META_PHASE_SYNCED,
		[BKC_PHASE_PIVOTED] = BLKCOPY_META_PHASE_PIVOTED,
		[BKC_PHASE_ABORTED] = BLKCOPY_META_PHASE_ABORTED,
		[BKC_PHASE_STREAMING] = BLKCOPY_META_PHASE_STREAMING,
		[BKC_PHASE_STREAMED] = BLKCOPY_META_PHASE_STREAMED,
		[BKC_PHASE_MERGING] = BLKCOPY_META_PHASE_MERGING,
		[BKC_PHASE_MERGED] = BLKCOPY_META_PHASE_MERGED,
		[BKC_PHASE_PRESERVING] = BLKCOPY_META_PHASE_PRESERVING,
		[BKC_PHASE_BROKEN] = BLKCOPY_META_PHASE_BROKEN,
	};

	return values[phase];
}

/* Does it say something else, its header and the sum apart? */
static bool differs(const struct blkcopy_meta_super *a,
		    const struct blkcopy_meta_super *b)
{
	return a->flags != b->flags || a->phase != b->phase || a->mode != b->mode;
}

/*
 * super_lock held. What was said last is in one copy, and the other says what was
 * said before: who cannot read the one would believe the other. So it is said in
 * both. Not before the first has been written: one of them is whole at any time.
 */
static int __repeat(struct bkc_meta *meta)
{
	struct blkcopy_meta_super *super = meta->next_super;
	int r;

	memcpy(super, meta->super, sizeof(*super));
	r = write_super_image(meta, super);
	if (!r)
		memcpy(meta->super, super, sizeof(*super));
	return r;
}

/* The phase the disk speaks of, if it is one in which nothing is copied. */
enum bkc_phase bkc_meta_phase(const struct bkc_meta *meta)
{
	if (meta->s->mode->preserves)
		return bkc_record_phase(meta);
	switch (le32_to_cpu(meta->super->phase)) {
	case BLKCOPY_META_PHASE_PIVOTED:
		return BKC_PHASE_PIVOTED;
	case BLKCOPY_META_PHASE_ABORTED:
		return BKC_PHASE_ABORTED;
	default:
		return BKC_PHASE_COPYING;
	}
}

/*
 * super_lock held. A write failed, and may be there all the same, in part or as
 * a whole: what was said before is said again in its place.
 */
static void take_back(struct bkc_meta *meta)
{
	if (__repeat(meta))
		DMERR("metadata on %pg: it is not known what the superblock says",
		      meta->bdev);
}

/*
 * super_lock held. Who is resumed or suspended while an abort tells the disk has
 * looked before it: what the abort says stays.
 */
static enum bkc_phase as_aborted(struct bkc_state *s, enum bkc_phase phase,
				 u32 *set, u32 *clear)
{
	bool aborted;

	if (s->mode->durable || !bkc_phase_copies(phase))
		return phase;
	spin_lock_irq(&s->lock);
	aborted = s->aborting || s->phase == BKC_PHASE_ABORTED;
	spin_unlock_irq(&s->lock);
	if (!aborted)
		return phase;
	*set |= BLKCOPY_META_TOP_STALE;
	*clear &= ~BLKCOPY_META_TOP_STALE;
	return BKC_PHASE_ABORTED;
}

/**
 * bkc_meta_write_super - the mode as it is now, and a phase, become durable
 * @meta: metadata
 * @phase: the state's, or one it is about to be in
 * @set: BLKCOPY_META_* flags to set
 * @clear: flags to clear; the rest stay as they are
 *
 * Process context; waits for I/O. Returns 0, or an errno and health is META_RO.
 */
int bkc_meta_write_super(struct bkc_meta *meta, enum bkc_phase phase, u32 set,
			 u32 clear)
{
	struct blkcopy_meta_super *super;
	struct bkc_state *s = meta->s;
	int leg, r, repeated = 0;
	u32 flags;
	bool news;

	if (READ_ONCE(meta->health) == BKC_HEALTH_META_RO)
		return -EIO;
	mutex_lock(&meta->super_lock);
	phase = as_aborted(s, phase, &set, &clear);
	super = meta->next_super;
	memcpy(super, meta->super, sizeof(*super));
	flags = (le32_to_cpu(super->flags) & ~clear) | set;
	super->flags = cpu_to_le32(flags);
	super->exact_sum = cpu_to_le32(flags & BLKCOPY_META_CLEAN ?
				       bkc_meta_exact_sum(meta, true) : 0);
	super->mode = cpu_to_le32(s->mode->meta_mode);
	super->phase = cpu_to_le32(disk_phase(phase));
	for (leg = 0; leg < BKC_LEGS; leg++) {
		/* Of bitmaps nobody asks, and the device may be gone. */
		if (!s->bdev[leg] || bkc_meta_has_bitmaps(meta))
			continue;
		super->leg[leg].sectors =
			cpu_to_le64(bdev_nr_sectors(s->bdev[leg]));
		super->leg[leg].start = cpu_to_le64(s->start[leg]);
	}
	/* It is written to from here on, and will not look as it did. */
	if (bkc_meta_has_bitmaps(meta)) {
		super->leg[BKC_BASE].stamp = 0;
		super->leg[BKC_BASE].has_stamp = 0;
	}
	news = differs(super, meta->super);
	r = write_super_image(meta, super);
	if (!r) {
		memcpy(meta->super, super, sizeof(*super));
		/* Writes are held in a pivot: bkc_meta_repeat_super() when they go. */
		if (news && phase != BKC_PHASE_PIVOTED)
			repeated = __repeat(meta);
		/* Once all is merged it may be written to all the more. */
		if (flags & BLKCOPY_META_BASE_MIXED)
			WRITE_ONCE(meta->may_write_base, true);
	} else {
		take_back(meta);
	}
	mutex_unlock(&meta->super_lock);
	/* It is said; but no more than that is to be relied on. */
	if (r || repeated)
		bkc_meta_failed(meta, "writing the superblock", r ?: repeated);
	return r;
}

/* bkc_meta_write_super(), though other metadata could not be written. */
int bkc_meta_try_super(struct bkc_meta *meta, enum bkc_phase phase, u32 set)
{
	WRITE_ONCE(meta->health, BKC_HEALTH_RW);
	return bkc_meta_write_super(meta, phase, set, 0);
}

/* The second copy of a superblock that says that a pivot has been. Process context. */
void bkc_meta_repeat_super(struct bkc_meta *meta)
{
	int r;

	mutex_lock(&meta->super_lock);
	r = __repeat(meta);
	mutex_unlock(&meta->super_lock);
	if (r)
		bkc_meta_failed(meta, "writing the superblock", r);
}

int bkc_meta_read_super(struct bkc_meta *meta)
{
	struct blkcopy_meta_super *copy = meta->next_super;
	struct page *page = virt_to_page(copy);
	unsigned int i, found = 0;
	int r;

	for (i = 0; i < SUPERS; i++) {
		r = bkc_meta_io(meta, REQ_OP_READ, i, &page, 1);
		if (r) {
			DMERR("metadata on %pg: cannot read superblock copy %u (%d)",
			      meta->bdev, i, r);
			continue;
		}
		if (!bkc_meta_is(&copy->header, BLKCOPY_META_MAGIC_SUPER, i))
			continue;
		if (found && memcmp(copy->header.uuid, meta->super->header.uuid,
				    sizeof(copy->header.uuid))) {
			DMERR("metadata on %pg: its superblocks are of two volumes",
			      meta->bdev);
			return -EINVAL;
		}
		if (!found || le64_to_cpu(copy->header.generation) >
			      le64_to_cpu(meta->super->header.generation))
			memcpy(meta->super, copy, sizeof(*copy));
		found++;
	}
	if (found)
		return 0;
	DMERR("metadata on %pg: no superblock, or both are damaged: see blkctl check",
	      meta->bdev);
	return -EINVAL;
}

static int refuse(struct bkc_meta *meta, const char *why)
{
	DMERR("metadata on %pg refused: %s", meta->bdev, why);
	return -EINVAL;
}

/* How many bitmaps it has room for; 0 as well when it is none of ours. */
static u64 bitmap_slots(const struct bkc_meta *meta)
{
	u64 nr = div64_u64(le64_to_cpu(meta->super->nr_exact),
			   bkc_bitmap_sectors(meta->s->map.len,
					      meta->s->map.block_shift));

	return nr <= BLKCOPY_BITMAPS_MAX ? nr : 0;
}

static bool may_become(u32 on_disk, const struct bkc_mode *mode)
{
	if (!mode->durable)
		return on_disk == mode->meta_mode;
	return on_disk == BLKCOPY_META_MODE_STREAM ||
	       on_disk == BLKCOPY_META_MODE_OVERLAY ||
	       on_disk == BLKCOPY_META_MODE_COMMIT;
}

/* Between the superblock and the exact sectors, a bit for each segment. */
static bool fits_intent(const struct bkc_meta *meta, u64 first_exact)
{
	const struct blkcopy_meta_super *super = meta->super;
	u64 first = le64_to_cpu(super->first_intent);
	u64 nr = le64_to_cpu(super->nr_intent);
	u32 mib = le32_to_cpu(super->segment_mib);
	u64 segments;

	if (mib < BLKCOPY_SEGMENT_MIB_MIN || mib > BLKCOPY_SEGMENT_MIB_MAX)
		return false;
	segments = DIV64_U64_ROUND_UP(meta->s->map.len,
				      (u64)mib << (20 - SECTOR_SHIFT));
	return first >= SUPERS && first <= first_exact &&
	       nr <= first_exact - first &&
	       nr == DIV64_U64_ROUND_UP(segments, BLKCOPY_META_SEGMENTS);
}

/* Does what the superblock says fit the table? */
int bkc_meta_check_super(struct bkc_meta *meta, struct bkc_table *t)
{
	const struct blkcopy_meta_super *super = meta->super;
	u64 size = bdev_nr_sectors(meta->bdev) >> BKC_META_SECTOR_SHIFT;
	u64 first = le64_to_cpu(super->first_exact);
	u32 mode = le32_to_cpu(super->mode);
	int leg;

	if (super->version != cpu_to_le32(BLKCOPY_META_VERSION))
		return refuse(meta, "another version of the format");
	if (super->incompat)
		return refuse(meta, "it uses features this module does not know");
	if (le64_to_cpu(super->sectors) != t->ti->len)
		return refuse(meta, "it is of a volume of another length");
	if (le32_to_cpu(super->block_sectors) != t->block_sectors)
		return refuse(meta, "its block size is another one");
	if (bkc_meta_has_bitmaps(meta))
		meta->nr_exact = bitmap_slots(meta) *
				 bkc_bitmap_sectors(t->ti->len,
						    meta->s->map.block_shift);
	if (le64_to_cpu(super->nr_exact) != meta->nr_exact ||
	    first < SUPERS || first > size ||
	    2 * meta->nr_exact > size - first)
		return refuse(meta, "it does not fit on its device");
	if (!may_become(mode, t->mode))
		return refuse(meta, "it is of a mode that cannot become this one");
	if (!fits_intent(meta, first))
		return refuse(meta, "its intent map is not what the volume needs");
	if (le32_to_cpu(super->flags) & ~BLKCOPY_META_FLAGS)
		return refuse(meta, "it has flags this module does not know");
	for (leg = 0; leg < BKC_LEGS; leg++) {
		u64 sectors = le64_to_cpu(super->leg[leg].sectors);

		/* A layer may have been put below, or taken away from there. */
		if (!sectors || bkc_meta_has_bitmaps(meta))
			continue;
		if (sectors != bdev_nr_sectors(t->dev[leg]->bdev))
			return refuse(meta, leg == BKC_TOP ?
				      "top is not of the size it had" :
				      "base is not of the size it had");
		if (le64_to_cpu(super->leg[leg].start) != t->start[leg])
			return refuse(meta, leg == BKC_TOP ?
				      "top's offset is another one" :
				      "base's offset is another one");
	}
	meta->first_exact = first;
	return 0;
}
