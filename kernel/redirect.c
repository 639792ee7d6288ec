// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modes with durable state: stream, overlay, commit. The map says of every
 * block which leg has it, and a write may have to move the block first: a whole
 * block goes to the leg that is to have it, and the block is there when the
 * write has ended; of a part, the rest of the block is fetched (merge.c). What a
 * write does is a row of the mode, see bkc_modes[].
 *
 * A block that is where it should be needs no range lock: no copy touches it,
 * and it does not move away (BKC_WRITE_FREE_*). All else holds its blocks, whole
 * ones, in the bucket until it has ended. What may wait there is cut first to
 * whole blocks, or to a part of one: whatever state it finds when its turn
 * comes, it can be done in one piece.
 *
 * Reads take no lock. They may find a block moved just after they looked: the
 * leg it has left still holds what it held before the write that moved it, and
 * that write has not been acknowledged.
 */
#include "copy.h"
#include "flush.h"
#include "io.h"
#include "meta.h"
#include "range.h"
#include "redirect.h"

static bool is_zero_op(struct bio *bio)
{
	return bio_op(bio) == REQ_OP_DISCARD ||
	       bio_op(bio) == REQ_OP_WRITE_ZEROES;
}

static bool is_free(enum bkc_write action)
{
	return action == BKC_WRITE_FREE_BASE || action == BKC_WRITE_FREE_TOP;
}

static sector_t offset_of(struct bkc_table *t, struct bio *bio)
{
	return dm_target_offset(t->ti, bio->bi_iter.bi_sector);
}

static sector_t size_of_block(const struct bkc_map *map)
{
	return (sector_t)1 << map->block_shift;
}

/* The last block may be a short one. */
static bool whole_blocks(const struct bkc_map *map, sector_t start, sector_t end)
{
	sector_t mask = size_of_block(map) - 1;

	return !(start & mask) && (!(end & mask) || end == map->len);
}

/*
 * How much of start..end to take in one piece: whole blocks of one state, or a
 * part of one block. Any context.
 */
sector_t bkc_redirect_cut(struct bkc_state *s, sector_t start, sector_t end)
{
	const struct bkc_map *map = &s->map;
	sector_t mask = size_of_block(map) - 1;
	enum bkc_valid valid;
	u64 first, nr, run;

	nr = bkc_map_span(map, start, end, &first);
	if (nr == 1)
		return end;
	run = bkc_map_run(map, first, nr, &valid);
	if (run < nr)
		end = (first + run) << map->block_shift;
	if ((start & mask) || (end - start <= mask && end != map->len))
		return min(end, (start | mask) + 1);
	return end == map->len ? end : end & ~mask;
}

/* What the write does to the blocks it finds, in one piece as cut above. */
static enum bkc_write choose(struct bkc_state *s, struct bio *bio,
			     sector_t start, sector_t end, enum bkc_valid *valid)
{
	const struct bkc_mode *mode = s->mode;
	enum bkc_write action;
	u64 first, nr;
	bool uniform;

	nr = bkc_map_span(&s->map, start, end, &first);
	uniform = bkc_map_run(&s->map, first, nr, valid) == nr;
	if (!whole_blocks(&s->map, start, end)) {
		action = mode->part[*valid];
		/* A discard is a hint: not worth moving a block for. */
		if (bio_op(bio) == REQ_OP_DISCARD && !is_free(action))
			action = BKC_WRITE_IGNORE;
		return action;
	}
	if (!uniform) {
		/* It was parked, and they changed: do any of them have to move? */
		if (!mode->copy_states ||
		    bkc_map_find(&s->map, first, first + nr,
				 mode->copy_states) < first + nr)
			return is_zero_op(bio) ? BKC_WRITE_ZERO :
						 BKC_WRITE_REDIRECT;
		*valid = BKC_IN_BOTH;
	}
	return is_zero_op(bio) ? mode->zero[*valid] : mode->write[*valid];
}

/*
 * Can it be made durable that these blocks have moved? A leg that the disk does
 * not say is written to is not.
 */
static bool may_change(struct bkc_meta *meta)
{
	return READ_ONCE(meta->health) == BKC_HEALTH_RW;
}

