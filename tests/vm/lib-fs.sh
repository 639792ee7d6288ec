# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The scenario of a mounted file system, whichever it is.

make_fs() {
	case $1 in
	ext4) mkfs.ext4 -q "$2" ;;
	# xfs is "too small" below 300 MiB; its own tests say so this way.
	xfs) TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 mkfs.xfs -q -f "$2" ;;
	esac
}

fs_pivot() {
	load_module
	mk_loop 64 && local l0=$REPLY
	mk_loop 64 && local l1=$REPLY
	mk_volume vol "$l0"
	make_fs "$1" /dev/mapper/vol
	mkdir "$WORK/mnt"
	mount /dev/mapper/vol "$WORK/mnt"
	undo bash -c "! mountpoint -q $WORK/mnt || umount $WORK/mnt"
	fs_load_start "$WORK/mnt"
	start_copy vol "$l0" "$l1"
	touch "$WORK/mnt/created-during-the-copy"
	mv "$WORK/mnt/keep1" "$WORK/mnt/moved"
	mv "$WORK/mnt/moved" "$WORK/mnt/keep1"
	pivot vol 60
	finish_pivot vol "$l1"
	garbage "$l0"
	sleep 1
	fs_load_stop "$WORK/mnt"
	[[ -e $WORK/mnt/created-during-the-copy ]] || fail "a file made during the copy is gone"
	umount "$WORK/mnt"
	fs_check /dev/mapper/vol
	is "$(st vol base_errors top_errors)" "0 0" "errors counted"
}
