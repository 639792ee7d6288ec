#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# Writes of 512 bytes to 4 MiB at any 512-byte offset, over the smallest and
# the largest block, while it copies, in sync and after the pivot.
# guards: splitting at regions, blocks and copies; edges of blocks.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 24
for block in 8 2048; do
	LEN=$((48000 + block / 8)) BLOCK=$block
	mk_volume vol /dev/ram0
	hammer_start /dev/mapper/vol --threads 6 --min 512 --max 4m --read 25 --zero 3 --flush 3 --fua 10 --hot 1000k:80k --hot-pct 30
	BASE_OFF=0 start_copy vol /dev/ram0 /dev/ram1
	sleep 2
	pivot vol 40
	finish_pivot vol /dev/ram1
	sleep 0.5
	hammer_stop
	leg_holds /dev/ram1
	is "$(st vol base_errors top_errors)" "0 0" "errors counted"
	remove_dm vol
done
pass
