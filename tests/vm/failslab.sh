#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=debug timeout=120
# Allocations fail at random, first those that may not wait, of anybody, then all
# that are made on the module's behalf, while a volume copies under load: no wrong
# data, no hang; the copy ends when memory is back.
# guards: every failed allocation of the I/O path and the copier; the reserved
# buffer.
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-inject.sh"
load_module
mk_brd 2 8
mk_volume vol /dev/ram0
hammer_start /dev/mapper/vol --threads 4 --max 64k --allow-errors
inject_setup
for waits in Y N; do
	start_copy vol /dev/ram0 /dev/ram1 0 2 rate_kib 2048
	inject 10 $waits
	sleep 4
	inject_end
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
