// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target type blkcopy-view: what a volume in mode backup held when that
 * began. Read-only; it shares the volume's state, and goes on, broken, when the
 * volume goes away.
 *
 * A preserved block is read from top, where it stays; one that was released not at
 * all. One that is neither is read from base, with no lock and nothing that a writer
 * would wait for; when the read has ended its blocks are looked at again, under the
 * lock of their bucket:
 *  - Not preserved, and no safe copy over it: a write goes to base only after a
 *    copy is safe, so none has gone before now, and the data is the old one.
 *  - Else the write may have been faster. The block is taken from the copy's
 *    buffer or, when the copy is gone, from top. That is final: what is in the
 *    buffer, or preserved, stays.
 * So a read is done again in part, once, and only where a first write has met it.
 *
 * While a table of the mode is suspended, or was replaced and is not gone yet,
 * writes may come to go past us. What has been read then may be too
 * young, and waits until a table is live again or the view is broken.
 */
#include <linux/slab.h>

#include "backup.h"
#include "flush.h"
#include "meta.h"
#include "range.h"

#define VIEW_BIOS	16	/* reserve of the bio set */

/* Per-bio data. */
struct view_io {
	struct bkc_view *v;
	struct bvec_iter iter;	/* as it was mapped */
	sector_t start;		/* of the target */
	bool from_base;
	u8 flush_gen;		/* of a discard: from bkc_flush_begin() */
	blk_status_t status;
	atomic_t pending;	/* parts of it that are read again */
};

static struct view_io *view_io_of(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct view_io));
}

static bool is_broken(struct bkc_state *s)
{
	/* The phase is first; the route when the disk has been told. */
	return READ_ONCE(s->route) != BKC_ROUTE_MAP ||
	       READ_ONCE(s->phase) != BKC_PHASE_PRESERVING;
}

/*
 * Is a table of the mode suspended, or gone but for its memory? Then writes may
 * come that we do not see. The route is to be looked at after this.
 */
static bool may_be_passed(struct bkc_state *s)
{
	bool away = READ_ONCE(s->away);

	/* Pairs with the lock of bkc_state_put(): broken, then not away. */
	smp_rmb();
	return away;
}

/*
 * ---- Reads that have to look again
 */

/* Any context: look at those that wait. */
void bkc_view_redo(struct bkc_state *s)
{
	queue_work(s->copy_wq, &s->redo_work);
}

static void put_redo(struct bkc_state *s, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&s->redo_lock, flags);
	bio_list_add(&s->redo, bio);
	spin_unlock_irqrestore(&s->redo_lock, flags);
}

/*
 * Has any of it been released meanwhile, or the view been broken? That comes before
 * a discard reaches top, or something else is written there: what was read may be
 * of that. Any context, when the read has ended.
 */
static bool is_given_up(struct view_io *io)
{
	struct bkc_state *s = io->v->s;
	sector_t end = io->start + (io->iter.bi_size >> SECTOR_SHIFT);
	enum bkc_valid valid;
	u64 first, nr, run;

	nr = bkc_map_span(&s->map, io->start, end, &first);
	for (; nr; nr -= run, first += run) {
		run = bkc_map_run(&s->map, first, nr, &valid);
		if (valid == BKC_IN_NONE)
			return true;
	}
	return is_broken(s);
}

/* bio_endio() has run for it, and ended in view_end_io(): not twice. */
static void put_part(struct bio *bio)
{
	struct view_io *io = view_io_of(bio);

	if (!atomic_dec_and_test(&io->pending))
		return;
	if (!io->status && is_given_up(io))
		io->status = BLK_STS_IOERR;
	bio->bi_status = io->status;
	bio->bi_end_io(bio);
}

static void part_endio(struct bio *part)
{
	struct bio *bio = part->bi_private;

	if (part->bi_status) {
		atomic_inc(&view_io_of(bio)->v->s->errors[BKC_TOP]);
		view_io_of(bio)->status = part->bi_status;
	}
	bio_put(part);
	put_part(bio);
}

/* The part of the bio's data from sector @at of the target on. */
static struct bvec_iter part_of(struct bio *bio, sector_t at, sector_t end)
{
	struct view_io *io = view_io_of(bio);
	struct bvec_iter iter = io->iter;

	bio_advance_iter(bio, &iter, (at - io->start) << SECTOR_SHIFT);
	iter.bi_size = (end - at) << SECTOR_SHIFT;
	return iter;
}

