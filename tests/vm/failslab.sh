#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=debug timeout=120
# Allocations fail at random, first where they may not wait, then everywhere,
# while a volume copies under load: no wrong data, no hang; the copy ends when
# memory is back.
# guards: every failed allocation of the I/O path and the copier; the reserved
# buffer.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_volume vol /dev/ram0
hammer_start /dev/mapper/vol --threads 4 --max 64k --allow-errors
dbg=/sys/kernel/debug
[[ -d $dbg/failslab && -d $dbg/fail_page_alloc ]] || fail "this kernel has no fault injection"
inject() { # PERCENT N|Y
	local f
	for f in failslab fail_page_alloc; do
		echo "$2" >$dbg/$f/ignore-gfp-wait
		echo 0 >$dbg/$f/verbose
		echo -1 >$dbg/$f/times
		echo "$1" >$dbg/$f/probability
	done
}
[[ ! -e $dbg/fail_page_alloc/min-order ]] || echo 0 >$dbg/fail_page_alloc/min-order
undo bash -c "echo 0 >$dbg/failslab/probability; echo 0 >$dbg/fail_page_alloc/probability"
for waits in Y N; do
	start_copy vol /dev/ram0 /dev/ram1 0 2 rate_kib 2048
	inject 10 $waits
	sleep 4
	echo 0 >$dbg/failslab/probability
	echo 0 >$dbg/fail_page_alloc/probability
	hammer_alive
	msg vol set rate_kib 0
	wait_phase vol 60 synced
	is "$(st vol top_errors base_errors)" "0 0" "errors counted"
	[[ $waits == N ]] || abort_copy vol /dev/ram0
done
hammer_stop
wait_equal vol
same /dev/ram0 /dev/ram1
leg_holds /dev/ram1
pass
