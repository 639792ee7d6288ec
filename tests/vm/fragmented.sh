#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=90
# Thousands of single blocks to copy, far more in flight than memory could hold
# if each had the buffer of a whole run.
# guards: a copy's buffer is no larger than its run.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-delay
mk_brd 2 32
n=$(sectors /dev/ram1)
mk_dm top "0 $n delay /dev/ram1 0 0"
BLOCK=8 mk_volume vol /dev/ram0
fill /dev/mapper/vol
BLOCK=8 start_copy vol /dev/ram0 /dev/mapper/top 0 6 copy_mode background inflight_kib 65536 run_kib 1024
wait_phase vol 20 synced
msg vol copy pause
# Every other block.
fio --name=w --filename=/dev/mapper/vol --rw=write:4k --bs=4k --direct=1 --ioengine=libaio --iodepth=32 --size=32M --io_size=16M \
	--minimal >"$WORK/fio" 2>&1 || fail "fio: $(cat "$WORK/fio")"
base_only=$(st vol base_only)
ge "$base_only" 3000 "blocks to copy, no two of them neighbours"
swap_dm top "0 $n delay /dev/ram1 0 0 /dev/ram1 0 2000"
free_kib() { awk '/^MemFree/ { print $2 }' /proc/meminfo; }
before=$(free_kib)
msg vol copy resume
least=$before
for i in {1..20}; do
	now=$(free_kib)
	((now >= least)) || least=$now
	sleep 0.1
done
note "$base_only single blocks: $((before - least)) KiB of memory at the most"
le "$((before - least))" 120000 "KiB of memory taken by copies of single blocks"
swap_dm top "0 $n delay /dev/ram1 0 0"
wait_equal vol
same /dev/ram0 /dev/ram1
pass
