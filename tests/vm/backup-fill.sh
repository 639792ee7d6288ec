#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=120
# With backup_persistent, under load; then the copier preserves the rest, top is
# the image and the view the same. What ends a view, in any order: its volume is
# removed, it is itself, an abort; while the volume is suspended it waits.
# guards: the fill against writers and views; views hold what they need; what base
# holds is trusted only while the mode's table is live.
source "$(dirname "$0")/lib.sh"
load_module
slow_backup 4
mk_volume vol /dev/mapper/base
fill /dev/mapper/vol
backup_load
arm vol /dev/mapper/base /dev/mapper/top 2 paused backup_persistent 2 inflight_kib 256
slow_base
mk_view view vol
for i in 1M 32k; do view_holds view "$i"; done
ge "$(st vol both)" 1 "blocks preserved"
# All of it, in the background; and then there is nothing left to copy.
more_events() { (($(event_nr "$1") > $2)); }
n=$(event_nr view)
msg vol copy start
until_true 60 "everything is preserved" all_st vol "0 0" base_only inflight
until_true 10 "an event of the view" more_events view "$n"
view_holds view 64k
cmp "$B" "$WORK/instant" || fail "top is no image of the instant"
copied=$(st vol copied)
backup_load_stop
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
is "$(view_status view2 7)" "preserving 4 64 128" "the status of a view"
# Writes may go past us while it is suspended: what base holds is not trusted.
dmsetup suspend --noflush --nolockfs vol
run_bg "$WORK/wait" dd if=/dev/mapper/view2 of="$WORK/read" bs=64k skip=50 count=1 iflag=direct
reader=$BG
dd if=/dev/mapper/view2 of=/dev/null bs=64k count=4 iflag=direct status=none
sleep 1
has_ended 1 "$reader" && fail "a view read what a suspended volume does not guard"
dmsetup resume --noudevsync vol
has_ended 10 "$reader" || fail "a view's read does not go on after the resume"
cmp "$WORK/read" <(direct_read /dev/mapper/base $((50 * 65536)) | head -c 65536) || fail "a wrong read after the resume"
msg vol phase abort
view_fails view2
is "$(st vol mode phase)" "backup broken" "after an abort"
pass
