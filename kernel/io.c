// SPDX-License-Identifier: GPL-2.0-only
/*
 * map and end_io. Nothing here sleeps or allocates: the clone of a dual write
 * is part of the per-bio data.
 */
#include "backup.h"
#include "flush.h"
#include "io.h"
#include "redirect.h"

static enum bkc_leg route_leg(enum bkc_route route)
{
	return route == BKC_ROUTE_TOP ? BKC_TOP : BKC_BASE;
}

/* A write, or a flush, while every block is alike: one leg, decided by the route. */
static __always_inline int map_uniform(struct bkc_table *t, struct bio *bio,
				       struct bkc_io *io, enum bkc_route route)
{
	bkc_remap(t, bio, io, route_leg(route),
		  dm_target_offset(t->ti, bio->bi_iter.bi_sector));
	return DM_MAPIO_REMAPPED;
}

/*
 * dm sends num_flush_bios of them and completes the user's when all have. A
 * pivot waits for those to top: the device may tell of a loss but once.
 */
static noinline int map_flush(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	enum bkc_route route = READ_ONCE(t->s->route);
	bool top = t->mode->has_top && dm_bio_get_target_bio_nr(bio) == BKC_TOP;

	io->flush = true;
	if (t->mode->durable)
		return bkc_redirect_flush(t, bio, io);
	if (route != BKC_ROUTE_MAP) {
		/* One leg is in use. */
		if (!top)
			return map_uniform(t, bio, io, route);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	io->range.kind = top ? BKC_RANGE_FLUSH_TOP : BKC_RANGE_ONE_LEG;
	if (top)
		io->flush_gen = bkc_flush_begin(t->s);
	bkc_remap(t, bio, io, top ? BKC_TOP : BKC_BASE, 0);
	return DM_MAPIO_REMAPPED;
}

/* One leg of a dual write is back. True for the last: the write has ended. */
static bool dual_leg_done(struct bkc_io *io, enum bkc_leg leg,
			  blk_status_t status)
{
	io->status[leg] = status;
	return atomic_dec_and_test(&io->pending);
}

/*
 * Both legs are back. Blocks whose legs may differ become base-only before
 * the write is acknowledged. Returns the status the user gets: top's failure
 * is not the user's.
 */
static blk_status_t finish_dual(struct bkc_io *io, struct bio *bio)
{
	struct bkc_state *s = io->table->s;
	blk_status_t base = io->status[BKC_BASE], top = io->status[BKC_TOP];

	bkc_range_done(s, io);
	io->range.kind = BKC_RANGE_DONE;
	if (unlikely(top) && bkc_error_counts(top, bio))
		bkc_leg_error(s, BKC_TOP, top, false);
	if (unlikely(base) && bkc_error_counts(base, bio))
		bkc_leg_error(s, BKC_BASE, base, false);
	return base;
}

static void top_endio(struct bio *clone)
{
	struct bio *bio = clone->bi_private;
	struct bkc_io *io = bkc_io_of(bio);
	blk_status_t status = clone->bi_status;

	bio_uninit(clone);
	if (!dual_leg_done(io, BKC_TOP, status))
		return;
	bio->bi_status = finish_dual(io, bio);
	/* bio_endio() has run for it, and ended in bkc_end_io(): not twice. */
	bio->bi_end_io(bio);
}

/*
 * Sends the clone of a dual write to top; the caller sends the bio to base.
 * Neither may be turned away half-way (NOWAIT), and nobody polls for them.
 */
static void submit_clone(struct bkc_table *t, struct bio *bio,
			 struct bkc_io *io)
{
	bio->bi_opf &= ~REQ_NOWAIT;
	bio_clear_polled(bio);
	io->status[BKC_TOP] = BLK_STS_OK;
	atomic_set(&io->pending, BKC_LEGS);
	if (bio_init_clone(t->dev[BKC_TOP]->bdev, &io->clone, bio,
			   GFP_NOWAIT)) {
		/* Blocks go back to base-only, as after an error of top. */
		dual_leg_done(io, BKC_TOP, BLK_STS_RESOURCE);
		return;
	}
	io->clone.bi_iter.bi_sector = t->start[BKC_TOP] + io->range.start;
	io->clone.bi_end_io = top_endio;
	io->clone.bi_private = bio;
	submit_bio_noacct(&io->clone);
}

/* The write is registered: send what goes to top, aim the bio at base. */
static void start_write(struct bkc_table *t, struct bio *bio,
			struct bkc_io *io)
{
	if (io->range.kind == BKC_RANGE_WRITE_DUAL)
		submit_clone(t, bio, io);
	bkc_remap(t, bio, io, BKC_BASE, io->range.start);
}

static int map_write(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	if (t->mode->preserves) {
		if (bkc_backup_is_preserved(t, bio))
			return map_uniform(t, bio, io, BKC_ROUTE_BASE);
		bkc_backup_begin(t, bio);
	}

	switch (bkc_range_admit(t->s, bio, io,
				dm_target_offset(t->ti, bio->bi_iter.bi_sector),
				bio_sectors(bio))) {
	case BKC_GO:
		start_write(t, bio, io);
		return DM_MAPIO_REMAPPED;
	case BKC_WAIT:
		return DM_MAPIO_SUBMITTED;
	case BKC_FREE:
	case BKC_ROUTE_CHANGED:
		return map_uniform(t, bio, io, READ_ONCE(t->s->route));
	default:
		return DM_MAPIO_KILL;
	}
}

/* A discard that is not passed down has been done. */
static bool ignores(const struct bkc_table *t, struct bio *bio)
{
	return unlikely(bio_op(bio) == REQ_OP_DISCARD) &&
	       t->params.no_discard_passdown && !t->mode->durable;
}

static __always_inline int map_read(struct bkc_table *t, struct bio *bio,
				    struct bkc_io *io)
{
	sector_t start = dm_target_offset(t->ti, bio->bi_iter.bi_sector);
	enum bkc_leg leg = BKC_TOP;

	if (!t->mode->durable) {
		leg = route_leg(READ_ONCE(t->s->route));
	} else {
		switch (bkc_redirect_place(t->s, start, start + bio_sectors(bio))) {
		case BKC_IN_TOP:
			break;
		case BKC_IN_BASE:
			leg = BKC_BASE;
			if (!t->s->params.copy_on_read)
				break;
			fallthrough;
		default:
			return bkc_redirect_read(t, bio, io);
		}
	}
	bkc_remap(t, bio, io, leg, start);
	return DM_MAPIO_REMAPPED;
}

/*
 * target_type.map. Reads, and everything while all blocks are alike, cost
 * dm-linear's two stores and the load of the route; where they are not, but one
 * that has been written before is written again, a look at the map as well.
 */
int bkc_map_bio(struct dm_target *ti, struct bio *bio)
{
	struct bkc_table *t = ti->private;
	struct bkc_io *io = bkc_io_of(bio);
	enum bkc_valid place;
	enum bkc_route route;
	int r;

	if (!op_is_write(bio_op(bio)))
		return map_read(t, bio, io);
	bkc_io_init(io, t);
	if (ignores(t, bio)) {
		io->range.kind = BKC_RANGE_DONE;
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (unlikely(!bio_sectors(bio)))
		return map_flush(t, bio, io);
	if (bkc_tracker_begin(t, bio, io))
		return DM_MAPIO_SUBMITTED;
	route = READ_ONCE(t->s->route);
	if (t->mode->durable) {
		io->fua = bio->bi_opf & REQ_FUA;
		place = bkc_redirect_write_place(t, bio, io);
		if (place != BKC_IN_TOP &&
		    !(place == BKC_IN_BASE && bkc_redirect_begin(t, bio, io))) {
			r = bkc_redirect_write(t, bio, io);
			goto mapped;
		}
		route = BKC_ROUTE_TOP;
	} else if (route == BKC_ROUTE_MAP) {
		r = map_write(t, bio, io);
		goto mapped;
	}
	return map_uniform(t, bio, io, route);
mapped:
	/* One that dm kills does not come to bkc_end_io(). */
	if (unlikely(r == DM_MAPIO_KILL) && io->tracked)
		bkc_tracker_end(t->tracker, io);
	return r;
}

/*
 * A bio that was parked may go, or has another way to go. In io_wq, no lock
 * held.
 */
void bkc_issue_parked(struct bio *bio, enum bkc_verdict verdict)
{
	struct bkc_io *io = bkc_io_of(bio);
	struct bkc_table *t = io->table;

	/* This thread sends others after it. */
	if (bio_op(bio) == REQ_OP_WRITE)
		bio->bi_opf |= BKC_WAITED_FOR;
	if (t->mode->durable) {
		bkc_redirect_issue(bio, verdict);
		return;
	}
	switch (verdict) {
	case BKC_GO:
		start_write(t, bio, io);
		break;
	case BKC_FREE:
	case BKC_ROUTE_CHANGED:
		io->range.kind = BKC_RANGE_ONE_LEG;
		bkc_remap(t, bio, io, route_leg(READ_ONCE(t->s->route)),
			  io->range.start);
		break;
	default:
		io->range.kind = BKC_RANGE_DONE;
		bio_io_error(bio);
		return;
	}
	dm_submit_bio_remap(bio, NULL);
}

/*
 * A write that was parked before its table's mode had a look at it, cut by
 * bkc_range_cut(). In io_wq of another state, no lock held.
 */
void bkc_map_again(struct bio *bio)
{
	struct bkc_io *io = bkc_io_of(bio);
	struct bkc_table *t = io->table;
	enum bkc_verdict verdict = BKC_ROUTE_CHANGED;

	io->fua = bio->bi_opf & REQ_FUA;
	if (t->mode->has_top)
		verdict = bkc_range_admit_cut(t->s, bio, io);
	if (verdict != BKC_WAIT)
		bkc_issue_parked(bio, verdict);
}

/*
 * An error of a bio that went to one leg alone. Not bi_bdev tells which: what
 * is below may have re-aimed the bio. Nor the route: it may have changed.
 */
void bkc_note_error(struct bkc_table *t, struct bio *bio, blk_status_t status)
{
	if (bkc_error_counts(status, bio))
		bkc_leg_error(t->s, bkc_io_of(bio)->leg, status, false);
}

/*
 * A flush of top has ended. Its failure is not the user's while base holds
 * everything as well.
 */
static void flush_top_done(struct bkc_state *s, unsigned int gen,
			   blk_status_t *error)
{
	if (unlikely(*error)) {
		bool swallow = bkc_top_suspect(s);

		bkc_leg_error(s, BKC_TOP, *error, false);
		if (swallow)
			*error = BLK_STS_OK;
	}
	bkc_flush_end(s, gen);
}

static int end_by_kind(struct bkc_table *t, struct bio *bio, struct bkc_io *io,
		       blk_status_t *error)
{
	if (t->mode->durable)
		return bkc_redirect_end_io(t, bio, io, error);
	switch (io->range.kind) {
	case BKC_RANGE_WRITE_DUAL:
		if (!dual_leg_done(io, BKC_BASE, *error))
			return DM_ENDIO_INCOMPLETE;
		*error = finish_dual(io, bio);
		return DM_ENDIO_DONE;
	case BKC_RANGE_WRITE_BASE:
		bkc_range_done(t->s, io);
		if (unlikely(*error))
			bkc_note_error(t, bio, *error);
		return DM_ENDIO_DONE;
	case BKC_RANGE_FLUSH_TOP:
		flush_top_done(t->s, io->flush_gen, error);
		return DM_ENDIO_DONE;
	case BKC_RANGE_DONE:
		return DM_ENDIO_DONE;
	default:
		if (unlikely(*error))
			bkc_note_error(t, bio, *error);
		return DM_ENDIO_DONE;
	}
}

static noinline int end_write(struct bkc_table *t, struct bio *bio,
			      struct bkc_io *io, blk_status_t *error)
{
	/* Not ended, the bio may be gone. */
	if (end_by_kind(t, bio, io, error) != DM_ENDIO_DONE)
		return DM_ENDIO_INCOMPLETE;
	if (io->tracked)
		bkc_tracker_end(t->tracker, io);
	/* A loss that a flush of ours was told of is his to know. */
	if (unlikely(READ_ONCE(t->s->lost)) && io->flush && !*error &&
	    bkc_was_lost(t->s, io->leg))
		*error = BLK_STS_IOERR;
	return DM_ENDIO_DONE;
}

/*
 * Most writes have been taken by the leg they went to, and there is no more to it
 * than, at times, that their blocks are there now. FUA is noted in modes with
 * durable state alone.
 */
static __always_inline bool is_plain(struct bkc_table *t, struct bkc_io *io)
{
	return (io->range.kind == BKC_RANGE_ONE_LEG ||
		io->range.kind == BKC_RANGE_REDIRECT) &&
	       io->tracked && !io->epoch && !io->fua && !t->mode->mixes_base;
}

/* target_type.end_io; any context. */
int bkc_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct bkc_table *t = ti->private;
	struct bkc_io *io;

	if (!op_is_write(bio_op(bio))) {
		if (unlikely(*error))
			bkc_note_error(t, bio, *error);
		return DM_ENDIO_DONE;
	}
	io = bkc_io_of(bio);
	if (likely(!*error) && is_plain(t, io)) {
		if (io->range.kind == BKC_RANGE_REDIRECT)
			bkc_redirect_moved(t->s, io);
		/* After that: a switch that is not seen here sees where it is. */
		if (unlikely(bkc_tracker_has_switched(t->tracker, io)))
			bkc_tracker_end_noted(t->tracker, io, true);
		return DM_ENDIO_DONE;
	}
	return end_write(t, bio, io, error);
}
