/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mode backup, and its views.
 */
#ifndef BKC_BACKUP_H
#define BKC_BACKUP_H

#include "copy.h"

/* backup.c */
bool bkc_backup_is_preserved(struct bkc_table *t, struct bio *bio);
void bkc_backup_begin(struct bkc_table *t, struct bio *bio);
enum bkc_verdict __bkc_backup_admit(struct bkc_state *s, struct bkc_bucket *b,
				    const struct bkc_range *range);
struct bkc_copy *__bkc_backup_copy_over(struct bkc_bucket *b, sector_t sector);
void bkc_backup_save_work(struct work_struct *work);
void bkc_backup_top_work(struct work_struct *work);
void bkc_backup_stuck_work(struct work_struct *work);
void bkc_backup_read(struct bkc_copy *copy);
void bkc_backup_top_ended(struct bkc_state *s);
void bkc_backup_retried(struct bkc_state *s);
bool bkc_backup_keep(struct bkc_copy *copy);
void bkc_backup_ended(struct bkc_state *s);
void bkc_backup_break(struct bkc_state *s, enum bkc_stopper by,
		      const char *why);
void bkc_backup_let_go(struct bkc_state *s);
void bkc_backup_retry(struct bkc_state *s);
void bkc_backup_drain(struct bkc_state *s);
void bkc_backup_filled(struct bkc_state *s);

/* view.c */
struct bkc_view {
	struct bkc_state *s;
	struct dm_target *ti;
	struct dm_dev *dev[BKC_LEGS];
	struct list_head list;	/* bkc_state.views */
	struct bio_set bios;
	char live[16];		/* the device, major:minor */
	bool discards;		/* give up what they are over */
};

void __bkc_view_events(struct bkc_state *s);
void bkc_view_redo(struct bkc_state *s);
void bkc_view_redo_work(struct work_struct *work);
extern struct target_type bkc_view_target;

/* release.c */
struct bkc_bitmap;
sector_t bkc_release_discard(struct bkc_state *s, sector_t start, sector_t end,
			     bool *in_top);
int bkc_release_unchanged(struct bkc_state *s, const struct bkc_bitmap *bm);

/* state.c */
struct bkc_state *bkc_state_get_view(dev_t live, struct bkc_view *view,
				     char **error);
void bkc_state_put_view(struct bkc_state *s, struct bkc_view *view);

#endif /* BKC_BACKUP_H */
