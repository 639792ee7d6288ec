#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.1,6.12 quick=6.12 timeout=240
# A view of a mounted file system in use, by the command line tool: it can be
# mounted and is the file system as it was, while the volume is written to, and
# trimmed; no link of the volume's means the view; removed, aborted under a
# reader; on a device and in a file.
# guards: the verb view, its removal, and the rule that keeps links away.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-bitmap.sh"
cli_setup
modprobe loop
mk_brd 2 64
mkdir -p "$WORK/mnt" "$WORK/view"
exits 0 ctl create vol /dev/ram0
undo remove_dm vol
mkfs.ext4 -q -F /dev/mapper/vol
mount_fs /dev/mapper/vol
undo bash -c "! mountpoint -q $WORK/view || umount $WORK/view"
fs_load_start "$WORK/mnt"
loops_before=$(losetup -l --noheadings | wc -l)
uuid=$(blkid -p -s UUID -o value /dev/mapper/vol)

# view_is_right: as at the instant: whole, and its files as they were.
view_is_right() {
	e2fsck -fn /dev/mapper/now >"$WORK/fsck" 2>&1 || fail "fsck of the view: $(cat "$WORK/fsck")"
	mount -o ro,norecovery /dev/mapper/now "$WORK/view"
	(cd "$WORK/view" && sha256sum --quiet -c "$WORK/sums") || fail "files of the view differ"
	umount "$WORK/view"
}

for store in /dev/ram1 "$RESULTS/store"; do
	before=$(dmsetup table vol)
	exits 0 ctl view vol now --store "$store" --dry-run
	is "$(dmsetup table vol)" "$before" "after a dry run"
	exits 0 ctl view vol now --store "$store"
	note "$OUT"
	is "$(st vol mode phase)" "backup preserving" "with a view"
	is "$(blockdev --getro /dev/mapper/now)" 1 "the view is read-only"
	udevadm settle --timeout=20
	is "$(readlink -f "/dev/disk/by-uuid/$uuid")" "$(readlink -f /dev/mapper/vol)" "the link by UUID"
	frozen=$(sum_of /dev/mapper/now)
	view_is_right
	# What was kept goes, its blocks are trimmed and written again.
	rm "$WORK"/mnt/keep*
	sync -f "$WORK/mnt"
	! can_discard /dev/mapper/vol || fstrim "$WORK/mnt"
	for i in {1..12}; do dd if=/dev/urandom of="$WORK/mnt/keep$i" bs=64k count=$i status=none; done
	sync -f "$WORK/mnt"
	is "$(sum_of /dev/mapper/now)" "$frozen" "the view under load"
	view_is_right
	ge "$(st vol both)" 10 "blocks preserved"
	# The store has the superblock by now, and somebody looks at it.
	udevadm trigger --action=change "$(readlink -f "/dev/block/$(dmsetup table vol | cut -d' ' -f7)")"
	udevadm settle --timeout=20
	is "$(readlink -f "/dev/disk/by-uuid/$uuid")" "$(readlink -f /dev/mapper/vol)" "the link by UUID, with the store probed"
	has "$(ctl show vol)" 'preserving.*next +blkctl remove VIEW' "show"
	exits 2 ctl set vol mode=dual
	exits 4 ctl copy vol /dev/ram1
	exits 4 ctl remove vol
	exits 0 ctl remove now
	is "$(st vol mode)" track "after the view"
	[[ ! -e /dev/mapper/now ]] || fail "the view is still there"
	is "$(losetup -l --noheadings | wc -l)" "$loops_before" "loop devices after the view"
	(cd "$WORK/mnt" && sha256sum keep*) >"$WORK/sums"
done
kill -0 "$FIO_PID" || fail "fio ended early: $(cat "$WORK/fio")"

note "only what has changed, and what is left to read"
exits 0 ctl bitmap add vol changed
dd if=/dev/urandom of="$WORK/mnt/changed" bs=64k count=8 conv=fsync status=none
exits 2 ctl view vol now --store /dev/ram1 --force --only-changed
exits 0 ctl view vol now --store /dev/ram1 --force --bitmap changed --only-changed --discards
read -r first count < <(ctl bitmap dump vol changed --format json | jq -r '.dirty[0] | "\(.offset / 65536) \(.length / 65536)"')
ge "$count" 1 "blocks in the bitmap"
read -r in_base kept < <(st vol base_only both)
is "$((in_base + kept))" "$(bitmap_is changed | cut -d' ' -f1)" "what is kept, or to be"
dd if=/dev/mapper/now of=/dev/null bs=64k skip="$first" count=1 iflag=direct status=none
blkdiscard -f -o $((first * 65536)) -l 65536 /dev/mapper/now 2>/dev/null
refused 'Input/output error' dd if=/dev/mapper/now of=/dev/null bs=64k skip="$first" count=1 iflag=direct
exits 0 ctl remove now
exits 0 ctl bitmap remove vol changed

note "aborted under a reader"
exits 0 ctl view vol now --store /dev/ram1 --force
exec {reader}</dev/mapper/now
exits 4 ctl remove now
exits 0 ctl abort vol
refused 'Input/output error' dd if=/dev/mapper/now of=/dev/null bs=4k count=1 iflag=direct
exec {reader}<&-
exits 0 ctl remove now

note "bad input"
before=$(dmsetup table)
exits 2 ctl view vol now
exits 2 ctl view vol 'a b' --store /dev/ram1
exits 2 ctl view vol now --store /dev/ram0
exits 2 ctl view vol now --store /dev/ram1 --on-store-error ignore
exits 3 ctl view nothing now --store /dev/ram1
exits 4 ctl view vol vol --store /dev/ram1
exits 3 ctl view vol now --store /dev/nothing
mkfs.ext4 -q -F /dev/ram1
exits 4 ctl view vol now --store /dev/ram1
has "$OUT" ext4 "the signature is named"
is "$(dmsetup table)" "$before" "after refusals"
wipefs -qa /dev/ram1

fs_load_stop "$WORK/mnt"
umount "$WORK/mnt"
fs_check /dev/mapper/vol
pass
