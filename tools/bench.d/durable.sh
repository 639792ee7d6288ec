#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What durable state costs where a device takes 2 ms: the instant of a snapshot,
# its way back, a backup to a slow store, all under a writer; fsync of what is
# written for the first time; a stream from a base of 20 ms. The devices are
# null_blk with memory, a volatile cache and a timer.
# shellcheck source=tools/bench.d/guest.sh
source "$(dirname "$0")/guest.sh"
# shellcheck source=tools/bench.d/writer.sh
source "$(dirname "$0")/writer.sh"
# shellcheck source=tools/bench.d/qemu.sh
source "$(dirname "$0")/qemu.sh"

PART=durable RUNS=${BLKCTL_BENCH_RUNS:-3}
A=/dev/nullb0 B=/dev/nullb1 META=/dev/nullb2 SLOW=/dev/nullb3 SLOW_TOO=/dev/nullb4
ctl() { "$BLKCTL_BIN" "$@" >/dev/null; }

# timed_disk NAME MIB MS
timed_disk() {
	local dir=/sys/kernel/config/nullb/$1
	mkdir "$dir"
	echo "$2" >"$dir/size"
	echo 1 >"$dir/memory_backed"
	echo 8 >"$dir/cache_size"
	echo 2 >"$dir/irqmode"
	echo $(($3 * 1000000)) >"$dir/completion_nsec"
	echo 1 >"$dir/power"
	udevadm settle
	[[ -b /dev/$1 ]]
}

blank() {
	local device
	for device in "$@"; do dd if=/dev/zero of="$device" bs=64k count=16 oflag=direct status=none; done
}

write_all() { dd if=/dev/zero of=/dev/mapper/vol bs=1M count=$MIB oflag=direct status=none; }

# ---- Under a writer

by_snapshot() { ctl snapshot vol=$B --metadata $META --force --no-boot; }

with_snapshot() {
	blank $META $B
	ctl create vol $A
	move "blkctl snapshot" /dev/mapper/vol by_snapshot
	write_all
	move "blkctl commit, 128 MiB" /dev/mapper/vol ctl commit vol --wait
	ctl remove vol
}

# What lvcreate -s does, by hand.
by_dm_snapshot() {
	dmsetup create snap --notable
	dmsetup load snap --table "0 $LEN snapshot $A $B P 128"
	dmsetup load vol --table "0 $LEN snapshot-origin $A"
	dmsetup suspend --nolockfs vol
	dmsetup resume --noudevsync snap
	dmsetup resume --noudevsync vol
}

with_dm_snapshot() {
	blank $B
	make_dm vol "0 $LEN linear $A 0"
	move "dm-snapshot, as LVM does it" /dev/mapper/vol by_dm_snapshot
	remove_dm vol
	remove_dm snap
}

# dm-snapshot: "0 N snapshot-merge ALLOCATED/ALL METADATA"
is_merged() { [[ $(status_word vol 4 | cut -d/ -f1) == "$(status_word vol 5)" ]]; }

by_merge() {
	switch_to vol "0 $LEN snapshot-merge $A $B P 128"
	wait_until 600 is_merged
}

with_merge() {
	blank $B
	make_dm vol "0 $LEN snapshot $A $B P 128"
	write_all
	move "dm-snapshot-merge, 128 MiB" /dev/mapper/vol by_merge
	remove_dm vol
}

with_backup() {
	blank $SLOW
	with_table "blkcopy backup, store of 20 ms" "0 $LEN blkcopy backup $A 0 $SLOW 0 - 128" sleep 5
	blank $SLOW
	make_dm snap "0 $LEN snapshot $A $SLOW N 128"
	with_table "dm-snapshot-origin, store of 20 ms" "0 $LEN snapshot-origin $A" sleep 5
	remove_dm snap
}

# ---- A whole backup under a writer, where it goes to being slow

by_backup() { ctl backup vol $SLOW_TOO --store $SLOW --force; }

by_dd() {
	dmsetup create snap --notable
	dmsetup load snap --table "0 $LEN snapshot $A $SLOW N 128"
	dmsetup load vol --table "0 $LEN snapshot-origin $A"
	dmsetup suspend --nolockfs vol
	dmsetup resume --noudevsync snap
	dmsetup resume --noudevsync vol
	dmsetup mknodes snap
	dd if=/dev/mapper/snap of=$SLOW_TOO bs=1M iflag=direct oflag=direct status=none
}

by_qemu() { qmp whole blockdev-backup '{"job-id": "backup", "device": "from", "target": "to", "sync": "full"}'; }