static bool may_write_base(struct bkc_state *s)
{
	return READ_ONCE(s->meta->may_write_base);
}

static enum bkc_valid written(const struct bkc_mode *mode)
{
	return mode->write_to == BKC_TOP ? BKC_IN_TOP : BKC_IN_BASE;
}

/* Bucket lock held. Publishes a change of state a user's write has made. */
static __always_inline void __publish(struct bkc_state *s, sector_t start,
				      sector_t end, enum bkc_valid valid)
{
	u64 first, nr;

	nr = bkc_map_span(&s->map, start, end, &first);
	bkc_meta_publish(s->meta, first, nr, valid, true);
	/* It may have become the copier's business: zeroes, in a stream. */
	if (s->mode->copy_states & BIT(valid))
		bkc_copier_kick_soon(s);
}

/* Bucket lock held. May it go, as far as others in flight there are concerned? */
static bool __must_wait(struct bkc_state *s, struct bkc_bucket *b,
			enum bkc_write action, sector_t start, sector_t end)
{
	struct bkc_range *r;

	list_for_each_entry(r, &b->ranges, list) {
		if (r->start >= end || start >= r->end)
			continue;
		switch (r->kind) {
		case BKC_RANGE_COPY:
			/* Not onto what a copy is writing: it may land later. */
			if (action != BKC_WRITE_HELD_TOP &&
			    container_of(r, struct bkc_copy, range)->writing)
				return true;
			break;
		case BKC_RANGE_HELD_TOP:
			if (action != BKC_WRITE_HELD_TOP)
				return true;
			break;
		default:
			return true;
		}
	}
	return false;
}

/* Bucket lock held. */
static enum bkc_verdict __go_free(struct bkc_state *s, enum bkc_write action,
				  enum bkc_valid valid, sector_t start, sector_t end)
{
	if (action == BKC_WRITE_FREE_BASE && !may_write_base(s))
		return BKC_REFUSE;
	/*
	 * In both, and about to differ: said first. The leg it goes to is valid
	 * either way.
	 */
	if (valid == BKC_IN_BOTH) {
		if (!may_change(s->meta))
			return BKC_REFUSE;
		__publish(s, start, end, action == BKC_WRITE_FREE_TOP ?
			  BKC_IN_TOP : BKC_IN_BASE);
	}
	return BKC_FREE;
}

/*
 * Bucket lock held; @bio is a piece as bkc_redirect_cut() makes them, its range
 * its blocks. Registers it, or says what else is to be done with it.
 */
enum bkc_verdict __bkc_redirect_admit(struct bkc_state *s, struct bkc_bucket *b,
				      struct bio *bio)
{
	struct bkc_io *io = bkc_io_of(bio);
	sector_t start = offset_of(io->table, bio);
	sector_t end = start + bio_sectors(bio);
	enum bkc_valid valid;
	enum bkc_write action;
	u64 first, nr;

	nr = bkc_map_span(&s->map, start, end, &first);
	if (bkc_meta_has_bad(s->meta, first, nr))
		return BKC_REFUSE;
	action = choose(s, bio, start, end, &valid);
	if (is_free(action))
		return __go_free(s, action, valid, start, end);
	if (action == BKC_WRITE_IGNORE)
		return BKC_ENDED;
	if (action != BKC_WRITE_HELD_TOP &&
	    (!may_change(s->meta) ||
	     (s->mode->write_to == BKC_BASE && !may_write_base(s))))
		return BKC_REFUSE;
	if (__must_wait(s, b, action, io->range.start, io->range.end))
		return BKC_WAIT;
	__bkc_range_cancel_copies(s, b, io->range.start, io->range.end);

	switch (action) {
	case BKC_WRITE_ZERO:
		__publish(s, start, end, BKC_IN_NONE);
		return BKC_ENDED;
	case BKC_WRITE_REDIRECT:
		io->range.kind = BKC_RANGE_REDIRECT;
		break;
	case BKC_WRITE_MERGE:
		io->range.kind = BKC_RANGE_MERGE;
		break;
	case BKC_WRITE_HELD_TOP:
		io->range.kind = BKC_RANGE_HELD_TOP;
		break;
	default:
		WARN_ON_ONCE(1);
		return BKC_REFUSE;
	}
	list_add_tail(&io->range.list, &b->ranges);
	return BKC_GO;
}

