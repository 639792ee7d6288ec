/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flushes of top, and what becomes of one that fails, see flush.c.
 */
#ifndef BKC_FLUSH_H
#define BKC_FLUSH_H

#include "bkc.h"

bool bkc_top_suspect(struct bkc_state *s);
int bkc_flush_leg(struct bkc_state *s, enum bkc_leg leg, struct block_device *bdev);
bool bkc_was_lost(struct bkc_state *s, enum bkc_leg leg);
bool bkc_top_is_suspect(struct bkc_state *s);
unsigned int bkc_flush_begin(struct bkc_state *s);
void bkc_flush_end(struct bkc_state *s, unsigned int gen);
int bkc_drain_flushes(struct bkc_state *s, unsigned long until);
int bkc_flush_begun(struct bkc_state *s, unsigned int gen);
int bkc_flush_top(struct bkc_state *s, u32 epoch);
int bkc_flush_store(struct bkc_state *s);

#endif /* BKC_FLUSH_H */
