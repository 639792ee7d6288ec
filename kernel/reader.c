// SPDX-License-Identifier: GPL-2.0-only
/*
 * copy_on_read, of a stream: what a read brings from base is kept in top. One
 * read serves both: it is a copy's (copy.c), and when its data is there the user
 * gets it before it is written.
 *
 * A copy is a favour. Where there is no buffer for it, or the block is just being
 * written or copied, the read goes to base as it would without.
 */
#include "copy.h"
#include "io.h"
#include "meta.h"
#include "redirect.h"

/**
 * bkc_reader - a read of blocks that are in base only
 * @s: state
 * @bio: the read, its blocks in one region
 *
 * In map: does not sleep. The bio is no longer the caller's.
 */
void bkc_reader(struct bkc_state *s, struct bio *bio)
{
	unsigned long flags;

	bio->bi_opf &= ~REQ_NOWAIT;
	bio_clear_polled(bio);
	spin_lock_irqsave(&s->readers_lock, flags);
	bio_list_add(&s->readers, bio);
	spin_unlock_irqrestore(&s->readers_lock, flags);
	queue_work(s->io_wq, &s->reader_work);
}

/* The copy's buffer has what the user wants, or could not get it. */
void bkc_reader_serve(struct bkc_copy *copy, blk_status_t status)
{
	struct bio *bio = copy->bio;

	copy->bio = NULL;
	bkc_io_of(bio)->leg = BKC_BASE;
	bio->bi_status = status;
	if (!status)
		bkc_copy_bio_data(copy, bio);
	bio_endio(bio);
}

/* True when the read is a copy's now. */
static bool read_and_keep(struct bkc_state *s, struct bio *bio)
{
	struct bkc_table *t = bkc_io_of(bio)->table;
	sector_t start = dm_target_offset(t->ti, bio->bi_iter.bi_sector);
	u64 first = bkc_block_of(&s->map, start);
	u64 nr = bkc_block_of(&s->map, start + bio_sectors(bio) - 1) - first + 1;
	unsigned int sectors = nr << s->map.block_shift, got;
	struct bkc_copy *copy = bkc_copy_get(s, &sectors);

	if (!copy)
		return false;
	got = sectors >> s->map.block_shift < nr ? 0 :
	      bkc_range_begin_copy(s, copy, first, nr, false);
	if (!got) {
		bkc_copy_put(copy);
		return false;
	}
	/* A part of what is read is worth a copy too, but of no use to the user. */
	if (got == nr)
		copy->bio = bio;
	bkc_copy_start(copy, false);
	return got == nr;
}

/* Of io_wq. */
void bkc_reader_work(struct work_struct *work)
{
	struct bkc_state *s = container_of(work, struct bkc_state, reader_work);
	struct bio_list todo;
	struct bio *bio;

	spin_lock_irq(&s->readers_lock);
	todo = s->readers;
	bio_list_init(&s->readers);
	spin_unlock_irq(&s->readers_lock);
	while ((bio = bio_list_pop(&todo))) {
		struct bkc_io *io = bkc_io_of(bio);
		struct bkc_table *t = io->table;

		if (READ_ONCE(s->live) &&
		    READ_ONCE(s->meta->health) == BKC_HEALTH_RW &&
		    read_and_keep(s, bio))
			continue;
		/* Base has it for ever: nobody writes there. */
		bkc_remap(t, bio, io, BKC_BASE,
			  dm_target_offset(t->ti, bio->bi_iter.bi_sector));
		dm_submit_bio_remap(bio, NULL);
	}
}
