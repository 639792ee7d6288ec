#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# A backup is armed under load: writes of any size, discards and zeroes run over
# the volume while the view is read again and again, and it reads as base did at
# the instant. Base is slow to read and top slow to write, so that every window
# is wide. A view of a volume that is no backup any more reads nothing.
# guards: a write waits for the old data; a view's read of base looks again; what
# is on its way to top is read from memory; a write that found no room goes on; a
# new table of the mode goes on, any other breaks the view.
source "$(dirname "$0")/lib.sh"
load_module
slow_backup 8
mk_volume vol /dev/mapper/base
fill /dev/mapper/vol

for BLOCK in 8 128; do
	# Once with the copier at work as well.
	((BLOCK == 8)) && options="0 2 rate_kib 512" || options="1 paused"
	garbage "$B"
	backup_load
	arm vol /dev/mapper/base /dev/mapper/top $options
	slow_base
	mk_view view vol
	for i in 1M 32k 100k; do view_holds view "$i"; done
	check_counts vol
	note "$(dmsetup status --noflush vol)"
	ge "$(st vol both)" 1 "blocks preserved"
	# The same instant, whatever the line is changed to.
	msg vol set inflight_kib 64
	reload vol "$(dmsetup table vol)"
	view_holds view 256k
	disarm vol /dev/mapper/base
	view_fails view
	backup_load_stop
	remove_dm view
done
pass
