/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comparing the legs, see verify.c.
 */
#ifndef BKC_VERIFY_H
#define BKC_VERIFY_H

#include "copy.h"

enum bkc_verify_state {
	BKC_VERIFY_NEVER,
	BKC_VERIFYING,
	BKC_VERIFIED,
};

struct bkc_verify {
	struct bkc_state *s;
	struct bkc_copy *leg[BKC_LEGS];	/* base's holds the range */
	struct delayed_work again;
	enum bkc_verify_state state;	/* bkc_state.lock, as is the next */
	bool out;		/* a step is under way or queued */
	bool bad;		/* a leg could not be read */
	atomic_t pending;
	u64 cursor;		/* block */
	u64 compared;
	u64 differ;
	u64 failed;
};

int bkc_verify_start(struct bkc_state *s);
void bkc_verify_stop(struct bkc_state *s);
void bkc_verify_resume(struct bkc_state *s);
void bkc_verify_exit(struct bkc_state *s);

#endif /* BKC_VERIFY_H */
