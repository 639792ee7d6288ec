#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# What is no view and no backup is refused with a reason; a view cannot be
# written to; messages and lines of a backup.
# guards: the parser; the search for the live device's state; read-only.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 3 8
line="0 16384 blkcopy backup /dev/ram0 0 /dev/ram1 0 - 128"

# no DEVICE-LINE REASON: the kernel log says it
no() {
	log_mark
	refused "$EINVAL|No such|Block device|busy" dmsetup create bad --table "$1"
	has "$(log_since)" "$2" "the reason for '$1'"
}
no "0 16384 blkcopy backup /dev/ram0 0 - 0 - 128" 'Cannot open top'
no "0 16384 blkcopy backup /dev/ram0 0 /dev/ram1 0 /dev/ram2 128" 'no superblock'
no "0 16384 blkcopy backup /dev/ram0 0 /dev/ram1 0 /dev/ram1 128" 'The metadata device is a leg'
no "0 16384 blkcopy backup /dev/ram0 0 /dev/ram1 8 - 128" 'Top is too small'
no "$line 1 nosync" 'no meaning in a backup'
no "$line 1 copy_on_read" 'needs a mode that streams'
no "0 16384 blkcopy mirror /dev/ram0 0 /dev/ram1 0 - 128 1 backup_persistent" 'needs a backup'
no "0 16384 blkcopy track /dev/ram0 0 - 0 - 128 1 backup_persistent" 'needs a backup'
mk_null_blk big 8 memory_backed=1 blocksize=4096
no "0 16384 blkcopy backup /dev/ram0 0 $REPLY 0 - 128" 'larger sectors than base'

view="0 16384 blkcopy-view"
no "$view" 'Need the live device'
no "$view /dev/ram0 x" 'Need the live device'
no "$view /dev/nothing" 'Cannot find the live device'
no "$view /dev/ram0" 'Not a live blkcopy device in mode backup'
mk_linear lin /dev/ram2
no "$view /dev/mapper/lin" 'Not a live blkcopy device in mode backup'
mk_volume vol /dev/ram0
fill /dev/mapper/vol
no "$view /dev/mapper/vol" 'Not a live blkcopy device in mode backup'
dmsetup load vol --table "$line"
no "$view /dev/mapper/vol" 'Not a live blkcopy device in mode backup'
dmsetup resume --noudevsync vol
no "0 16383 blkcopy-view /dev/mapper/vol" 'Length differs'
no "0 8 linear /dev/ram2 0
8 16376 blkcopy-view /dev/mapper/vol" 'table|singleton|target'
refused "$EINVAL" dmsetup load vol --table "$view /dev/mapper/vol"
refused "$EINVAL" dmsetup load vol --table "0 16384 blkcopy mirror /dev/ram0 0 /dev/ram1 0 - 128"
mk_view v vol
is "$(dmsetup table v | cut -d' ' -f3-)" "blkcopy-view $(dmsetup info -c --noheadings --separator : -o major,minor vol)" "the line of a view"
reload v "$(dmsetup table v)"
is "$(blockdev --getro /dev/mapper/v)" 1 "the view is read-only"
is "$(blockdev --getss --getpbsz --getsz /dev/mapper/v | xargs)" "$(blockdev --getss --getpbsz --getsz /dev/mapper/vol | xargs)" "sizes of the view and the volume"
refused . dd if=/dev/zero of=/dev/mapper/v bs=4k count=1 oflag=direct
refused . blkdiscard /dev/mapper/v
same /dev/mapper/v /dev/mapper/vol
# A write that comes in spite of that: from a table above.
mk_dm above "0 16384 linear /dev/mapper/v 0" 2>/dev/null && {
	refused . dd if=/dev/zero of=/dev/mapper/above bs=4k count=1 oflag=direct
	remove_dm above
}
same /dev/mapper/v /dev/mapper/vol

msg_refused vol "$EBUSY" phase finish
for m in "phase pivot" "copy x" "set segment_mib 64" "set on_top_error x" "map list x 0"; do
	# shellcheck disable=SC2086
	msg_refused vol "$EINVAL" $m
done
until_true 20 "it is all preserved" all_st vol 0 base_only
is "$(msg vol map list both 0)" "0+128 end" "the map"
for tail in "" "1 paused" "2 paused backup_persistent 2 on_top_error stop" "1 no_discard_passdown 4 rate_kib 7 inflight_kib 64"; do
	reload vol "$line${tail:+ $tail}"
	printed=$(dmsetup table vol)
	reload vol "$printed"
	is "$(dmsetup table vol)" "$printed" "the line printed for '$tail', loaded again"
done
same /dev/mapper/v /dev/mapper/vol
msg vol phase abort
msg vol phase abort
no "$view /dev/mapper/vol" 'broken already'
msg_refused vol "$EALREADY" copy start
# A backup begins anew, with the old view still there.
reload vol "$(track_line /dev/ram0)"
reload vol "$line"
is "$(st vol mode phase)" "backup preserving" "armed again"
mk_view w vol
same /dev/mapper/w /dev/mapper/vol
view_fails v
pass
