#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=90
# NOWAIT and polled I/O through a volume while it copies, with a top that has
# one tag and a slow completion: a write that would have to wait is never
# half-done, and never counts as an error of top.
# guards: NOWAIT and POLLED taken off the clone and off every parked bio.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 1 8
mk_null_blk b0 8 memory_backed=1 hw_queue_depth=2 irqmode=2 completion_nsec=3000000 submit_queues=1
nb=$REPLY
mk_volume vol /dev/ram0
# While a table is replaced, device-mapper itself answers NOWAIT with EAGAIN, which
# fio takes for an error: the copy is there before fio, and goes on under it.
start_copy vol /dev/ram0 "$nb" 1 paused
fio_start --filename=/dev/mapper/vol --direct=1 --ioengine=io_uring --rw=randrw --bsrange=512-32k --iodepth=16 --nowait=1 --size=8M \
	--verify_backlog=128 --randseed=5 --rate_iops=300
msg vol copy resume
wait_phase vol 30 synced
sleep 2
is "$(st vol base_errors top_errors)" "0 0" "errors counted"
has "$(st vol phase)" 'copying|synced' "the phase under NOWAIT"
fio_stop
wait_equal vol
same /dev/ram0 "$nb"
hammer_start /dev/mapper/vol --threads 8 --max 64k --nowait 70 --hot 1m:64k
sleep 3
hammer_stop
is "$(st vol base_errors top_errors)" "0 0" "errors counted"
wait_equal vol
same /dev/ram0 "$nb"
remove_dm vol

# Polled: both legs poll, so the volume may.
mk_null_blk b1 8 memory_backed=1 submit_queues=2 poll_queues=1 irqmode=0
p0=$REPLY
mk_null_blk b2 8 memory_backed=1 submit_queues=2 poll_queues=1 irqmode=0
p1=$REPLY
mk_volume vol "$p0"
fio_start --filename=/dev/mapper/vol --direct=1 --ioengine=io_uring --hipri=1 --rw=randrw --bsrange=4k-32k --iodepth=8 --size=8M \
	--verify_backlog=128 --randseed=6 --rate_iops=300
start_copy vol "$p0" "$p1"
wait_phase vol 30 synced
sleep 2
fio_stop
wait_equal vol
same "$p0" "$p1"
is "$(st vol base_errors top_errors)" "0 0" "errors counted"
pass