static void read_top(struct bio *bio, sector_t at, sector_t end)
{
	struct view_io *io = view_io_of(bio);
	struct bkc_view *v = io->v;
	struct bio *part = bio_alloc_clone(v->dev[BKC_TOP]->bdev, bio, GFP_NOIO,
					   &v->bios);

	part->bi_opf &= ~REQ_NOWAIT;
	bio_clear_polled(part);
	part->bi_iter = part_of(bio, at, end);
	part->bi_iter.bi_sector = v->s->start[BKC_TOP] + at;
	part->bi_end_io = part_endio;
	part->bi_private = bio;
	atomic_inc(&io->pending);
	submit_bio_noacct(part);
}

static void read_buffer(struct bkc_copy *copy, struct bio *bio, sector_t at,
			sector_t end)
{
	bkc_copy_data(copy, (at - copy->range.start) << SECTOR_SHIFT, bio,
		      part_of(bio, at, end));
	bkc_copy_unref(copy);
}

/* Bucket lock held. The safe copy over a sector, or NULL. */
static struct bkc_copy *__safe_copy(struct bkc_bucket *b, sector_t at)
{
	struct bkc_copy *copy = __bkc_backup_copy_over(b, at);

	return copy && copy->safe ? copy : NULL;
}

/*
 * Reads again what a write may have changed of at..end-1, as far as its blocks
 * are alike; returns up to where.
 */
static sector_t redo_part(struct bio *bio, sector_t at, sector_t end)
{
	struct view_io *io = view_io_of(bio);
	struct bkc_state *s = io->v->s;
	struct bkc_bucket *b = bkc_range_bucket(s, at);
	struct bkc_copy *copy = NULL;
	bool broken = false;
	enum bkc_valid valid;
	u64 first, nr;

	nr = bkc_map_span(&s->map, at, end, &first);
	spin_lock_irq(&b->lock);
	nr = bkc_map_run(&s->map, first, nr, &valid);
	if (valid == BKC_IN_BASE) {
		/* Block by block: a copy may begin anywhere. */
		nr = 1;
		copy = __safe_copy(b, at);
		/* While its range is in the bucket it has a reference itself. */
		if (copy)
			atomic_inc(&copy->refs);
		/*
		 * None now: a write may have gone for the sake of one that has
		 * failed since. Then the route was changed first.
		 */
		broken = !copy && is_broken(s);
	}
	spin_unlock_irq(&b->lock);

	end = min(end, (first + nr) << s->map.block_shift);
	if (valid == BKC_IN_BOTH)
		read_top(bio, at, end);
	else if (copy)
		read_buffer(copy, bio, at, end);
	else if (bio->bi_status || broken || valid == BKC_IN_NONE)
		io->status = bio->bi_status ?: BLK_STS_IOERR;
	return end;
}

static void redo(struct bio *bio)
{
	struct view_io *io = view_io_of(bio);
	struct bkc_state *s = io->v->s;
	sector_t at = io->start;
	sector_t end = at + (io->iter.bi_size >> SECTOR_SHIFT);

	if (may_be_passed(s) && !is_broken(s)) {
		put_redo(s, bio);
		return;
	}
	io->from_base = false;
	io->status = is_broken(s) ? BLK_STS_IOERR : BLK_STS_OK;
	atomic_set(&io->pending, 1);
	while (at < end && !io->status)
		at = redo_part(bio, at, end);
	put_part(bio);
}

/* Of copy_wq: waits for top's queue. */
void bkc_view_redo_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, redo_work);
	struct bio_list todo;
	struct bio *bio;

	spin_lock_irq(&s->redo_lock);
	todo = s->redo;
	bio_list_init(&s->redo);
	spin_unlock_irq(&s->redo_lock);
	while ((bio = bio_list_pop(&todo)))
		redo(bio);
}

/* tables_lock held; process context. */
void __bkc_view_events(struct bkc_state *s)
{
	struct bkc_view *v;

	list_for_each_entry(v, &s->views, list)
		dm_table_event(v->ti->table);
}

/*
 * ---- map and end_io
 */

