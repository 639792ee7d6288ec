#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The second life: the disks, the tab and the notes of a backup are all there is.
# usage: killed-second.sh MODE
# shellcheck source=tests/boot/lib.sh
source "$(dirname "$0")/lib.sh"
setup
name_volume "$1"
cp "$RESULTS/blkctltab" /etc/
mkdir -p /var/lib/blkctl
[[ $1 != bitmaps ]] || cp "$RESULTS"/data.nightly.note "$RESULTS"/unfinished-* /var/lib/blkctl/

# incremental: vdc, a backup, is what the volume is; only what has changed is copied.
incremental() {
	ctl backup data "$(id 2)" --bitmap nightly | tee "$RESULTS/backup"
	grep -q 'incremental backup' "$RESULTS/backup"
	cmp "$(id 2)" /dev/mapper/data
}

for meta in 3 4; do ctl check "$(id $meta)" || [[ $? -eq 3 ]]; done
# What LVM does at a boot; and what a person may do.
for how in -aay -ay; do vgchange -qq $how || true; done
[[ $(dmsetup ls) != *$VOL* ]]
ctl activate --all --timeout 20s
mode=$(dmsetup status $VOL | awk '{ print $4, $5 }')
case $1 in
overlay | layers | lv | lv-pieces) [[ $mode == "overlay idle" ]] ;;
commit) [[ $mode == commit\ * ]] ;;
lv-pivot) [[ $mode == "track idle" ]] ;;
stream) [[ $mode == stream\ * ]] ;;
bitmaps)
	[[ $mode == "track idle" ]]
	ctl bitmap list data
	incremental
	;;
esac
e2fsck -fp /dev/mapper/$VOL || (($? <= 1))
mount /dev/mapper/$VOL $MNT
(cd $MNT && sha256sum --quiet -c "$RESULTS/sums")
# And the job goes to its end.
case $1 in
commit)
	ctl commit data --wait
	dd if=/dev/zero of="$(id 2)" bs=1M count=64 oflag=direct status=none
	;;
stream)
	ctl resume data || true
	ctl stream data --wait
	dd if=/dev/zero of="$(id 0)" bs=1M count=64 oflag=direct status=none
	;;
overlay | lv | lv-pieces) ctl commit $VOL --wait ;;
bitmaps)
	dd if=/dev/urandom of=$MNT/third bs=64k count=3 conv=fsync status=none
	umount $MNT
	ctl deactivate data
	ctl activate data
	incremental
	mount /dev/mapper/data $MNT
	;;
layers)
	ctl show data
	ctl commit data --layer 1 --wait
	ctl commit data --wait
	;;
esac
echo 3 >/proc/sys/vm/drop_caches
(cd $MNT && sha256sum --quiet -c "$RESULTS/sums")
umount $MNT
e2fsck -fn /dev/mapper/$VOL
[[ $(dmsetup status $VOL | awk '{ print $4 }') == track ]]
case $1 in
lv | lv-pieces) # LVM has it again
	[[ $(</etc/blkctltab) != *$VOL* ]]
	vgchange -qq -an vg0
	vgchange -qq -aay vg0
	[[ $(dmsetup table $VOL) != *blkcopy* ]]
	;;
*)
	ctl deactivate $VOL
	ctl activate --all
	;;
esac
mount /dev/mapper/$VOL $MNT
(cd $MNT && sha256sum --quiet -c "$RESULTS/sums")
umount $MNT
[[ $1 == lv* ]] || ctl remove data
[[ $1 == lv-pivot || ! -s /etc/blkctltab ]] || ! grep "^$VOL" /etc/blkctltab
echo "all is there"
