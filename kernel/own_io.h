/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BKC_OWN_IO_H
#define BKC_OWN_IO_H

#include <linux/blk_types.h>

/*
 * Of every write and flush that a thread of ours sends: what it keeps back, a user
 * may be waiting for. Without both flags a queue with blk-wbt takes it for
 * write-back, and has it sleep, one at a time, as soon as reads there get slow. What
 * bounds our writes is inflight_kib. As jbd2 does it with its journal.
 */
#define BKC_WAITED_FOR	(REQ_SYNC | REQ_IDLE)

#endif