/* What is discarded here is not to be preserved, and needs no room in top. */
static int map_discard(struct bkc_view *v, struct bio *bio, sector_t start)
{
	struct view_io *io = view_io_of(bio);
	struct bkc_state *s = v->s;
	sector_t end = start + bio_sectors(bio);
	sector_t behind;
	bool in_top;

	/* Counted first, then looked whether it may go: see bkc_finish(). */
	io->flush_gen = bkc_flush_begin(s);
	/* Pairs with the barrier there. */
	smp_mb__after_atomic();
	if (is_broken(s)) {
		bkc_flush_end(s, io->flush_gen);
		return DM_MAPIO_KILL;
	}
	behind = bkc_release_discard(s, start, end, &in_top);
	if (behind < end)
		dm_accept_partial_bio(bio, behind - start);
	if (!in_top || !bdev_max_discard_sectors(v->dev[BKC_TOP]->bdev)) {
		/* Ends in view_end_io(), as those do that go on. */
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	bio_set_dev(bio, v->dev[BKC_TOP]->bdev);
	bio->bi_iter.bi_sector = s->start[BKC_TOP] + start;
	if (bkc_meta_is_ordered(s->meta)) {
		bkc_record_discard(s->meta, bio);
		return DM_MAPIO_SUBMITTED;
	}
	return DM_MAPIO_REMAPPED;
}

static int view_map(struct dm_target *ti, struct bio *bio)
{
	struct bkc_view *v = ti->private;
	struct view_io *io = view_io_of(bio);
	struct bkc_state *s = v->s;
	sector_t start = dm_target_offset(ti, bio->bi_iter.bi_sector);
	sector_t end = start + bio_sectors(bio);
	enum bkc_leg leg;
	enum bkc_valid valid;
	u64 first, nr;

	if (is_broken(s))
		return DM_MAPIO_KILL;
	if (bio_op(bio) == REQ_OP_DISCARD)
		return map_discard(v, bio, start);
	if (op_is_write(bio_op(bio)))
		return DM_MAPIO_KILL;
	/* Of one region, so that one bucket's lock tells all when it has ended. */
	end = min(end, bkc_region_end(start));
	nr = bkc_map_span(&s->map, start, end, &first);
	nr = bkc_map_run(&s->map, first, nr, &valid);
	if (valid == BKC_IN_NONE)
		return DM_MAPIO_KILL;
	end = min(end, (first + nr) << s->map.block_shift);
	if (end - start < bio_sectors(bio))
		dm_accept_partial_bio(bio, end - start);
	leg = valid == BKC_IN_BOTH ? BKC_TOP : BKC_BASE;
	io->v = v;
	io->start = start;
	io->iter = bio->bi_iter;
	io->from_base = leg == BKC_BASE;
	bio_set_dev(bio, v->dev[leg]->bdev);
	bio->bi_iter.bi_sector = s->start[leg] + start;
	return DM_MAPIO_REMAPPED;
}

/* Is what was read from base what was there when the backup began? */
static bool is_old(struct bkc_state *s, sector_t start, sector_t end)
{
	struct bkc_bucket *b = bkc_range_bucket(s, start);
	enum bkc_valid valid;
	struct bkc_range *r;
	unsigned long flags;
	u64 first, nr;
	bool old;

	nr = bkc_map_span(&s->map, start, end, &first);
	spin_lock_irqsave(&b->lock, flags);
	/*
	 * away and the route change before a write that would not be seen here
	 * is issued, and the data came from the device after it.
	 */
	old = !may_be_passed(s) && !is_broken(s) &&
	      bkc_map_run(&s->map, first, nr, &valid) == nr &&
	      valid == BKC_IN_BASE;
	/* Writes are not registered: all there is are copies. */
	list_for_each_entry(r, &b->ranges, list)
		if (r->start < end && start < r->end)
			old &= !container_of(r, struct bkc_copy, range)->safe;
	spin_unlock_irqrestore(&b->lock, flags);
	return old;
}

/* Any context. */
static int view_end_io(struct dm_target *ti, struct bio *bio,
		       blk_status_t *error)
{
	struct view_io *io = view_io_of(bio);
	struct bkc_view *v = ti->private;
	struct bkc_state *s = v->s;
	unsigned long flags;

	if (bio_op(bio) == REQ_OP_DISCARD) {
		bkc_flush_end(s, io->flush_gen);
		return DM_ENDIO_DONE;
	}
	if (bio->bi_status == BLK_STS_AGAIN)
		return DM_ENDIO_DONE;
	if (!io->from_base) {
		if (!bio->bi_status && is_given_up(io))
			*error = BLK_STS_IOERR;
		return DM_ENDIO_DONE;
	}
	if (is_old(s, io->start,
		   io->start + (io->iter.bi_size >> SECTOR_SHIFT)))
		return DM_ENDIO_DONE;
	/* One lock hold: with it gone the view may be, and its state. */
	spin_lock_irqsave(&s->redo_lock, flags);
	bio_list_add(&s->redo, bio);
	bkc_view_redo(s);
	spin_unlock_irqrestore(&s->redo_lock, flags);
	return DM_ENDIO_INCOMPLETE;
}

/*
 * ---- The rest of the target type
 */

static int open_by_number(struct bkc_view *v, enum bkc_leg leg)
{
	char path[16];

	format_dev_t(path, v->s->number[leg]);
	return bkc_get_device(v->ti, path, true, &v->dev[leg]);
}

/* The state of the live device; the device itself may go away before us. */
static int find_state(struct bkc_view *v, const char *path, char **error)
{
	unsigned int major, minor;
	dev_t live;
	char end;
	int r;

	/* Not opened: a filesystem on it would keep us out. */
	if (sscanf(path, "%u:%u%c", &major, &minor, &end) == 2) {
		live = MKDEV(major, minor);
	} else {
		r = lookup_bdev(path, &live);
		if (r) {
			*error = "Cannot find the live device";
			return r;
		}
	}
	format_dev_t(v->live, live);
	if (live == disk_devt(dm_disk(dm_table_get_md(v->ti->table)))) {
		*error = "A device cannot be a view of itself";
		return -EINVAL;
	}
	v->s = bkc_state_get_view(live, v, error);
	return PTR_ERR_OR_ZERO(v->s);
}

static void put_legs(struct bkc_view *v)
{
	int leg;

	for (leg = 0; leg < BKC_LEGS; leg++)
		if (v->dev[leg])
			dm_put_device(v->ti, v->dev[leg]);
}

static int view_open(struct bkc_view *v, char **error)
{
	int r;

	*error = "Cannot open base or top";
	r = open_by_number(v, BKC_BASE) ?: open_by_number(v, BKC_TOP);
	if (r)
		return r;
	*error = "The view is broken already";
	if (is_broken(v->s))
		return -EINVAL;
	*error = "Length differs from the volume's";
	if (v->ti->len != v->s->map.len || v->ti->begin)
		return -EINVAL;
	*error = "Cannot allocate the view";
	return bioset_init(&v->bios, VIEW_BIOS, 0, 0);
}

/* <live blkcopy device> [<#features> [discards]] */
static int view_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct bkc_view *v;
	bool discards;
	int r;

	discards = argc == 3 && !strcmp(argv[1], "1") &&
		   !strcmp(argv[2], BLKCOPY_VIEW_DISCARDS);
	if (argc != 1 && !discards && (argc != 2 || strcmp(argv[1], "0"))) {
		ti->error = "Need the live device, and no feature but discards";
		return -EINVAL;
	}
	v = kzalloc(sizeof(*v), GFP_KERNEL);
	if (!v) {
		ti->error = "Cannot allocate the view";
		return -ENOMEM;
	}
	v->ti = ti;
	v->discards = discards;
	r = find_state(v, argv[0], &ti->error);
	if (r)
		goto bad;
	r = view_open(v, &ti->error);
	if (r)
		goto bad_state;
	ti->per_io_data_size = sizeof(struct view_io);
	ti->num_discard_bios = discards;
	ti->discards_supported = discards;
	ti->private = v;
	return 0;
bad_state:
	put_legs(v);
	bkc_state_put_view(v->s, v);
bad:
	kfree(v);
	return r;
}

