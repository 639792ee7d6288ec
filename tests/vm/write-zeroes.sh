#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 disk=8M disk=8M timeout=120
# Write-zeroes of all sizes during a copy and after it, over legs that do it
# themselves (loop) and legs that cannot (RAM disk): always zeros, on both.
# guards: write-zeroes going to both legs and through the range lock; a top
# that cannot zero is no top error.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 1 8
mk_loop 8 && loop=$REPLY

round() { # BASE TOP, and the disks they are on
	mk_volume vol "$1"
	hammer_start /dev/mapper/vol --threads 8 --max 1m --zero 30 --read 20 --hot 1m:512k --hot-pct 40
	start_copy vol "$1" "$2" 0 4 run_kib 128 inflight_kib 512
	wait_phase vol 40 synced
	max=$(cat "/sys/block/$(dm_node vol)/queue/write_zeroes_max_bytes")
	sleep 1
	hammer_stop
	ge "$(hammer_figure zeroes)" 20 "write-zeroes done"
	wait_equal vol
	is "$(st vol base_errors top_errors)" "0 0" "errors counted"
	same "$3" "$4"
	leg_holds "$4"
	blkdiscard -z -o 1M -l 3M /dev/mapper/vol
	zeros "$4" 1048576 3145728
	wait_equal vol
	same "$3" "$4"
	remove_dm vol
}
slow_round() { # DISK DISK
	mk_delay base "$1" 4 4
	mk_delay top "$2" 0 8
	round /dev/mapper/base /dev/mapper/top "$1" "$2"
	remove_dm top
	remove_dm base
}
slow_round "$loop" /dev/ram0
slow_round /dev/ram0 "$loop"
# Neither a RAM disk nor dm-delay takes write-zeroes, nor a loop device on tmpfs
# one that is not to deallocate: above they were writes. A virtio disk does.
round /dev/vda /dev/vdb /dev/vda /dev/vdb
ge "$max" 1 "bytes of a write-zeroes the volume takes as such"
pass
