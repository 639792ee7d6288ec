#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 disk=64M disk=64M disk=64M disk=8M timeout=200
# An attached LV with a snapshot: LVM leaves it alone, whoever asks, until all
# of it is in its extents again; what comes up is the snapshot, and where LVM
# has changed the LV meanwhile nothing comes up. The same after a pivot.
# guards: acknowledged writes of an LV over a boot; LVM's extents against a
# volume whose data is elsewhere.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-lv.sh"
cli_setup
modprobe -q loop
mkdir -p /var/lib/blkctl "$WORK/mnt"
mk_vg vg0 /dev/vda /dev/vdb
lv=/dev/vg0/data
dm=vg0-data
gone() { [[ $(dmsetup ls) != *$dm* ]] || fail "$1: $(dmsetup ls)"; }
round() { # TEXT: the filesystem goes, and comes back by us alone
	local want
	want=$(cd "$WORK/mnt" && sha256sum old* new*)
	umount "$WORK/mnt"
	exits 0 ctl deactivate $dm
	gone "$1: deactivated"
	lvm_boots
	gone "$1: after LVM's part of a boot"
	exits 0 ctl activate --all
	is "$(dmsetup info -c --noheadings -o uuid $dm)" "$uuid" "$1: its UUID"
	udevadm settle
	mount $lv "$WORK/mnt"
	is "$(cd "$WORK/mnt" && sha256sum old* new*)" "$want" "$1: what is in it"
}
write() { dd if=/dev/urandom of="$WORK/mnt/$1$((++written))" bs=64k count=20 conv=fsync status=none; }
begin() { # how the LV is made
	"$@"
	udevadm settle
	uuid=$(dmsetup info -c --noheadings -o uuid $dm)
	own=$(dmsetup table $dm)
	mkfs.ext4 -q -F $lv
	mount_fs $lv
	write old
	exits 0 ctl attach $lv
}
back_to_lvm() { # TEXT
	is "$(skip)" "" "$1: LVM may have it"
	! grep -q "^$dm" /etc/blkctltab || fail "$1: $(cat /etc/blkctltab)"
	exits 0 ctl detach $dm
	is "$(dmsetup table $dm)" "$own" "$1: LVM's table"
	(cd "$WORK/mnt" && sha256sum --quiet -c "$WORK/sums")
	umount "$WORK/mnt"
	lvremove -qq -f vg0/data
}
sums() { (cd "$WORK/mnt" && sha256sum old* new* >"$WORK/sums"); }
written=0

note "a snapshot of one in one piece"
begin lvcreate -qq -y -n data -L 32M vg0
exits 0 ctl snapshot $dm=/dev/vdc --dry-run
has "$OUT" 'setactivationskip y' "the plan"
is "$(skip)" "" "after a dry run"
exits 0 ctl snapshot $dm=/dev/vdc
! [[ $OUT == *"was attached"* ]] || fail "it comes back, and is said not to: $OUT"
has "$(grep "^$dm" /etc/blkctltab)" "^$dm - .*lv=[0-9A-Za-z]{64}" "the tab"
is "$(skip)" "skipactivation" "LVM"
write new
exits 4 ctl detach $dm
exits 4 ctl detach $dm --to-copy
round "a snapshot"
base=$(dmsetup table $dm | awk '{ print $5 }')
is "$base" "$(lsblk -dno MAJ:MIN /dev/vda | tr -d ' ')" "it is over the PV"

note "LVM made to activate it all the same, or to change it"
umount "$WORK/mnt"
ctl deactivate $dm
lvchange -qq -ay -K vg0/data
exits 4 ctl activate $dm
has "$OUT" 'LVM has activated it' "an LV that LVM has"
exits 4 ctl attach $lv
lvchange -qq -an vg0/data
lvchange -qq --setactivationskip n vg0/data
exits 8 ctl activate $dm
has "$OUT" 'may have had it' "an LV that LVM may activate"
lvchange -qq --setactivationskip y vg0/data
lvextend -qq -L 36M vg0/data
exits 8 ctl activate $dm
has "$OUT" 'LVM has made it' "one that is longer"
lvreduce -qq -f -L 32M vg0/data
vgrename -qq vg0 vgx
exits 8 ctl activate $dm
has "$OUT" 'vgx' "one of another name"
vgrename -qq vgx vg0
gone "after refusals"
move() { pvmove -qq "$@" 2>/dev/null && lvchange -qq -an vg0/data; } # which it activates
move /dev/vda /dev/vdb
exits 8 ctl activate $dm
has "$OUT" 'LVM has moved it' "one that was moved"
move /dev/vdb /dev/vda
gone "after a move"
exits 0 ctl activate $dm
mount $lv "$WORK/mnt"

note "merged, it is LVM's again"
sums
exits 0 ctl commit $dm --wait
back_to_lvm "a commit"

note "of several pieces"
two_pieces() { lvcreate -qq -y -n data -i 2 -I 64k -L 16M vg0 && lvextend -qq -i 1 -L 32M vg0/data; }
begin two_pieces
is "$(dmsetup ls | grep -c "^$dm-blkreal")" 1 "a hidden device"
exits 0 ctl snapshot $dm=/dev/vdc --force
write new
round "a snapshot of several pieces"
is "$(dmsetup table $dm-blkreal | wc -l)" 2 "lines of the hidden device"
sums
exits 0 ctl commit $dm --wait
back_to_lvm "a commit of several pieces"

note "filled from below: it is on its store from then on"
begin lvcreate -qq -y -n data -L 32M vg0
exits 0 ctl snapshot $dm=/dev/vdc --force
exits 0 ctl stream $dm --wait
write new
is "$(skip)" "skipactivation" "LVM, after a stream"
dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=32 oflag=direct conv=notrunc status=none
round "after a stream"
exits 2 ctl detach $dm
umount "$WORK/mnt"
ctl deactivate $dm
exits 2 ctl remove $dm
lvchange -qq --setactivationskip n vg0/data
exits 0 ctl remove $dm
lvremove -qq -f vg0/data

note "a pivot that persists, and a copy that is given up"
begin lvcreate -qq -y -n data -L 32M vg0
exits 2 ctl copy $dm /dev/vdc --pivot
has "$OUT" '--persist' "a pivot of an LV"
exits 0 ctl copy $dm /dev/vdc --metadata /dev/vdd --force --wait
is "$(skip)" "skipactivation" "LVM, while a copy with metadata is there"
exits 0 ctl abort $dm
is "$(skip)" "" "LVM, after the abort"
exits 0 ctl copy $dm /dev/vdc --pivot --persist --force --wait
has "$(grep "^$dm" /etc/blkctltab)" "^$dm id:.* - lv=" "the tab after a pivot"
dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=32 oflag=direct conv=notrunc status=none
write new
round "after a pivot"
umount "$WORK/mnt"
fs_check /dev/vdc
exits 0 ctl deactivate $dm
nothing_stuck "at the end"
pass
