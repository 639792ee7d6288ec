/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Modes with durable state: their way of I/O.
 */
#ifndef BKC_REDIRECT_H
#define BKC_REDIRECT_H

#include "meta.h"

/*
 * Where all of start..end-1 is, if a look tells: it is in one block, as most bios
 * are, and that is good. Else BKC_VALID_NR. Any context.
 */
static inline enum bkc_valid bkc_redirect_place(struct bkc_state *s,
						sector_t start, sector_t end)
{
	u64 first;

	if (bkc_map_span(&s->map, start, end, &first) > 1 ||
	    unlikely(READ_ONCE(s->meta->any_bad)))
		return BKC_VALID_NR;
	return bkc_map_at(&s->map, first);
}

/*
 * The same of a write whose range is set, where writes go to top. In top it may go
 * there at once: no copy touches its block, and that does not move away.
 */
static inline enum bkc_valid bkc_redirect_write_place(struct bkc_table *t, struct bio *bio,
						      struct bkc_io *io)
{
	if (bio_op(bio) != REQ_OP_WRITE || t->mode->write_to != BKC_TOP)
		return BKC_VALID_NR;
	return bkc_redirect_place(t->s, io->range.start, io->range.end);
}

/* redirect.c */
int bkc_redirect_flush(struct bkc_table *t, struct bio *bio, struct bkc_io *io);
int bkc_redirect_read(struct bkc_table *t, struct bio *bio, struct bkc_io *io);
bool bkc_redirect_begin(struct bkc_table *t, struct bio *bio, struct bkc_io *io);
int bkc_redirect_write(struct bkc_table *t, struct bio *bio, struct bkc_io *io);
int bkc_redirect_end_io(struct bkc_table *t, struct bio *bio, struct bkc_io *io,
			blk_status_t *error);
void bkc_redirect_moved(struct bkc_state *s, struct bkc_io *io);
void bkc_redirect_issue(struct bio *bio, enum bkc_verdict verdict);
enum bkc_verdict __bkc_redirect_admit(struct bkc_state *s, struct bkc_bucket *b,
				      struct bio *bio);
void bkc_redirect_ended(struct bio *bio, blk_status_t status);
sector_t bkc_redirect_cut(struct bkc_state *s, sector_t start, sector_t end);
void __bkc_redirect_done(struct bkc_state *s, struct bkc_bucket *b,
			 struct bkc_io *io);

/* reader.c */
void bkc_reader(struct bkc_state *s, struct bio *bio);
void bkc_reader_work(struct work_struct *work);
void bkc_reader_serve(struct bkc_copy *copy, blk_status_t status);

/* merge.c */
void bkc_merge(struct bkc_state *s, struct bio *bio);
void bkc_merge_work(struct work_struct *work);
int bkc_merge_init(struct bkc_state *s);
void bkc_merge_exit(struct bkc_state *s);

/* nospace.c */
bool bkc_nospace_keep(struct bio *bio, blk_status_t status);
void bkc_nospace_work(struct work_struct *work);
void bkc_nospace_retry(struct bkc_state *s);

#endif /* BKC_REDIRECT_H */
