#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=260
# Old data that no view is to be read for: of what is not in a bitmap, and of what
# is discarded on a view. It is not kept any more, and cannot be read; what is
# wanted reads as at the instant, under load, and while a copy or a read is at it.
# guards: a discard leaves what a copy is over; a read that a release has met fails,
# from top as well (is_given_up); no switch while a view's discard is on its way.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-delay
discards_line() { echo "0 $(sectors /dev/mapper/vol) blkcopy-view /dev/mapper/vol 1 discards"; }
# -f: it would look for signatures, and what was given up cannot be read.
discard() { blkdiscard -f -o "$(($2 * 65536))" -l "$((${3:-1} * 65536))" "$1"; }
block() { dd if="$1" bs=64k skip="$2" count=1 iflag=direct status=none; }
old_block() { dd if="$WORK/instant" bs=64k skip="$1" count=1 status=none; }
# holds_block VIEW BLOCK
holds_block() { cmp <(block "$1" "$2") <(old_block "$2") || fail "block $2 of $1 does not read as at the instant"; }
gone() { refused 'Input/output error' dd if="$1" of=/dev/null bs=64k skip="$2" count=1 iflag=direct status=none; } # VIEW BLOCK
copying() { (($(st vol inflight) > 0)); }
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=64k count="${2:-1}" seek="$1" oflag=direct conv=notrunc status=none; }

note "what is not in a bitmap"
slow_backup 8
mk_volume vol /dev/mapper/base
fill /dev/mapper/vol
msg vol bitmap add changed
put 3 2
put 100
msg_refused vol 'Invalid argument' preserve changed
arm vol /dev/mapper/base /dev/mapper/top 1 paused
msg vol bitmap freeze changed
msg_refused vol 'No such' preserve other
put 7
until_true 10 "what was written to is kept" all_st vol "1" both
msg vol preserve changed
is "$(st vol base_only both zero)" "3 0 125" "blocks wanted, kept, and not"
mk_view view vol
backup_load
slow_base
sleep 1
for i in 3 4 100; do holds_block /dev/mapper/view $i; done
for i in 2 5 127; do gone /dev/mapper/view $i; done
check_counts vol
le "$(st vol both)" 3 "blocks kept of the three that are wanted"
backup_load_stop
msg vol bitmap thaw changed
remove_dm view

note "what is discarded on a view, under load"
disarm vol /dev/mapper/base
arm vol /dev/mapper/base /dev/mapper/top 1 paused
mk_dm view "$(discards_line)"
is "$(dmsetup table view | cut -d' ' -f5-)" "1 discards" "the line of the view"
backup_load
slow_base
sleep 1
discard /dev/mapper/view 0 64
# What was on its way then may have come to top since; the rest has been given up.
sleep 1
discard /dev/mapper/view 0 64
for ((i = 64; i < 128; i += 21)); do holds_block /dev/mapper/view $i; done
for ((i = 0; i < 64; i += 31)); do gone /dev/mapper/view $i; done
is "$(st vol zero)" 64 "blocks given up"
check_counts vol
backup_load_stop
dd if=/dev/zero of=/dev/mapper/view bs=4k count=1 oflag=direct status=none 2>/dev/null && fail "the view was written to"
remove_dm view

note "room comes back, and a part of a block is none"
disarm vol /dev/mapper/base
swap_dm top "$(linear_line "$B")"
blkdiscard -f /dev/mapper/top
arm vol /dev/mapper/base /dev/mapper/top 1 paused
mk_dm view "$(discards_line)"
put 0 64
until_true 10 "what was written to is kept" all_st vol "64" both
before=$(holds_kib "$LOOP_FILE")
blkdiscard -f -o 4096 -l $((2 * 65536)) /dev/mapper/view
is "$(st vol base_only both zero)" "64 63 1" "after a discard of a block and two parts"
discard /dev/mapper/view 0 128
is "$(st vol base_only both zero)" "0 0 128" "after a discard of all"
le "$(holds_kib "$LOOP_FILE")" $((before - 64 * 64)) "KiB in top"
put 0 128
is "$(st vol base_only both zero)" "0 0 128" "after all was written"
remove_dm view
# A last block that is a short one, of a top that discards nothing.
disarm vol /dev/mapper/base
mk_linear odd "$A" 1000
mk_brd 1 8
mk_volume odd-vol /dev/mapper/odd
LEN=1000 reload odd-vol "$(backup_line /dev/mapper/odd /dev/ram0 1 paused)"
mk_dm odd-view "0 1000 blkcopy-view /dev/mapper/odd-vol 1 discards"
blkdiscard -f /dev/mapper/odd-view
is "$(st odd-vol base_only both zero)" "0 0 8" "after a discard up to a short end"
remove_dm odd-view

