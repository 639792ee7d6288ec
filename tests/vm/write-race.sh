#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=120
# Copies against writes in flight, with windows widened by slow legs: base
# slow to write (a copy that read too early has old data), base slow to read
# and top slow to write (a write that comes while its block is being copied).
# Afterwards both legs hold the same, and what was written.
# guards: the copier waiting for, or keeping out of, writes in flight before
# it reads; a write over a running copy cancelling its blocks or waiting for
# it; publishing a block under the range lock.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8

round() { # READ WRITE of base, READ WRITE of top
	mk_delay slow-base /dev/ram0 "$1" "$2"
	mk_delay slow-top /dev/ram1 "$3" "$4"
	mk_volume vol /dev/mapper/slow-base
	hammer_start /dev/mapper/vol --threads 6 --min 4k --max 64k --hot 2m:256k --hot-pct 60 --read 10 --seed "$1$2$3$4"
	local i
	for i in 1 2; do
		garbage /dev/ram1
		start_copy vol /dev/mapper/slow-base /dev/mapper/slow-top 0 4 run_kib 64 inflight_kib 512
		wait_phase vol 30 synced
		((i == 2)) || abort_copy vol /dev/mapper/slow-base
	done
	hammer_stop
	wait_phase vol 20 synced
	wait_equal vol
	same /dev/ram0 /dev/ram1
	leg_holds /dev/ram0
	leg_holds /dev/ram1
	is "$(st vol base_errors top_errors)" "0 0" "errors counted"
	remove_dm vol
	remove_dm slow-top
	remove_dm slow-base
}
round 0 12 0 0
round 12 0 0 12

pass
