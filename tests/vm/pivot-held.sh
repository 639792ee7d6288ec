#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=240
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
dd if=/dev/urandom of="$WORK/new" bs=4k count=32 status=none

# One block in each MiB, so that each has a range lock of its own.
write_block() { dd if="$WORK/new" of=/dev/mapper/vol bs=4k skip="$1" seek=$(($1 * 256)) count=1 oflag=direct conv=notrunc status=none; }

# One after the other, from when the pivot surely holds them until it is over;
# none before: it would fail the pivot of a background copy.
write_all() {
	local i
	writers=()
	for ((i = 0; i < 32; i++)); do
		(sleep "$(printf '%d.%02d' $((4 + (i * 12 + 20) / 100)) $(((i * 12 + 20) % 100)))" && write_block "$i") &
		writers+=($!)
	done
}

# A write that came too early fails the pivot, as it should: not counted.
round() {
	local i
	mk_volume vol "$base"
	start_copy vol "$base" /dev/mapper/top 0 2 copy_mode background
	wait_phase vol 20 synced
	# The pivot flushes twice; it holds writes during the second.
	swap_dm top "0 $n delay $top 0 0 $top 0 0 $top 0 3500"
	msg vol phase pivot
	write_all
	wait "${writers[@]}"
	for i in {1..100}; do phase_is vol pivoted && break || sleep 0.1; done
	swap_dm top "0 $n delay $top 0 0"
	phase_is vol pivoted || { remove_dm vol && return; }
	finish_pivot vol /dev/mapper/top
	garbage "$base"
	for ((i = 0; i < 32; i++)); do
		cmp <(dd if="$WORK/new" bs=4k skip="$i" count=1 status=none) \
			<(dd if=/dev/mapper/vol bs=4k skip=$((i * 256)) count=1 iflag=direct status=none) >"$WORK/cmp" 2>&1 ||
			fail "write $i, acknowledged, is not on top: $(cat "$WORK/cmp")"
	done
	remove_dm vol
	((++good))
}

good=0
for try in {1..5}; do
	dd if=/dev/urandom of="$WORK/new" bs=4k count=32 status=none
	round
	((good < 1)) || break
done
note "$good of $try pivots held the writes"
is "$good" 1 "pivots that held all writes"
pass