/* Bucket lock held; the range is not in the list any more. Its blocks have moved. */
static __always_inline void __moved(struct bkc_state *s, struct bkc_bucket *b,
				    const struct bkc_range *range)
{
	__publish(s, range->start, min(range->end, s->map.len), written(s->mode));
	/*
	 * An exclusive copy may have begun to wait for it when its blocks were
	 * still to be copied: what that would write over it is old.
	 */
	if (!list_empty(&b->ranges))
		__bkc_range_cancel_copies(s, b, range->start, range->end);
}

/* Bucket lock held, in bkc_range_done(). */
void __bkc_redirect_done(struct bkc_state *s, struct bkc_bucket *b,
			 struct bkc_io *io)
{
	if (io->range.kind != BKC_RANGE_HELD_TOP && !io->status[BKC_BASE])
		__moved(s, b, &io->range);
}

/* bkc_range_done() of a write of kind BKC_RANGE_REDIRECT that has not failed. */
void bkc_redirect_moved(struct bkc_state *s, struct bkc_io *io)
{
	struct bkc_bucket *b = bkc_range_bucket(s, io->range.start);
	unsigned long flags;

	spin_lock_irqsave(&b->lock, flags);
	list_del(&io->range.list);
	__moved(s, b, &io->range);
	__bkc_range_gone(s, b, &io->range);
	spin_unlock_irqrestore(&b->lock, flags);
	bkc_wake_drain(s);
}

/*
 * ---- Where it goes
 */

/* A leg that cannot discard need not. */
static bool leg_ignores(struct bkc_table *t, struct bio *bio, enum bkc_leg leg)
{
	return bio_op(bio) == REQ_OP_DISCARD &&
	       (t->params.no_discard_passdown ||
		!bdev_max_discard_sectors(t->dev[leg]->bdev));
}

