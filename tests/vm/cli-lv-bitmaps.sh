#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.12,debug quick=6.12 disk=64M disk=64M disk=32M timeout=240
# Bitmaps on metadata of an LV that was attached while it is mounted: LVM passes
# over it at a boot, it comes back with them after a power cut too, and where
# LVM has had it meanwhile they are inconsistent.
# guards: changed data of an LV called unchanged after a boot, or after LVM.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-lv.sh"
source "$VM_DIR/lib-image.sh"
cli_setup
modprobe -q loop
mkdir -p /var/lib/blkctl "$WORK/mnt"
mk_vg vg0 /dev/vda /dev/vdb
lv=/dev/vg0/data
dm=vg0-data
bits=/var/lib/blkctl/data.bitmaps
image=/dev/vdc
# Of what nobody writes to, so that the image is what the LV is.
incremental() { # TEXT [REGEX]
	! mountpoint -q "$WORK/mnt" || umount "$WORK/mnt"
	exits 0 ctl backup $dm $image --bitmap nightly
	has "$OUT" "${2:-incremental backup}" "$1"
	is "$(sha256sum <$image)" "$(sha256sum <$lv)" "the backup $1"
}
write() { dd if=/dev/urandom of="$WORK/mnt/file$((++written))" bs=64k count=4 conv=fsync status=none; }
# What is on the disk then is what a cut leaves.
power_cut() {
	umount "$WORK/mnt"
	cp "$bits" "$WORK/cut"
	ctl deactivate $dm
	cp "$WORK/cut" "$bits"
	lvm_boots
	exits 0 ctl activate --all
}
written=0

note "attached while it is mounted"
lvcreate -qq -y -n data -L 32M vg0
udevadm settle
own=$(dmsetup table $dm)
uuid=$(dmsetup info -c --noheadings -o uuid $dm)
mkfs.ext4 -q -F $lv
mount_fs $lv
write
exits 2 ctl attach $lv --bitmaps 4
exits 2 ctl attach $lv --metadata "$WORK/mnt/bits"
has "$OUT" 'on the volume itself' "metadata on the LV itself"
rm -f "$WORK/mnt/bits"
exits 0 ctl attach $lv --metadata "$bits" --segment 1M --dry-run
[[ ! -e $bits && -z $(skip) ]] || fail "a dry run has changed something"
exits 0 ctl attach $lv --metadata "$bits" --segment 1M
is "$(skip)" skipactivation "LVM"
has "$(grep "^$dm" /etc/blkctltab)" "bitmaps=$bits" "the tab"
exits 0 ctl bitmap add $dm nightly
exits 0 ctl backup $dm $image --bitmap nightly --full
write
incremental "of one that was attached"

note "a boot"
exits 0 ctl deactivate $dm
lvm_boots
[[ $(dmsetup ls) != *$dm* ]] || fail "LVM has activated it: $(dmsetup ls)"
exits 0 ctl activate --all
is "$(dmsetup info -c --noheadings -o uuid $dm)" "$uuid" "its UUID"
is "$(bits_state $dm nightly)" recording "after a boot"
mount_fs $lv
write
incremental "after a boot"

note "a power cut"
mount_fs $lv
write
power_cut
is "$(bits_state $dm nightly)" recording "after a cut"
incremental "after a cut"

note "through a view"
mount_fs $lv
write
exits 0 ctl view $dm now --store /var/lib/blkctl/store
exits 0 ctl remove now
is "$(skip)" skipactivation "LVM, after a view"
incremental "after a view"

note "LVM has had it"
exits 0 ctl deactivate $dm
lvchange -qq -ay -K vg0/data
udevadm settle
is "$(dmsetup table $dm)" "$own" "LVM's table"
mount_fs $lv
write
exits 4 ctl activate $dm
has "$OUT" 'blkctl attach' "what is to be done"
umount "$WORK/mnt"
lvchange -qq -an vg0/data
exits 0 ctl activate $dm
is "$(bits_state $dm nightly)" inconsistent "after LVM, which was seen"
incremental "after LVM was seen to have it" 'full backup'
exits 0 ctl deactivate $dm
lvchange -qq -ay -K vg0/data
udevadm settle
mount_fs $lv
write
exits 0 ctl attach $lv
has "$OUT" 'inconsistent' "what attach says"
is "$(bits_state $dm nightly)" inconsistent "after LVM"
incremental "after LVM has had it" 'full backup'
exits 0 ctl deactivate $dm
lvchange -qq --setactivationskip n vg0/data
exits 0 ctl activate $dm
has "$OUT" 'LVM was not told' "an LV that LVM may have had"
is "$(bits_state $dm nightly)" inconsistent "of one that LVM may have had"
is "$(skip)" skipactivation "LVM is told again"
incremental "of one that LVM may have had" 'full backup'

note "given back"
mount_fs $lv
exits 0 ctl detach $dm
is "$(dmsetup table $dm)" "$own" "LVM's table, in the end"
is "$(skip)" "" "LVM has it"
[[ ! -e $bits ]] || fail "$bits is still there"
! grep -q "^$dm" /etc/blkctltab || fail "the tab: $(cat /etc/blkctltab)"
umount "$WORK/mnt"
fs_check $lv

note "LVM has changed it"
exits 0 ctl attach $lv --metadata "$bits"
exits 0 ctl deactivate $dm
lvextend -qq -L 36M vg0/data
exits 0 ctl activate --all
has "$OUT" 'bitmaps are lost' "of one that is longer"
is "$(dmsetup table $dm | cut -d' ' -f1-3)" "0 73728 linear" "LVM's table of one that is longer"
is "$(dmsetup info -c --noheadings -o uuid $dm)" "$uuid" "its UUID"
is "$(skip)" "" "LVM has the longer one"
[[ ! -e $bits ]] || fail "$bits of one that is longer is still there"
lvchange -qq -an vg0/data
lvchange -qq -ay vg0/data
udevadm settle
fs_check $lv
wipefs -qa "$image"
nothing_stuck "at the end"
pass
