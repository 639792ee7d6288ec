#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# nosync: the user says that top is equal; nothing is copied, writes go to
# both, and the word is never printed back.
# guards: the one-shot feature; dual writes from the first one on.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_volume vol /dev/ram0
fill /dev/ram1
fill /dev/mapper/vol
start_copy vol /dev/ram0 /dev/ram1 1 nosync
wait_phase vol 5 synced
is "$(st vol base_only both copied)" "0 128 0" "a copy that had nothing to do"
is "$(dmsetup table vol)" "0 16384 blkcopy mirror 1:0 0 1:1 0 - 128" "the table line"
hammer_start /dev/mapper/vol --load-model "$WORK/model" --threads 4 --max 64k
sleep 1
is "$(st vol base_only copied)" "0 0" "after a second of writes"
hammer_stop
same /dev/ram0 /dev/ram1
reload vol "$(dmsetup table vol)"
is "$(st vol phase copied)" "synced 0" "its own line loaded again"
reload vol "$(track_line /dev/ram0)"
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=1 oflag=direct status=none
start_copy vol /dev/ram0 /dev/ram1
wait_phase vol 10 synced
is "$(st vol copied)" 8192 "KiB copied by a new copy of the same legs"
same /dev/ram0 /dev/ram1
pass
