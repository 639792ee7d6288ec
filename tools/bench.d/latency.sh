#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A busy 128 MiB device moves between two devices of 2 ms each: the time until
# it is on the new one only, and what its writer felt meanwhile. The delays, not
# the emulated processor, are the limit.
# shellcheck source=tools/bench.d/guest.sh
source "$(dirname "$0")/guest.sh"
# shellcheck source=tools/bench.d/writer.sh
source "$(dirname "$0")/writer.sh"
# shellcheck source=tools/bench.d/qemu.sh
source "$(dirname "$0")/qemu.sh"

PART=latency RUNS=${BLKCTL_BENCH_RUNS:-3}
A=/dev/mapper/slow0 B=/dev/mapper/slow1

by_blkctl() { "$BLKCTL_BIN" copy vol $B --force --pivot >/dev/null; }

by_messages() {
	switch_to vol "0 $LEN blkcopy mirror $A 0 $B 0 - 128"
	wait_until 300 phase_is vol synced
	dmsetup message vol 0 phase pivot
	wait_until 300 phase_is vol pivoted
	switch_to vol "0 $LEN blkcopy track $B 0 - 0 - 128"
}

by_dm_mirror() {
	switch_to vol "0 $LEN mirror core 1 1024 2 $A 0 $B 0"
	wait_until 300 mirror_in_sync vol
	switch_to vol "0 $LEN linear $B 0"
}

by_dm_clone() {
	switch_to vol "0 $LEN clone /dev/ram2 $B $A 128"
	wait_until 300 clone_hydrated vol
	switch_to vol "0 $LEN linear $B 0"
}

by_pvmove() { lvm pvmove "${LVM[@]}" -i 1 $A $B >/dev/null 2>&1; }

make_disks() {
	ram_disks 3 160
	make_dm slow0 "0 $(sectors /dev/ram0) delay /dev/ram0 0 2"
	make_dm slow1 "0 $(sectors /dev/ram1) delay /dev/ram1 0 2"
}

with_blkctl() {
	[[ -x $BLKCTL_BIN ]] || { say "blkctl is not built: its row is left out" && return 0; }
	local line="0 $LEN blkcopy track $A 0 - 0 - 128"
	make_dm vol "$line"
	move "blkctl copy --pivot" /dev/mapper/vol by_blkctl
	remove_dm vol
}

with_lvm() {
	LVM=(--config 'devices { filter=["a|^/dev/mapper/slow|","r|.*|"] use_devicesfile=0 } activation { monitoring=0 }')
	lvm pvcreate "${LVM[@]}" -q -ff -y $A $B >/dev/null
	lvm vgcreate "${LVM[@]}" -q vg $A $B >/dev/null
	lvm lvcreate "${LVM[@]}" -q -y -Wn -L ${MIB}M -n lv vg $A >/dev/null
	udevadm settle
	move pvmove /dev/vg/lv by_pvmove
	lvm vgremove "${LVM[@]}" -q -ff -y vg >/dev/null
	dd if=/dev/zero of=$A bs=1M count=1 oflag=direct status=none
	dd if=/dev/zero of=$B bs=1M count=1 oflag=direct status=none
}

by_qemu() {
	qmp whole blockdev-mirror '{"job-id": "move", "device": "from", "target": "to", "sync": "full", "copy-mode": "'"$1"'"}'
}

with_qemu() {
	local mode
	start_qsd from --blockdev "$(qsd_node from $A)"
	move "over nbd, nothing running" $NBD sleep 5
	stop_qsd
	for mode in background write-blocking; do
		start_qsd from --blockdev "$(qsd_node from $A)" --blockdev "$(qsd_node to $B)"
		move "qemu blockdev-mirror over nbd, $mode" $NBD by_qemu $mode
		stop_qsd
	done
}

load_modules
modprobe nbd
make_disks
for ((run = 0; run < RUNS; run++)); do
	with_table "nothing running" "0 $LEN linear $A 0" sleep 5
	with_blkctl
	with_table "blkcopy, in sync, nothing to copy" "0 $LEN blkcopy mirror $A 0 $B 0 - 128 1 nosync" sleep 5
	with_table "blkcopy by hand" "0 $LEN blkcopy track $A 0 - 0 - 128" by_messages
	with_table "dm-mirror by hand" "0 $LEN linear $A 0" by_dm_mirror
	with_lvm
	dd if=/dev/zero of=/dev/ram2 bs=1M count=1 status=none
	with_table "dm-clone, 64 KiB regions" "0 $LEN linear $A 0" by_dm_clone
	with_qemu
done
