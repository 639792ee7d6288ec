#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of tools/try. /dev/vda is the old disk, /dev/vdb the new one.
set -euo pipefail

OLD=/dev/vda NEW=/dev/vdb MOUNT=/mnt/data LOG=/run/try
PATH=$(dirname "$BLKCTL_BIN"):$PATH

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
shown() {
	printf '$ %s\n' "$*"
	"$@"
}

on_error() {
	echo "FAILED at line $1"
	tail -n 15 "$LOG"/*.log 2>/dev/null
	dmesg | tail -n 20
}
trap 'on_error $LINENO' ERR

# Verifies what it wrote a short while before, all the time.
writer() {
	exec fio --name=writer --directory="$MOUNT" --filename=written --size=64M --rw=randwrite \
		--bs=4k --ioengine=libaio --iodepth=4 --direct=1 --rate_iops=500 --verify=crc32c \
		--verify_backlog=256 --verify_fatal=1 --verify_dump=0 --time_based --runtime="$1" \
		--output-format=json --output="$2" --eta=never >"$LOG/writer.log" 2>&1
}

longest_ms() {
	python3 -c 'import json, sys
job = json.load(open(sys.argv[1]))["jobs"][0]
assert job["error"] == 0, "the writer saw an error"
print("%.1f" % (max(job["write"]["lat_ns"]["max"], job["read"]["lat_ns"]["max"]) / 1e6))' "$1"
}

prepare() {
	mkdir -p "$LOG" "$MOUNT"
	insmod "$BLKCTL_MODULE_DIR/dm-blkcopy.ko"
	step "1. An ext4 on $OLD, under a volume, mounted"
	shown mkfs.ext4 -q "$OLD"
	shown blkctl create data "$OLD"
	[[ -b /dev/mapper/data ]]
	shown mount /dev/mapper/data "$MOUNT"
	mkdir "$MOUNT/files"
	find /usr/bin -maxdepth 1 -type f -size +64k -size -4000k | sort | head -n 60 |
		xargs cp -t "$MOUNT/files"
	(cd "$MOUNT" && sha256sum files/* >"$LOG/sums")
	echo "$(wc -l <"$LOG/sums") files, $(du -sh "$MOUNT/files" | cut -f1), their sums kept"
}

move() {
	step "2. A writer alone, for five seconds"
	(writer 5 "$LOG/alone.json")
	echo "its longest wait: $(longest_ms "$LOG/alone.json") ms"
	step "3. The writer goes on, and the volume moves to $NEW"
	writer 600 "$LOG/moved.json" &
	WRITER=$!
	sleep 2
	kill -0 $WRITER
	shown blkctl copy data "$NEW" --pivot
	kill -0 $WRITER
	shown dmsetup table data
}

break_old() {
	step "4. The old disk: overwritten with garbage, then pulled out"
	fio --name=garbage --filename="$OLD" --rw=write --bs=1M --direct=1 --ioengine=libaio \
		--iodepth=4 --buffer_pattern=0xdeadbeef >"$LOG/garbage.log"
	echo 1 >"$(readlink -f "/sys/block/${OLD#/dev/}/device/..")/remove"
	[[ ! -e /sys/block/${OLD#/dev/} ]]
	lsblk -o NAME,TYPE,SIZE,MOUNTPOINTS "$NEW"
	sleep 2
	kill -0 $WRITER
	kill -INT $WRITER
	wait $WRITER || [[ $? -eq 128 ]]
}

verify() {
	step "5. Every byte"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	(cd "$MOUNT" && sha256sum --quiet -c "$LOG/sums")
	echo "sums: $(wc -l <"$LOG/sums") files equal"
	fio --name=check --filename="$MOUNT/written" --rw=read --bs=4k --size=64M --direct=1 \
		--ioengine=libaio --iodepth=16 --verify=crc32c --verify_header_seed=0 \
		--verify_write_sequence=0 --verify_fatal=1 >"$LOG/check.log"
	echo "the writer's file: every block verified"
	umount "$MOUNT"
	shown e2fsck -fn /dev/mapper/data
	shown blkctl remove data
	rmmod dm_blkcopy
}

prepare
move
break_old
verify
step "The writer's longest wait: $(longest_ms "$LOG/moved.json") ms with the copy and the switch, \
$(longest_ms "$LOG/alone.json") ms alone. No error, no byte lost."
