#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=60
# Writes that overlap and are in flight at once, in a hot range, over legs
# that each put what they get into an order of their own: the legs must end up
# equal.
# guards: overlapping dual writes issued one after the other.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
fill /dev/ram0
mk_shuffle base /dev/ram0 0 8
mk_shuffle top /dev/ram1 5 0
BLOCK=8 mk_volume vol /dev/mapper/base
BLOCK=8 start_copy vol /dev/mapper/base /dev/mapper/top
wait_phase vol 30 synced
hammer_start /dev/mapper/vol --load-model "$WORK/model" --threads 16 --max 64k --hot 1m:64k --hot-pct 95 --read 5 --zero 5
sleep 5
is "$(st vol phase base_only)" "synced 0" "the copy meanwhile: every write went to both"
hammer_stop
same /dev/ram0 /dev/ram1
pass
