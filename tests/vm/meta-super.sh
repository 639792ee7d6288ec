#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.1,6.12,debug quick=6.12 timeout=200
# What the superblock says holds whichever of its copies can be read; and it is said
# where the rest of the metadata cannot be written. Two who write it at once, and two
# devices on one state, take nothing back that the other has said.
# guards: bkc_meta_repeat_super; UNSEALED with META_RO; mend; as_aborted. Of resuming it
# has but the sequence: the window is that of one mutex changing hands.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/lib-bitmap.sh"
load_module
modprobe -a dm-flakey dm-delay
mk_loops 16
n=$(sectors "$A")
mk_meta 2 track "$n" 128 1
disk=$META size=$(sectors "$META")
mk_linear meta "$disk"
META=/dev/mapper/meta
image() { sync "$META_FILE" && cp "$META_FILE" "$1"; }
restore_image() { META=$disk put_meta "$1"; }
# Of the newest copy: bytes from there on.
super_word() {
	local copy=$(($(meta_word $((4096 + 40)) 8) > $(meta_word 40 8)))
	meta_word $((copy * 4096 + $1)) 4
}
flags() { super_word 68; }
phase() { super_word 100; }
# One copy cannot be read, for as long as that is so; it can be written.
unread() { # COPY
	local lines=()
	(($1 == 0)) || lines+=("0 8 linear $disk 0")
	lines+=("$(($1 * 8)) 8 flakey $disk $(($1 * 8)) 0 600 1 error_reads")
	lines+=("$((($1 + 1) * 8)) $((size - ($1 + 1) * 8)) linear $disk $((($1 + 1) * 8))")
	swap_dm meta "${lines[@]}"
}
healthy() { swap_dm meta "$(linear_line "$disk")"; }
no_exact() { swap_dm meta "$(error_range "$disk" $(($(exact_at) / 512)) 64)"; }
state() { bitmap_is "$1" | cut -d' ' -f2; }
put() { dd if=/dev/urandom of="$1" bs=4k count=1 seek=$(($2 * 16)) oflag=direct conv=notrunc status=none; }

note "one copy that cannot be read: of bitmaps"
fill "$A"
mk_dm vol "$(track_line "$A")"
bitmap add one
put /dev/mapper/vol 3
msg vol seal
remove_dm vol
mk_dm vol "$(track_line "$A")"
is "$(state one)" recording "after an end in order"
remove_dm vol
image "$WORK/image"
for copy in 0 1; do
	restore_image "$WORK/image"
	unread $copy
	mk_dm vol "$(track_line "$A")"
	is "$(state one)" inconsistent "without copy $copy of what says that it was not sealed"
	remove_dm vol
	healthy
done

note "a bitmap that is not cleared in the end"
restore_image "$WORK/image"
mk_dm vol "$(track_line "$A")"
no_exact
msg_refused vol 'Input/output error' bitmap clear one
is "$(state one)" inconsistent "of which that could not be made durable"
healthy
dmsetup suspend vol
dmsetup resume vol
bitmap clear one
is "$(state one)" recording "once it can be"

note "removed unsealed, and the bitmaps' sectors cannot be written"
no_exact
msg_refused vol 'Input/output error' bitmap add two
is "$(st vol health)" meta_ro "health"
remove_dm vol
put "$A" 9
healthy
mk_dm vol "$(track_line "$A")"
is "$(state one)" inconsistent "after writes past it"
remove_dm vol

note "a mirror: the pivot, in both copies"
META=$disk meta_format "$disk" "$n" 128 mirror
mirror() { mk_dm vol "$(durable_line mirror "$A" "$B")"; }
mirror
wait_phase vol 60 synced
pivot vol
until_true 10 "both copies say so" eval '[[ $(meta_word 100 4) == 3 && $(meta_word 4196 4) == 3 ]]'
image "$WORK/image"
remove_dm vol
for copy in 0 1; do
	restore_image "$WORK/image"
	unread $copy
	mirror
	is "$(st vol phase)" pivoted "without copy $copy of the superblock"
	remove_dm vol
	healthy
done

note "an abort while it is resumed"
META=$disk meta_format "$disk" "$n" 128 mirror
mirror
wait_phase vol 60 synced
dmsetup suspend vol
swap_dm meta "0 $size delay $disk 0 0 $disk 0 400"
dmsetup message vol 0 phase abort &
sleep 0.2
dmsetup resume vol
wait
is "$(st vol phase)" aborted "the phase"
sleep 1
is "$(phase) $(($(flags) & 4))" "4 4" "what the superblock says: aborted, top is stale"
healthy
remove_dm vol

note "one device is suspended while another is resumed"
META=$disk meta_format "$disk" "$n" 128 mirror
mk_delay slow "$A" 0 1500
mk_dm vol "$(durable_line mirror /dev/mapper/slow "$B" 1 paused)"
dmsetup create other --notable
dmsetup load other --table "$(durable_line mirror /dev/mapper/slow "$B" 1 paused)"
undo remove_dm other
swap_dm meta "0 $size delay $disk 0 0 $disk 0 700"
dd if=/dev/zero of=/dev/mapper/vol bs=4k count=1 oflag=direct conv=notrunc status=none &
sleep 0.4
dmsetup suspend --nolockfs vol & # until the write has ended
sleep 0.5
dmsetup resume other # opens the metadata, and that takes longer
wait
is "$(st other phase)" copying "of the device that is live"
is "$(($(flags) & 1))" 0 "what the superblock says of one in use: a clean end"
healthy
dmsetup resume vol
pass
