#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory that the state of 1 TiB in 64 KiB blocks takes, and how long the verbs
# take on 16 TiB. The devices are null_blk: they hold nothing and cost nothing.
# shellcheck source=tools/bench.d/guest.sh
source "$(dirname "$0")/guest.sh"

TIB=$((1024 * 1024)) # MiB

# What the kernel holds for itself and cannot give back; buffers of I/O under
# way are not in it, because the copies stand still.
held_kib() {
	udevadm settle
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 2
	awk '/^(VmallocUsed|SUnreclaim|Percpu):/ { sum += $2 } END { print sum }' /proc/meminfo
}

# state ROW TABLE: the first creation warms up caches and is not counted.
state() {
	local before after
	make_dm peer "$2"
	remove_dm peer
	[[ -z ${3:-} ]] || "$3"
	before=$(held_kib)
	make_dm peer "$2"
	after=$(held_kib)
	remove_dm peer
	row memory "$1" kib $((after - before))
	say "$1: $((after - before)) KiB"
}

clear_meta() { dd if=/dev/zero of=/dev/ram0 bs=1M count=4 oflag=direct status=none; }

load_modules
ram_disks 1 256
modprobe null_blk nr_devices=0
null_disk nullb0 $TIB
null_disk nullb1 $TIB
LEN=$(sectors /dev/nullb0)
state "dm-linear" "0 $LEN linear /dev/nullb0 0"
state "blkcopy track" "0 $LEN blkcopy track /dev/nullb0 0 - 0 - 128"
state "blkcopy mirror" "0 $LEN blkcopy mirror /dev/nullb0 0 /dev/nullb1 0 - 128 1 paused"
state "dm-mirror, core log, 64 KiB regions" "0 $LEN mirror core 2 128 nosync 2 /dev/nullb0 0 /dev/nullb1 0"
clear_meta
state "dm-clone, 64 KiB regions" "0 $LEN clone /dev/ram0 /dev/nullb1 /dev/nullb0 128 1 no_hydration" clear_meta

null_disk nullb2 $((16 * TIB))
null_disk nullb3 $((16 * TIB))
LEN=$(sectors /dev/nullb2)
if [[ -x $BLKCTL_BIN ]]; then
	timed "blkctl create" "$BLKCTL_BIN" create vol /dev/nullb2
	timed "blkctl show" "$BLKCTL_BIN" show vol
	timed "blkctl copy --no-wait" "$BLKCTL_BIN" copy vol /dev/nullb3 --no-wait
	timed "blkctl show, copying" "$BLKCTL_BIN" show vol
	"$BLKCTL_BIN" abort vol >/dev/null
	"$BLKCTL_BIN" remove vol >/dev/null
else
	say "blkctl is not built: its rows are left out"
fi
timed "dmsetup create" dmsetup create vol --table "0 $LEN blkcopy track /dev/nullb2 0 - 0 - 128"
timed "dmsetup status" dmsetup status vol
timed "dmsetup load, resume" switch_to vol "0 $LEN blkcopy mirror /dev/nullb2 0 /dev/nullb3 0 - 128"
timed "dmsetup status, copying" dmsetup status --noflush vol
dmsetup message vol 0 phase abort
remove_dm vol
