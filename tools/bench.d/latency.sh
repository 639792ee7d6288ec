#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A busy 128 MiB device moves between two devices of 2 ms each: the time until
# it is on the new one only, and what its writer felt meanwhile. The delays, not
# the emulated processor, are the limit.
# shellcheck source=tools/bench.d/guest.sh
source "$(dirname "$0")/guest.sh"

MIB=128 LEN=$((128 * 2048)) RUNS=${BLKCTL_BENCH_RUNS:-3}
A=/dev/mapper/slow0 B=/dev/mapper/slow1

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

writes() { awk '{ print $5 }' "/sys/class/block/$(basename "$(readlink -f "$1")")/stat"; }

writes_at_least() { (($(writes "$1") >= $2)); }

start_writer() {
	[[ -b $1 ]]
	rm -f /run/lat*
	fio --name=w --filename="$1" --size=${MIB}M --direct=1 --ioengine=libaio --bs=4k \
		--rw=randwrite --iodepth=4 --rate_iops=400 --time_based --runtime=600 \
		--norandommap --write_lat_log=/run/lat --log_unix_epoch=1 \
		--output=/run/fio.out >/dev/null 2>&1 &
	WRITER=$!
	wait_until 60 writes_at_least "$(readlink -f "$1")" $(($(writes "$1") + 400))
	sleep 1
}

stop_writer() {
	sleep 1
	kill -INT $WRITER
	wait $WRITER || [[ $? -eq 128 ]]
	! grep -E 'err= *[1-9]' /run/fio.out
}

# Every write that was under way at some time between BEGIN and END.
felt() {
	python3 - "$1" "$2" <<'PY'
import sys
begin, end = int(sys.argv[1]), int(sys.argv[2])
lat = []
for line in open("/run/lat_lat.1.log"):
    at, ns = [int(x) for x in line.split(",")[:2]]
    if at >= begin and at - ns / 1e6 <= end:
        lat.append(ns / 1e6)
lat.sort()
pick = lambda q: lat[min(len(lat) - 1, int(q * len(lat)))]
print("%d %.2f %.2f %.2f" % (len(lat), pick(0.5), pick(0.99), lat[-1]))
PY
}

# move ROW DEVICE COMMAND...: the command returns when the device has moved.
move() {
	local name=$1 device=$2 begin end result ios p50 p99 max
	shift 2
	start_writer "$device"
	begin=$(now_ms)
	"$@"
	end=$(now_ms)
	stop_writer
	result=$(felt "$begin" "$end")
	read -r ios p50 p99 max <<<"$result"
	row latency "$name" seconds "$(printf '%d.%03d' $(((end - begin) / 1000)) $(((end - begin) % 1000)))" \
		ios "$ios" p50 "$p50" p99 "$p99" max "$max"
	say "$name: $((end - begin)) ms, p50 $p50 p99 $p99 max $max"
}

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

with_table() {
	make_dm vol "$2"
	move "$1" /dev/mapper/vol "${@:3}"
	remove_dm vol
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

load_modules
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
done
