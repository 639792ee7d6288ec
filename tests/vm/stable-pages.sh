#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# Pages of a mapped file are changed while they are being written and then
# thrown away by unlink: both legs must have got the same bytes of them, with
# the volume mounted while it copies, and before.
# guards: stable pages while two legs write from one page.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 16
mk_delay top /dev/ram1 0 15
mkdir "$WORK/mnt"
mk_volume vol /dev/ram0
mkfs.ext4 -q -O ^has_journal -E nodiscard,lazy_itable_init=0 /dev/mapper/vol
for when in while before; do
	[[ $when == while ]] || mount -o noatime /dev/mapper/vol "$WORK/mnt"
	start_copy vol /dev/ram0 /dev/mapper/top
	wait_phase vol 20 synced
	[[ $when == before ]] || mount -o noatime /dev/mapper/vol "$WORK/mnt"
	"$(tool scribble)" "$WORK/mnt/f" 3 || fail "scribble failed"
	is "$(st vol phase)" synced "the phase after it"
	umount "$WORK/mnt"
	wait_equal vol
	note "mounted $when the copy was made:"
	same /dev/ram0 /dev/ram1
	abort_copy vol /dev/ram0
done
pass
