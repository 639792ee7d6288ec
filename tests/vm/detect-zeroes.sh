#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=90
# With detect_zeroes a copy leaves holes where base holds zeros: on a file, on
# a thin device, and also where top held something else before; without it
# every block is written.
# guards: the zero scan; a top that cannot zero is read first; zeros over old
# data of top are really written.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-thin-pool
mk_brd 2 16
dd if=/dev/urandom of=/dev/ram0 bs=64k count=10 seek=20 oflag=direct status=none
dd if=/dev/urandom of=/dev/ram0 bs=512 count=1 seek=20001 oflag=direct status=none
mk_loop 16 && loop=$REPLY file=$LOOP_FILE
copy_to() { # TOP [features...]
	mk_volume vol /dev/ram0
	start_copy vol /dev/ram0 "$@"
	wait_phase vol 20 synced
	same /dev/ram0 "$1"
	remove_dm vol
}
copy_to "$loop" 1 detect_zeroes
le "$(holds_kib "$file")" 1200 "KiB held by the file, of 704 in use"
garbage "$loop"
copy_to "$loop" 1 detect_zeroes
le "$(holds_kib "$file")" 1200 "KiB held by the file that was full"
copy_to "$loop"
ge "$(holds_kib "$file")" 16000 "KiB held by the file without detect_zeroes"
garbage /dev/ram1
copy_to /dev/ram1 1 detect_zeroes

mk_loop 4 && meta=$REPLY
mk_loop 32 && data=$REPLY
mk_dm pool "0 65536 thin-pool $meta $data 128 0 1 skip_block_zeroing"
dmsetup message pool 0 'create_thin 0'
mk_dm thin "0 32768 thin /dev/mapper/pool 0"
copy_to /dev/mapper/thin 1 detect_zeroes
used=$(dmsetup status pool | awk '{ split($6, a, "/"); print a[1] }')
le "$used" 14 "thin blocks in use, of 11 that hold something"
pass