static void view_dtr(struct dm_target *ti)
{
	struct bkc_view *v = ti->private;

	bioset_exit(&v->bios);
	put_legs(v);
	bkc_state_put_view(v->s, v);
	kfree(v);
}

/*
 * dm has said that it may be written to, if the table does not say otherwise. A
 * discard needs that; a write fails then when it comes to us.
 */
static void view_resume(struct dm_target *ti)
{
	struct bkc_view *v = ti->private;

	if (!v->discards)
		set_disk_ro(dm_disk(dm_table_get_md(ti->table)), true);
}

static void view_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct bkc_view *v = ti->private;

	if (v->discards)
		bkc_limits_own_discard(limits, SECTOR_SIZE << v->s->map.block_shift);
}

static int view_iterate_devices(struct dm_target *ti,
				iterate_devices_callout_fn fn, void *data)
{
	struct bkc_view *v = ti->private;
	int leg, r = 0;

	for (leg = 0; !r && leg < BKC_LEGS; leg++)
		r = fn(ti, v->dev[leg], v->s->start[leg], ti->len, data);
	return r;
}

static void view_status(struct dm_target *ti, status_type_t type,
			unsigned int status_flags, char *result,
			unsigned int maxlen)
{
	struct bkc_view *v = ti->private;
	struct bkc_state *s = v->s;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		DMEMIT("%s %llu %llu %u",
		       is_broken(s) ? BLKCOPY_PHASE_BROKEN :
				      BLKCOPY_PHASE_PRESERVING,
		       is_broken(s) ? 0 : bkc_map_count(&s->map, BKC_IN_BOTH),
		       s->map.nr_blocks, 1U << s->map.block_shift);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s", v->live);
		if (v->discards)
			DMEMIT(" 1 %s", BLKCOPY_VIEW_DISCARDS);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",live=%s;", v->live);
		break;
	}
}

struct target_type bkc_view_target = {
	.name = BLKCOPY_VIEW_TARGET,
	.version = {1, 0, 0},
	.features = DM_TARGET_SINGLETON | DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = view_ctr,
	.dtr = view_dtr,
	.map = view_map,
	.end_io = view_end_io,
	.resume = view_resume,
	.io_hints = view_io_hints,
	.status = view_status,
	.iterate_devices = view_iterate_devices,
};
