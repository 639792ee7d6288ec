#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 disk=64M disk=96M timeout=150
# A mounted LV is attached, copied, pivoted and attached again, while it is
# written: its device number never changes, LVM warns of no more than it has to and is
# kept from taking away what is waited for, detach gives LVM
# its own table back.
# guards: absorbing a linear device; no second device with the same
# filesystem visible; LVM's view.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
mk_vg vg0 /dev/vda
lvcreate -qq -n data -L 32M vg0
lvcreate -qq -Wn -n idle -L 8M vg0
lv=/dev/vg0/data
dm=vg0-data
mkfs.ext4 -q $lv
mount_fs $lv
fs_load_start "$WORK/mnt"
number=$(mountpoint -d "$WORK/mnt")
table=$(dmsetup table $dm)
uuid=$(dmsetup info -c --noheadings -o uuid $dm)
quiet() { # LVM has nothing to complain of
	local out
	out=$(lvs --noheadings -o lv_name,lv_active 2>&1; pvs --noheadings -o pv_name 2>&1)
	# Once pivoted it says, truly, that the LV is not where its metadata says.
	[[ $1 == pivoted || ! $out =~ [Ww]arning|WARNING|[Dd]uplicate|[Ff]ailed ]] || fail "$1: LVM says: $out"
	is "$(mountpoint -d "$WORK/mnt")" "$number" "$1: the number of the mounted device"
	is "$(dmsetup info -c --noheadings -o uuid $dm)" "$uuid" "$1: the UUID"
	is "$(lsblk -nro NAME,MOUNTPOINT | sort -u | grep -c "$WORK/mnt")" 1 "$1: devices shown as mounted there"
}

exits 0 ctl attach $lv
has "$(dmsetup table $dm)" '^0 65536 blkcopy track 254:0 2048 - 0 - 128$|^0 65536 blkcopy track [0-9]+:[0-9]+ 2048 - 0 - 128$' "an absorbed LV"
is "$(dmsetup ls | wc -l)" 2 "dm devices, of two LVs: no hidden one"
quiet attached
# All it says: it knows its own types alone, and asks the table.
is "$(lvs --noheadings vg0 2>&1 | grep -vE '^  (WARNING: Detected blkcopy segment type does not match expected type striped for vg0/data\.|(data|idle) .*)$' || true)" "" "what else lvs says"
exits 0 ctl detach $lv
is "$(dmsetup table $dm)" "$table" "LVM's table, given back"
quiet detached
lvs --noheadings vg0 >/dev/null

# As long as somebody waits for a job, LVM cannot take away what it is a job of.
mk_loop 8
exits 0 ctl attach /dev/vg0/idle
run_bg "$WORK/copy" "$BLKCTL" copy vg0-idle "$REPLY" --keep --rate 64k --wait
copier=$BG
until_true 20 "the copy to run" phase_is vg0-idle copying
sleep 1
refused 'in use' lvchange -an vg0/idle
refused 'in use' lvremove -f -y vg0/idle
is "$(st vg0-idle phase)" copying "the copy that LVM would have ended"
kill "$copier"
wait "$copier" || true
exits 0 ctl abort vg0-idle
exits 0 ctl detach /dev/vg0/idle
exits 0 lvremove -qq -f -y vg0/idle

exits 0 ctl attach $lv
exits 2 ctl copy $lv /dev/vdb --pivot --wait
has "$OUT" 'LVM|LV' "why an LV needs --until-reboot"
exits 0 ctl copy $lv /dev/vdb --keep --wait --timeout 90
quiet copied
exits 2 ctl pivot $lv
exits 0 ctl pivot $lv --until-reboot
quiet pivoted
has "$(dmsetup table $dm)" '^0 65536 blkcopy track [0-9]+:16 0 - 0 - 128$' "the table after the pivot"
exits 2 ctl detach $lv
has "$OUT" '--to-copy' "detach after a pivot"
# The old extents are nobody's now.
dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=32 oflag=direct conv=notrunc status=none
sleep 1
fs_load_stop "$WORK/mnt"
umount "$WORK/mnt"
fs_check /dev/vdb
nothing_stuck "at the end"
# Before the group can go, the LV is LVM's again.
lvchange -qq -an $lv
pass
