#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# A block that was discarded, as mkfs leaves them, and that a stream has filled with
# zeroes since: a write to it goes to top for that alone, so the flush that follows
# makes it durable that the block is there.
# guards: zeroes that the copier has put in top count as a redirection.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
mk_meta 2 stream "$(sectors "$A")"
fill "$A"
mk_dm vol "$(durable_line stream "$A" "$B" 1 paused 2 rate_kib 512)"
blkdiscard /dev/mapper/vol
sync /dev/mapper/vol
is "$(st vol zero top_only)" "256 0" "blocks of zeroes"
some_filled() { (($(st vol top_only) >= 2)); }
before=$(st vol commits)
msg vol copy resume
until_true 20 "zeroes in top" some_filled
dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 oflag=direct conv=notrunc status=none
sync /dev/mapper/vol
ge "$(st vol commits)" $((before + 1)) "commits when the write is flushed"
is "$(st vol phase)" streaming "the phase by then"
pass
