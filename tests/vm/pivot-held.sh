#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.12,debug timeout=90
# Writes arrive all the time while a pivot of a background copy holds them, and
# in the instant it ends: all of them are on top afterwards. In background mode
# one that was still let go as the mirror's would be on base alone.
# guards: a write that is admitted sees the hold, or the route it has led to.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-delay
mk_loop 64 && base=$REPLY
mk_loop 64 && top=$REPLY
n=$(sectors "$top")
mk_dm top "0 $n delay $top 0 0"
dd if=/dev/urandom of="$WORK/new" bs=4k count=64 status=none

# One block in each MiB, so that each has a range lock of its own.
write_block() { dd if="$WORK/new" of=/dev/mapper/vol bs=4k skip="$1" seek=$(($1 * 256)) count=1 oflag=direct conv=notrunc status=none; }

for round in 1 2; do
	mk_volume vol "$base"
	start_copy vol "$base" /dev/mapper/top 0 2 copy_mode background
	wait_phase vol 20 synced
	# The pivot flushes twice; it holds writes during the second.
	swap_dm top "0 $n delay $top 0 0 $top 0 0 $top 0 3500"
	msg vol phase pivot
	sleep 3.7
	writers=()
	for ((i = 0; i < 64; i++)); do
		write_block "$i" &
		writers+=($!)
		! phase_is vol pivoted || break
		sleep 0.01
	done
	count=$((i < 64 ? i + 1 : 64))
	wait "${writers[@]}"
	wait_phase vol 15 pivoted
	swap_dm top "0 $n delay $top 0 0"
	finish_pivot vol /dev/mapper/top
	garbage "$base"
	ge "$count" 3 "writes that came while the pivot held them"
	for ((i = 0; i < count; i++)); do
		cmp <(dd if="$WORK/new" bs=4k skip="$i" count=1 status=none) \
			<(dd if=/dev/mapper/vol bs=4k skip=$((i * 256)) count=1 iflag=direct status=none) >"$WORK/cmp" 2>&1 ||
			fail "round $round: write $i of $count, acknowledged, is not on top: $(cat "$WORK/cmp")"
	done
	note "round $round: $count writes held, all on top"
	remove_dm vol
	dd if=/dev/urandom of="$WORK/new" bs=4k count=64 status=none
done
pass