note "while a copy reads"
swap_dm base "0 $(sectors "$A") delay $A 0 5000 $A 0 0"
arm vol /dev/mapper/base /dev/mapper/top 1 paused
mk_dm view "$(discards_line)"
put 5 &
first=$!
until_true 20 "old data is being read" copying
discard /dev/mapper/view 5
# Of a block that is given up it would not wait for the copy.
put 5 &
wait $first $!
until_true 10 "what was written to is kept" all_st vol "1" both
holds_block /dev/mapper/view 5

note "while a write waits for room"
msg vol set inflight_kib 64
swap_dm top "0 $(sectors "$B") delay $B 0 0 $B 0 8000"
fast_base
put 20
put 60 &
waiting=$!
sleep 2
[[ -e /proc/$waiting ]] || fail "a write has found room: there is none"
discard /dev/mapper/view 60
has_ended 30 $waiting || fail "a write whose block was given up still waits: $(dmsetup status --noflush vol)"
wait $waiting
swap_dm top "$(linear_line "$B")"
swap_dm base "0 $(sectors "$A") delay $A 0 5000 $A 0 0"

note "while a view reads"
{ block /dev/mapper/view 9 >"$WORK/read" 2>"$WORK/read.err" && echo read >"$WORK/read.end"; } &
reader=$!
sleep 1
discard /dev/mapper/view 9
put 9
wait $reader || true
[[ ! -e $WORK/read.end ]] || fail "block 9 was given up and written to, and could be read"
has "$(<"$WORK/read.err")" 'Input/output error' "reading it"
fast_base
remove_dm view
disarm vol /dev/mapper/base

note "while something is on its way to top"
swap_dm top "$(linear_line "$B")"
arm vol /dev/mapper/base /dev/mapper/top 1 paused
mk_dm view "$(discards_line)"
put 11 4
until_true 10 "what was written to is kept" all_st vol "4" both
swap_dm top "0 $(sectors "$B") delay $B 0 8000 $B 0 16000"
# read_late BLOCK: in JUST; what comes of it in NAME.end and NAME.err.
read_late() {
	{ block /dev/mapper/view "$1" >"$WORK/$1.read" 2>"$WORK/$1.err" && echo read >"$WORK/$1.end"; } &
	JUST=$!
	sleep 1
}
is_refused_late() { # BLOCK WHY
	wait "$JUST" || true
	[[ ! -e $WORK/$1.end ]] || fail "$2, and could be read"
	has "$(<"$WORK/$1.err")" 'Input/output error' "reading it"
}
read_late 11
discard /dev/mapper/view 11
is_refused_late 11 "a block was given up while it was read from top"
read_late 12
discard /dev/mapper/view 13 &
discarding=$!
sleep 1
msg vol phase abort
[[ -e /proc/$JUST ]] || fail "the read has ended: nothing was tested"
msg_refused vol 'Operation now in progress' phase finish
is_refused_late 12 "the view was given up while a block was read from top"
[[ -e /proc/$discarding ]] || fail "the discard has ended: nothing was tested"
msg_refused vol 'Operation now in progress' phase finish
wait "$discarding"
until_true 5 "nothing to be on its way" eval 'msg vol phase finish 2>/dev/null'
remove_dm view
swap_dm top "$(linear_line "$B")"
disarm vol /dev/mapper/base

note "views that are none"
arm vol /dev/mapper/base /dev/mapper/top 1 paused
for line in '1' '1 discard' '2 discards' '0 discards' '1 discards more' 'discards' '-1'; do
	refused 'Invalid argument' dmsetup create bad --table "0 $(sectors /dev/mapper/vol) blkcopy-view /dev/mapper/vol $line"
done
mk_dm view "0 $(sectors /dev/mapper/vol) blkcopy-view /dev/mapper/vol 0"
refused 'Operation not' blkdiscard -f -o 0 -l 65536 /dev/mapper/view
msg vol phase abort
msg_refused vol '' preserve changed
pass
