#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=debug timeout=120
# Allocations fail at random, first those that may not wait, of anybody, then all
# that are made on the module's behalf, while a volume copies under load: no wrong
# data, no hang; the copy ends when memory is back.
# guards: every failed allocation of the I/O path and the copier; the reserved
# buffer.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_volume vol /dev/ram0
hammer_start /dev/mapper/vol --threads 4 --max 64k --allow-errors
dbg=/sys/kernel/debug
[[ -d $dbg/failslab && -d $dbg/fail_page_alloc ]] || fail "this kernel has no fault injection"
# What has the module in its call chain. Others would fail as well: the shell.
text=$(cat /sys/module/dm_blkcopy/sections/.text)
text_end=$(printf '0x%x' $((text + $(awk '/^dm_blkcopy / { print $2 }' /proc/modules))))
inject() { # PERCENT N|Y
	local f
	for f in failslab fail_page_alloc; do
		if [[ $2 == N ]]; then
			echo "$text" >$dbg/$f/require-start
			echo "$text_end" >$dbg/$f/require-end
		fi
		echo "$2" >$dbg/$f/ignore-gfp-wait
		echo 0 >$dbg/$f/verbose
		echo -1 >$dbg/$f/times
		echo 32 >$dbg/$f/stacktrace-depth
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
