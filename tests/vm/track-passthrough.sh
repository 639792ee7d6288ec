#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# A track table is the device beneath it: the same bytes at the offset it
# names, the same limits, errors passed up and counted, discards passed down
# unless it is told not to.
# guards: the remap's offset; limits stacking; end_io's error accounting.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 16

LEN=24576 BASE_OFF=2048 mk_volume vol /dev/ram0
is "$(st vol mode phase health total block bitmaps)" "track idle rw 192 128 0" "status of a track table"
is "$(dmsetup table vol)" "0 24576 blkcopy track 1:0 2048 - 0 - 128" "the table line"
hammer_start /dev/mapper/vol --threads 4 --max 1m --zero 5 --flush 5 --fua 20
sleep 3
hammer_stop
leg_holds /dev/ram0 1048576
check_counts vol
is "$(cat /sys/block/"$(dm_node vol)"/queue/logical_block_size)" 512 "logical block size"
remove_dm vol

# What lies around the line's range is not touched.
zeros /dev/ram0 0 1048576
zeros /dev/ram0 13631488 3145728

mk_linear leg /dev/ram1
LEN= mk_volume vol2 /dev/mapper/leg
mapfile -t lines < <(error_range /dev/ram1 8192 64)
swap_dm leg "${lines[@]}"
dd if=/dev/mapper/vol2 of=/dev/null bs=4k count=1 iflag=direct status=none
refused 'Input/output error' dd if=/dev/mapper/vol2 of=/dev/null bs=4k skip=1024 count=1 iflag=direct
refused 'Input/output error' dd if=/dev/zero of=/dev/mapper/vol2 bs=4k seek=1024 count=1 oflag=direct
is "$(st vol2 mode phase)" "track idle" "after errors of base"
ge "$(st vol2 base_errors)" 2 "base errors counted"

mk_loop 16
loop=$REPLY file=$LOOP_FILE
mk_volume vol3 "$loop"
fill /dev/mapper/vol3
before=$(holds_kib "$file")
blkdiscard -o 0 -l 8M /dev/mapper/vol3
le "$(holds_kib "$file")" $((before - 8000)) "KiB held by the file after a discard of 8 MiB"
before=$(sum "$loop")
reload vol3 "0 $(sectors "$loop") blkcopy track $loop 0 - 0 - 128 1 no_discard_passdown"
has "$(dmsetup table vol3)" ' 128 1 no_discard_passdown$' "the feature in the table line"
blkdiscard -o 8M -l 4M /dev/mapper/vol3 2>/dev/null || true
is "$(sum "$loop")" "$before" "the leg after a discard with no_discard_passdown"
pass
