#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=100
# A backup is armed under load: writes of any size, discards and zeroes run over
# the volume while the view is read again and again, and it reads as base did at
# the instant. Base is slow to read and top slow to write, so that every window
# is wide. Then the copier preserves the rest, top is the image, the view the
# same; a view of a volume that is no backup any more, or is gone, reads nothing.
# guards: a write waits for the old data; a view's read of base looks again; what
# is on its way to top is read from memory; a new table of the mode goes on, any
# other breaks the view; views hold what they need.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 8
modprobe dm-delay
mk_linear base "$A"
mk_delay top "$B" 0 25
slow_base() { swap_dm base "0 16384 delay $A 0 10 $A 0 0"; }
fast_base() { swap_dm base "$(linear_line "$A")"; }
mk_volume vol /dev/mapper/base
fill /dev/mapper/vol
load() { hammer_start /dev/mapper/vol --threads 6 --min 4k --max 48k --discard 4 --zero 6 --flush 3 --fua 5 --think-us 15000; }

round() { # [features and params...]
	garbage "$B"
	load
	arm vol /dev/mapper/base /dev/mapper/top "$@"
	slow_base
	mk_view view vol
	local i
	for i in 1M 32k 256k 100k; do view_holds view "$i"; done
	check_counts vol
	note "$(dmsetup status --noflush vol)"
	ge "$(st vol both)" 1 "blocks preserved"
}
in_the_end() {
	hammer_alive
	fast_base
	hammer_stop
	leg_holds /dev/mapper/base
	is "$(st vol base_errors top_errors)" "0 0" "errors counted"
}

for BLOCK in 8 2048; do
	round 1 paused
	# The same instant, whatever the line is changed to.
	reload vol "$(dmsetup table vol) 2 inflight_kib 64"
	view_holds view 64k
	disarm vol /dev/mapper/base
	view_fails view
	in_the_end
	remove_dm view
done

BLOCK=128
round 2 paused backup_persistent
in_the_end
# All of it, in the background; and then there is nothing left to copy.
more_events() { (($(event_nr "$1") > $2)); }
load
n=$(event_nr view)
msg vol copy start
until_true 60 "everything is preserved" all_st vol "0 0" base_only inflight
until_true 10 "an event of the view" more_events view "$n"
view_holds view 64k
cmp "$B" "$WORK/instant" || fail "top is no image of the instant"
copied=$(st vol copied)
in_the_end
is "$(st vol copied)" "$copied" "KiB copied when all was preserved"
msg_refused vol "$EINVAL" phase pivot
# The volume goes first.
remove_dm vol
view_fails view
remove_dm view

# The view goes first; and nothing is held by either.
mk_dm vol "$(backup_line /dev/mapper/base /dev/mapper/top 1 paused)"
mk_view view vol
mk_view view2 vol
remove_dm view
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=4 oflag=direct status=none
until_true 5 "four blocks on top" all_st vol "4 0" both inflight
is "$(view_status view2 7)" "preserving 4 128 128" "the status of a view"
# Writes may go past us while it is suspended: what base holds is not trusted.
dmsetup suspend --noflush --nolockfs vol
run_bg "$WORK/wait" dd if=/dev/mapper/view2 of="$WORK/read" bs=64k skip=100 count=1 iflag=direct
reader=$BG
dd if=/dev/mapper/view2 of=/dev/null bs=64k count=4 iflag=direct status=none
sleep 1
has_ended 1 "$reader" && fail "a view read what a suspended volume does not guard"
dmsetup resume --noudevsync vol
has_ended 10 "$reader" || fail "a view's read does not go on after the resume"
cmp "$WORK/read" <(direct_read /dev/mapper/base $((100 * 65536)) | head -c 65536) || fail "a wrong read after the resume"
msg vol phase abort
view_fails view2
is "$(st vol mode phase)" "backup broken" "after an abort"
pass
