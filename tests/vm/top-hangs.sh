#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=120
# Top answers nothing for a long time just when the volume is to pivot: the
# pivot gives up in seconds, the copy can be aborted then, and writes to base
# go on although top is still silent. blkctl abort, with a dual write on its way
# to that top: it ends with status 7, the volume goes on, and what is left is
# cleared away once top answers.
# guards: every wait of a pivot has an end; no second pivot while the flush of
# the first is out; no switch while top is silent.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-delay
mk_loop 16 && base=$REPLY
mk_loop 16 && top=$REPLY
n=$(sectors "$top")
mk_dm top "0 $n delay $top 0 0"
mk_volume vol "$base"
start_copy vol "$base" /dev/mapper/top
wait_phase vol 20 synced
swap_dm top "0 $n delay $top 0 0 $top 0 0 $top 0 60000"
began=$SECONDS
msg vol phase pivot
until_true 20 "the pivot to give up and the abort to be taken" eval 'msg vol phase abort 2>/dev/null'
note "aborted $((SECONDS - began)) s after the pivot was asked for"
le $((SECONDS - began)) 20 "seconds until a pivot whose top is silent could be aborted"
msg_refused vol "$EALREADY" phase pivot
is "$(st vol phase)" aborted "the phase"
msg_refused vol 'Operation now in progress' phase finish
a=$(now_ms)
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=8 oflag=direct conv=notrunc,fsync status=none
le $(($(now_ms) - a)) 10000 "ms of writes and a flush, with top silent"
swap_dm top "0 $n delay $top 0 0"
reload vol "0 $n blkcopy track $base 0 - 0 - 128"

# It gave up, top is well again: the next pivot succeeds.
start_copy vol "$base" /dev/mapper/top
wait_phase vol 20 synced
swap_dm top "0 $n delay $top 0 0 $top 0 0 $top 0 20000"
msg vol phase pivot
sleep 7
msg_refused vol "$EBUSY" phase pivot
swap_dm top "0 $n delay $top 0 0"
pivot vol
finish_pivot vol /dev/mapper/top
same "$base" "$top"

# A write waits for top when the copy is aborted.
reload vol "0 $n blkcopy track $base 0 - 0 - 128"
start_copy vol "$base" /dev/mapper/top
wait_phase vol 20 synced
swap_dm top "0 $n delay $top 0 0 $top 0 60000 $top 0 60000"
run_bg "$WORK/stuck" dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=1 oflag=direct conv=notrunc status=none
stuck=$BG
# "delay <reads> <writes> <flushes>" that wait in it.
until_true 20 "the write to be on its way to top" eval '[[ $(dmsetup status top) =~ delay\ [0-9]+\ [1-9] ]]'
began=$SECONDS
exits 7 ctl abort vol
has "$OUT" 'aborted already' "blkctl abort, with a write on its way to a silent top"
has "$OUT" 'blkctl abort vol' "what to run next"
ge $((SECONDS - began)) 9 "seconds it waited"
le $((SECONDS - began)) 20 "seconds it waited"
kill -0 "$stuck" || fail "the write did not wait for top: nothing was tested"
is "$(suspended_devices)" "" "suspended devices"
is "$(st vol phase)" aborted "the phase"
msg_refused vol 'Operation now in progress' phase finish
a=$(now_ms)
dd if=/dev/urandom of=/dev/mapper/vol bs=64k seek=32 count=8 oflag=direct conv=notrunc,fsync status=none
le $(($(now_ms) - a)) 5000 "ms of writes and a flush, with top silent"
swap_dm top "0 $n delay $top 0 0"
wait "$stuck"
JOBS=()
exits 0 ctl abort vol
is "$(dmsetup table vol)" "0 $n blkcopy track $(lsblk -dnro MAJ:MIN "$base") 0 - 0 - 128" "the table after the second abort"
pass
