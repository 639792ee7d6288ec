#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.1,6.12 quick=6.12 timeout=120
# What cannot be attached is refused with the reason and what to do, and is
# not touched: snapshot and origin, thin pool, cache, mirror, raid, an LVM
# physical volume on a dm device, a bare disk in use, a hidden layer.
# guards: the list of targets that must not live twice.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
mk_brd 4 16
modprobe -a dm-snapshot dm-mirror dm-thin-pool dm-era dm-raid dm-integrity dm-verity

no() { # STATUS REGEX DEVICE
	local before
	before=$(dmsetup table)
	exits "$1" ctl attach "$3"
	has "$OUT" "$2" "why $3 is refused"
	is "$(wc -l <<<"$OUT")" 1 "lines said about $3"
	is "$(dmsetup table)" "$before" "tables after attach $3 was refused"
	nothing_stuck "attach $3"
}

mk_dm origin "0 16384 snapshot-origin /dev/ram0"
mk_dm snap "0 16384 snapshot /dev/ram0 /dev/ram1 P 16"
no 5 'snapshot' /dev/mapper/origin
no 5 'snapshot' /dev/mapper/snap
remove_dm snap
remove_dm origin
mk_dm mir "0 16384 mirror core 2 64 nosync 2 /dev/ram0 0 /dev/ram1 0"
no 5 'mirror' /dev/mapper/mir
remove_dm mir
dd if=/dev/zero of=/dev/ram2 bs=1M count=4 oflag=direct status=none
mk_dm pool "0 16384 thin-pool /dev/ram2 /dev/ram1 128 0"
no 5 'thin-pool' /dev/mapper/pool
remove_dm pool
dd if=/dev/zero of=/dev/ram2 bs=1M count=4 oflag=direct status=none
mk_dm era "0 16384 era /dev/ram2 /dev/ram1 128"
no 5 'era' /dev/mapper/era
remove_dm era
mk_dm zero "0 16384 zero"
no 5 'zero' /dev/mapper/zero
remove_dm zero
mk_linear pvdev /dev/ram3
pvcreate -qq --config 'devices/use_devicesfile=0' /dev/mapper/pvdev 2>/dev/null || pvcreate -qq -ff -y /dev/ram3
udevadm settle --timeout=10
no 4 'physical volume' /dev/mapper/pvdev
wipefs -qa /dev/mapper/pvdev
mkfs.ext4 -q /dev/ram0
mount_fs /dev/ram0
no 4 'create' /dev/ram0
umount "$WORK/mnt"
no 3 'nothing' /dev/nothing
no 3 'nothing' nothing
remove_dm pvdev
mk_dm sus "0 1024 linear /dev/ram0 0"
dmsetup suspend sus
exits 4 ctl attach sus
has "$OUT" 'suspended' "why a suspended device is refused"
dmsetup resume sus
pass
