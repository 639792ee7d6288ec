#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# A flush reaches every leg in use and no other: base in track and after an
# abort, both while it copies and in sync, top alone after a pivot. The legs'
# disks count them.
# guards: num_flush_bios and which leg each flush goes to; FUA on both halves
# of a dual write; a flush of the user that
# fails on top is not the user's error, but voids what top was said to hold.
source "$(dirname "$0")/lib.sh"
load_module
mk_loop 4 && l0=$REPLY
mk_loop 4 && l1=$REPLY
n=$(sectors "$l0")
mk_delay base "$l0" 0 0 0
mk_delay top "$l1" 0 0 0
# Flushes that have reached a leg's disk, ever.
flushes() { awk '{ print $16 }' "$(sysfs_of "$1")/stat"; }
reached() { (($(flushes "$1") > $2)) && echo yes || echo no; }
expect() { # yes|no for base, yes|no for top, WHEN
	local base top
	base=$(flushes "$l0") top=$(flushes "$l1")
	dd if=/dev/zero of=/dev/mapper/vol bs=4k count=1 oflag=direct conv=fsync,notrunc status=none
	is "$(reached "$l0" "$base")" "$1" "$3: a flush reached base"
	is "$(reached "$l1" "$top")" "$2" "$3: a flush reached top"
}
mk_volume vol /dev/mapper/base
expect yes no track
start_copy vol /dev/mapper/base /dev/mapper/top
wait_phase vol 20 synced
expect yes yes synced
# The disks have no FUA: a write with it has a flush of its own, before dd's.
base=$(flushes "$l0") top=$(flushes "$l1")
dd if=/dev/zero of=/dev/mapper/vol bs=4k count=8 oflag=direct,dsync conv=notrunc status=none
ge "$(($(flushes "$l0") - base))" 16 "flushes of base by 8 writes with FUA"
is "$(($(flushes "$l1") - top))" "$(($(flushes "$l0") - base))" "flushes of top by 8 writes with FUA, as many as of base"
pivot vol
expect no yes pivoted
finish_pivot vol /dev/mapper/top
remove_dm vol
mk_volume vol /dev/mapper/base
start_copy vol /dev/mapper/base /dev/mapper/top 1 paused
expect yes yes copying
msg vol phase abort
expect yes no aborted

# A flush that fails on top.
reload vol "$(track_line /dev/mapper/base)"
start_copy vol /dev/mapper/base /dev/mapper/top 0 2 on_top_error ignore
wait_phase vol 20 synced
mk_error_dev
swap_dm top "0 $n delay $l1 0 0 $l1 0 0 /dev/mapper/error-dev 0 0"
dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 oflag=direct conv=fsync,notrunc status=none
until_true 10 "a failed flush of top is counted" bash -c '[[ $(dmsetup status --noflush vol | cut -d" " -f18) -ge 1 ]]'
# What was lost is copied again, and between two flushes it is all there: then a pivot is taken,
# and fails with its own flush.
for i in {1..10}; do
	msg vol phase pivot 2>"$WORK/pivot.err" || has "$(<"$WORK/pivot.err")" "$EBUSY" "a pivot with a top that cannot be flushed"
	sleep 0.2
	is "$(phase_is vol pivoted && echo yes)" "" "pivoted to a top that cannot be flushed"
done
swap_dm top "0 $n delay $l1 0 0"
! paused vol || msg vol copy resume
wait_phase vol 30 synced
wait_equal vol
same "$l0" "$l1"
pass
