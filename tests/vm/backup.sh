#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=150
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
mk_loops 16
mk_delay base "$A" 8 0
mk_delay top "$B" 0 25
mk_volume vol /dev/mapper/base
fill /dev/mapper/vol

round() { # [features and params...]
	garbage "$B"
	hammer_start /dev/mapper/vol --threads 6 --max 200k --discard 4 --zero 6 --flush 3 --fua 5 --think-us 20000 --hot 2m:256k --hot-pct 40
	arm vol /dev/mapper/base /dev/mapper/top "$@"
	mk_view view vol
	local i
	for i in 4k 64k 1M 12k 256k; do view_holds view "$i"; done
	check_counts vol
	note "$(dmsetup status --noflush vol)"
	ge "$(st vol both)" 1 "blocks preserved"
	# The same instant, whatever the line is changed to.
	reload vol "$(dmsetup table vol) 2 inflight_kib 64"
	is "$(st vol phase)" preserving "the phase after a reload in the same mode"
	view_holds view
}
in_the_end() {
	hammer_alive
	hammer_stop
	leg_holds /dev/mapper/base
	is "$(st vol base_errors top_errors)" "0 0" "errors counted"
}

for BLOCK in 8 128 2048; do
	round 1 paused
	disarm vol /dev/mapper/base
	view_fails view
	in_the_end
	remove_dm view
done

BLOCK=128
round 2 paused backup_persistent
in_the_end
# All of it, in the background; and then there is nothing left to copy.
hammer_start /dev/mapper/vol --threads 4 --max 100k --discard 4 --zero 6 --think-us 20000
n=$(event_nr view)
msg vol copy start
all_preserved() { [[ $(st vol base_only inflight) == "0 0" ]]; }
more_events() { (($(event_nr "$1") > $2)); }
until_true 60 "everything is preserved" all_preserved
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
is "$(view_status view2 6)" "preserving 4 256" "the status of a view"
msg vol phase abort
view_fails view2
is "$(st vol mode phase)" "backup broken" "after an abort"
pass
