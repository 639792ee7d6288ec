#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=90
# Write-zeroes of all sizes during a copy and after it, over legs that do it
# themselves (loop) and legs that cannot (RAM disk): always zeros, on both.
# guards: write-zeroes going to both legs and through the range lock; a top
# that cannot zero is no top error.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 1 8
mk_loop 8 && loop=$REPLY

round() {
	mk_delay base "$1" 4 4
	mk_delay top "$2" 0 8
	mk_volume vol /dev/mapper/base
	hammer_start /dev/mapper/vol --threads 8 --max 1m --zero 30 --read 20 --hot 1m:512k --hot-pct 40
	start_copy vol /dev/mapper/base /dev/mapper/top 0 4 run_kib 128 inflight_kib 512
	wait_phase vol 40 synced
	sleep 1
	hammer_stop
	ge "$(hammer_figure zeroes)" 20 "write-zeroes done"
	wait_equal vol
	is "$(st vol base_errors top_errors)" "0 0" "errors counted"
	same "$1" "$2"
	leg_holds "$2"
	blkdiscard -z -o 1M -l 3M /dev/mapper/vol
	zeros "$2" 1048576 3145728
	wait_equal vol
	same "$1" "$2"
	remove_dm vol
	remove_dm top
	remove_dm base
}
round "$loop" /dev/ram0
round /dev/ram0 "$loop"
pass