static int end_now(struct bio *bio, struct bkc_io *io)
{
	io->range.kind = BKC_RANGE_DONE;
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

static int go_free(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	enum bkc_leg leg = t->mode->write_to;

	if (leg_ignores(t, bio, leg))
		return end_now(bio, io);
	io->range.kind = BKC_RANGE_ONE_LEG;
	bkc_remap(t, bio, io, leg, offset_of(t, bio));
	return DM_MAPIO_REMAPPED;
}

/* It is registered. */
static int go(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	enum bkc_leg leg = t->mode->write_to;

	io->iter = bio->bi_iter;
	if (io->range.kind == BKC_RANGE_MERGE) {
		bkc_merge(t->s, bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (io->range.kind == BKC_RANGE_HELD_TOP)
		leg = BKC_TOP;
	bkc_remap(t, bio, io, leg, offset_of(t, bio));
	return DM_MAPIO_REMAPPED;
}

/* The verdict is in. Returns what map returns. */
static int follow(struct bkc_table *t, struct bio *bio, struct bkc_io *io,
		  enum bkc_verdict verdict)
{
	switch (verdict) {
	case BKC_GO:
		return go(t, bio, io);
	case BKC_FREE:
		return go_free(t, bio, io);
	case BKC_ENDED:
		return end_now(bio, io);
	case BKC_WAIT:
		return DM_MAPIO_SUBMITTED;
	default:
		io->range.kind = BKC_RANGE_DONE;
		return DM_MAPIO_KILL;
	}
}

/* A bio that was parked may go. In io_wq, no lock held. */
void bkc_redirect_issue(struct bio *bio, enum bkc_verdict verdict)
{
	struct bkc_io *io = bkc_io_of(bio);

	switch (follow(io->table, bio, io, verdict)) {
	case DM_MAPIO_REMAPPED:
		dm_submit_bio_remap(bio, NULL);
		break;
	case DM_MAPIO_KILL:
		bio_io_error(bio);
		break;
	default:
		break;
	}
}

/* target_type.map of these modes, for a read that takes more than a look. */
int bkc_redirect_read(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	struct bkc_state *s = t->s;
	sector_t start = offset_of(t, bio);
	sector_t end = start + bio_sectors(bio);
	enum bkc_valid valid;
	u64 first, nr, run;
	bool keep;

	nr = bkc_map_span(&s->map, start, end, &first);
	run = bkc_map_run(&s->map, first, nr, &valid);
	if (run < nr)
		end = (first + run) << s->map.block_shift;
	keep = valid == BKC_IN_BASE && s->params.copy_on_read;
	if (keep)
		end = min(end, bkc_region_end(start));
	if (end - start < bio_sectors(bio))
		dm_accept_partial_bio(bio, end - start);
	if (unlikely(bkc_meta_has_bad(s->meta, first, run)))
		return DM_MAPIO_KILL;
	if (valid == BKC_IN_NONE) {
		zero_fill_bio(bio);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (keep) {
		io->table = t;
		bkc_reader(s, bio);
		return DM_MAPIO_SUBMITTED;
	}
	bkc_remap(t, bio, io, valid == BKC_IN_BASE ? BKC_BASE : BKC_TOP, start);
	return DM_MAPIO_REMAPPED;
}

/*
 * And for a flush. dm sends one for each leg that is written to. While bits are not
 * durable each waits for a commit, which flushes those legs itself; and so does the
 * first since base is not written to any more.
 */
int bkc_redirect_flush(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	enum bkc_leg leg = t->mode->flush_legs == BIT(BKC_TOP) ?
			   BKC_TOP : dm_bio_get_target_bio_nr(bio);

	if (bkc_meta_must_commit(t->s->meta) ||
	    unlikely(READ_ONCE(t->s->base_unflushed))) {
		bio->bi_opf &= ~REQ_NOWAIT;
		io->range.kind = BKC_RANGE_WAITS;
		bkc_meta_wait(t->s->meta, bio);
		return DM_MAPIO_SUBMITTED;
	}
	io->range.kind = BKC_RANGE_FLUSH;
	io->flush_gen = bkc_flush_begin(t->s);
	bkc_remap(t, bio, io, leg, 0);
	return DM_MAPIO_REMAPPED;
}

/*
 * Blocks that are in the leg that writes go to, and in no other: they are where
 * they should be, and no copy touches them. A write to them takes no lock, and says
 * nothing; one to a block in both has to say that it differs. How many of @nr.
 */
static u64 free_run(struct bkc_state *s, struct bio *bio, u64 first, u64 nr)
{
	enum bkc_valid valid;
	u64 run = bkc_map_run(&s->map, first, nr, &valid);

	if (valid != written(s->mode) || is_zero_op(bio) ||
	    bkc_meta_has_bad(s->meta, first, run) ||
	    (s->mode->write_to == BKC_BASE && !may_write_base(s)))
		return 0;
	return run;
}

/* Bucket lock held. Is there nothing there that it has to wait for, or cancel? */
static bool __is_alone(struct bkc_state *s, struct bkc_bucket *b,
		       sector_t start, sector_t end)
{
	struct bkc_range *r;

	list_for_each_entry(r, &b->ranges, list)
		if (bkc_range_overlaps(r, start, end))
			return false;
	/* hold before route, see __admit(). */
	return bio_list_empty(&b->parked) && !smp_load_acquire(&s->hold) &&
	       READ_ONCE(s->route) == BKC_ROUTE_MAP;
}

/**
 * bkc_redirect_begin - a write to top that moves a block
 * @t: table
 * @bio: the write being mapped; bkc_redirect_write_place() says that it is in base
 * @io: its per-bio data
 *
 * In map. Most first writes are of one whole block of base, and alone: then
 * bkc_range_admit() has nothing to decide, and this comes to the same with a third
 * of the instructions. False: nothing has been done, it is bkc_redirect_write()'s.
 */
bool bkc_redirect_begin(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	struct bkc_state *s = t->s;
	sector_t start = io->range.start, end = io->range.end;
	struct bkc_bucket *b;
	unsigned long flags;
	bool alone;

	if (end - start != size_of_block(&s->map) || start & (end - start - 1) ||
	    t->mode->write[BKC_IN_BASE] != BKC_WRITE_REDIRECT)
		return false;
	b = bkc_range_bucket(s, start);
	spin_lock_irqsave(&b->lock, flags);
	alone = __is_alone(s, b, start, end) && may_change(s->meta) &&
		bkc_redirect_place(s, start, end) == BKC_IN_BASE;
	if (alone) {
		io->range.kind = BKC_RANGE_REDIRECT;
		io->iter = bio->bi_iter;
		list_add_tail(&io->range.list, &b->ranges);
	}
	spin_unlock_irqrestore(&b->lock, flags);
	return alone;
}

/* And for a write that takes more than a look; its range is set. */
int bkc_redirect_write(struct bkc_table *t, struct bio *bio, struct bkc_io *io)
{
	sector_t start = io->range.start;
	unsigned int size = bio_sectors(bio);
	u64 first, nr, run;

	nr = bkc_map_span(&t->s->map, start, start + size, &first);
	run = free_run(t->s, bio, first, nr);
	if (!run)
		return follow(t, bio, io,
			      bkc_range_admit(t->s, bio, io, start, size));
	if (run < nr) {
		io->range.end = (first + run) << t->s->map.block_shift;
		dm_accept_partial_bio(bio, io->range.end - start);
	}
	bkc_remap(t, bio, io, t->mode->write_to, start);
	return DM_MAPIO_REMAPPED;
}

/*
 * ---- The end
 */

/* Its data has been written. Must it wait for a commit? Any context. */
static bool waits(struct bkc_table *t, struct bio *bio, struct bkc_io *io,
		  enum bkc_range_kind kind)
{
	struct bkc_state *s = t->s;
	u64 first, nr;

	if (s->mode->mixes_base) {
		nr = bkc_map_span(&s->map, io->range.start, io->range.end, &first);
		bkc_meta_written(s->meta, first, nr);
	}
	if (!io->fua || !bkc_meta_must_commit(s->meta))
		return false;
	io->range.kind = kind;
	bkc_meta_wait(s->meta, bio);
	return true;
}

/* A flush that went to a leg has ended. */
static void flush_ended(struct bkc_table *t, struct bio *bio, struct bkc_io *io,
			blk_status_t error)
{
	if (unlikely(error) && bkc_error_counts(error, bio))
		bkc_leg_error(t->s, io->leg, error, bkc_lost_note(t->s, io->leg));
	bkc_flush_end(t->s, io->flush_gen);
}

/* target_type.end_io of these modes, for a write; any context. */
int bkc_redirect_end_io(struct bkc_table *t, struct bio *bio, struct bkc_io *io,
			blk_status_t *error)
{
	switch (io->range.kind) {
	case BKC_RANGE_HELD_TOP:
	case BKC_RANGE_REDIRECT:
		io->status[BKC_BASE] = *error;
		bkc_range_done(t->s, io);
		if (unlikely(*error)) {
			if (!io->tries)
				bkc_note_error(t, bio, *error);
			if (bkc_nospace_keep(bio, *error))
				return DM_ENDIO_INCOMPLETE;
			io->range.kind = BKC_RANGE_DONE;
			return DM_ENDIO_DONE;
		}
		break;
	case BKC_RANGE_ONE_LEG:
		break;
	case BKC_RANGE_FLUSH:
		flush_ended(t, bio, io, *error);
		return DM_ENDIO_DONE;
	default:
		return DM_ENDIO_DONE;
	}
	if (unlikely(*error))
		bkc_note_error(t, bio, *error);
	else if (waits(t, bio, io, BKC_RANGE_WAITS_MAPPED))
		return DM_ENDIO_INCOMPLETE;
	io->range.kind = BKC_RANGE_DONE;
	return DM_ENDIO_DONE;
}

/* A write that merge.c has done, in place of end_io. Any context. */
void bkc_redirect_ended(struct bio *bio, blk_status_t status)
{
	struct bkc_io *io = bkc_io_of(bio);
	struct bkc_table *t = io->table;

	io->status[BKC_BASE] = status;
	bkc_range_done(t->s, io);
	if (!status && waits(t, bio, io, BKC_RANGE_WAITS))
		return;
	if (unlikely(status) && bkc_nospace_keep(bio, status))
		return;
	io->range.kind = BKC_RANGE_DONE;
	bio->bi_status = status;
	bio_endio(bio);
}