with_whole_backup() {
	dd if=/dev/urandom of=$A bs=1M count=$MIB oflag=direct status=none
	blank $SLOW $SLOW_TOO
	ctl create vol $A
	move "blkctl backup, store and target of 20 ms" /dev/mapper/vol by_backup
	ctl remove vol
	blank $SLOW $SLOW_TOO
	make_dm vol "0 $LEN linear $A 0"
	move "dm-snapshot and dd, both of 20 ms" /dev/mapper/vol by_dd
	remove_dm vol
	remove_dm snap
	blank $SLOW_TOO
	start_qsd from --blockdev "$(qsd_node from $A)" --blockdev "$(qsd_node to $SLOW_TOO)"
	move "over nbd, nothing running" $NBD sleep 5
	move "qemu blockdev-backup over nbd, target of 20 ms" $NBD by_qemu
	stop_qsd
}

# ---- fsync

# synced ROW WRITERS DEVICE: 4 KiB writes of what has not been written to, each with
# its fsync.
synced() {
	local ms
	fio --name=s --filename="$3" --direct=1 --ioengine=psync --bs=4k --rw=randwrite --fsync=1 --numjobs="$2" \
		--size=8M --offset_increment=8M --number_ios=150 --output-format=json --output=/run/fio.json
	ms=$(jq '[.jobs[].job_runtime / 150] | add / length' /run/fio.json)
	row fsync "$1" writers "$2" ms "$ms"
	say "$1: $2 writers, $ms ms a write"
}

# fsyncs ROW TABLE WIPED...: one writer, and eight, from anew.
fsyncs() {
	local writers
	for writers in 1 8; do
		blank "${@:3}"
		[[ $2 != *blkcopy*$META* ]] || ctl format $META --size ${MIB}M --block-size 4k --force
		make_dm vol "$2"
		synced "$1" $writers /dev/mapper/vol
		remove_dm vol
	done
}

# While a fill runs, a user who syncs and has written nothing.
idle_syncs() { # ROW
	local before ms begin
	before=$(writes $META)
	begin=$(now_ms)
	python3 -c 'import os, sys
f = os.open("/dev/mapper/vol", os.O_RDWR)
for i in range(50): os.fsync(f)'
	ms=$(($(now_ms) - begin))
	row fill "$1" ms "$((ms / 50))" writes $(($(writes $META) - before))
	say "$1: 50 fsyncs in $ms ms, $(($(writes $META) - before)) writes of metadata"
}

# ---- A base that is slow

# one ROW WHAT KIND SIZE OFFSET: one I/O, in ms.
one() {
	local ms
	ms=$(fio --name=o --filename=/dev/mapper/vol --direct=1 --ioengine=psync --bs="$4" --rw="$3" --number_ios=20 \
		--offset="$5" --size=32M --norandommap=0 --output-format=json |
		jq '.jobs[0] | (.read.clat_ns.mean + .write.clat_ns.mean) / 1000000')
	row cold "$1" what "\"$2\"" ms "$ms"
	say "$1: $2: $ms ms"
}

ones() { # ROW
	one "$1" "read of a cold block" randread 64k 0
	one "$1" "write of a whole cold block" randwrite 64k 32M
	one "$1" "write of 4 KiB in a cold block" randwrite 4k 64M
}

stream_line() { echo "0 $LEN blkcopy stream $SLOW 0 $B 0 $META 128 $*"; }
clone_line() { echo "0 $LEN clone $META $B $SLOW 128 $*"; }

fills() {
	blank $META
	ctl format $META --size ${MIB}M --mode stream --block-size 64k --force
	make_dm vol "$(stream_line 0 2 rate_kib 8192)"
	idle_syncs "blkcopy stream"
	remove_dm vol
	blank $META
	make_dm vol "$(clone_line)"
	idle_syncs "dm-clone, 64 KiB regions"
	remove_dm vol
	blank $META
	ctl format $META --size ${MIB}M --mode stream --block-size 64k --force
	make_dm vol "$(stream_line 1 paused)"
	ones "blkcopy stream"
	remove_dm vol
	blank $META
	make_dm vol "$(clone_line 1 no_hydration)"
	ones "dm-clone, 64 KiB regions"
	remove_dm vol
}

load_modules
modprobe -a dm-snapshot loop nbd
modprobe null_blk nr_devices=0
timed_disk nullb0 160 2
timed_disk nullb1 160 2
timed_disk nullb2 64 2
timed_disk nullb3 160 20
timed_disk nullb4 160 20
mkdir -p /var/lib/blkctl
for ((run = 0; run < RUNS; run++)); do
	with_table "nothing running" "0 $LEN linear $A 0" sleep 5
	with_snapshot
	with_dm_snapshot
	with_merge
	with_backup
	with_whole_backup
done
fsyncs "dm-linear" "0 $LEN linear $A 0"
fsyncs "blkcopy overlay, 4 KiB blocks" "0 $LEN blkcopy overlay $A 0 $B 0 $META 8" $META
fsyncs "dm-snapshot, 4 KiB chunks" "0 $LEN snapshot $A $B P 8" $B
fsyncs "dm-clone, 4 KiB regions" "0 $LEN clone $META $B $A 8 1 no_hydration" $META
fills
