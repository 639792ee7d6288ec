#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of tools/try. /dev/vda is the old disk, /dev/vdb the new one.
set -Eeuo pipefail

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

# writer NAME PASSES: writes all of a file in random order and reads it back a
# little later, again and again; each pass with data of its own, or a write that
# got lost would leave what looks right. Ends after a pass, when told to.
writer() {
	local pass
	for ((pass = 1; pass <= $2; pass++)); do
		[[ ! -e $LOG/stop ]] || break
		fio --name=writer --filename="$MOUNT/written" --size=16M --rw=randwrite --bs=4k \
			--ioengine=libaio --iodepth=4 --direct=1 --rate_iops=800 --randseed=$((pass * 7919)) \
			--verify=crc32c --verify_backlog=128 --verify_fatal=1 --verify_dump=0 \
			--output-format=json --output="$LOG/$1-$pass.json" --eta=never >"$LOG/writer.log" 2>&1
	done
}

longest_ms() {
	python3 - "$@" <<'PY'
import json, sys
longest = writes = 0
for path in sys.argv[1:]:
    job = json.load(open(path))["jobs"][0]
    assert job["error"] == 0, "the writer saw an error"
    writes += job["write"]["total_ios"]
    longest = max(longest, job["write"]["lat_ns"]["max"], job["read"]["lat_ns"]["max"])
print("%.1f ms in %d writes, all verified" % (longest / 1e6, writes))
PY
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
	find /usr/bin -maxdepth 1 -type f -size +64k -size -4000k | sort | sed -n 1,60p |
		xargs cp -t "$MOUNT/files"
	(cd "$MOUNT" && sha256sum files/* >"$LOG/sums")
	echo "$(wc -l <"$LOG/sums") files, $(du -sh "$MOUNT/files" | cut -f1), their sums kept"
}

move() {
	step "2. A writer, alone"
	writer alone 1
	echo "its longest wait: $(longest_ms "$LOG"/alone-*.json)"
	step "3. The writer goes on, and the volume moves to $NEW"
	writer moved 1000 &
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
	kill -0 $WRITER
	touch "$LOG/stop"
	wait $WRITER
}

verify() {
	step "5. Every byte"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	(cd "$MOUNT" && sha256sum --quiet -c "$LOG/sums")
	echo "sums: $(wc -l <"$LOG/sums") files equal"
	umount "$MOUNT"
	shown e2fsck -fn /dev/mapper/data
	shown blkctl remove data
	rmmod dm_blkcopy
}

prepare
move
break_old
verify
step "No error, no byte lost. The writer's longest wait"
echo "alone:                        $(longest_ms "$LOG"/alone-*.json)"
echo "with the copy and the switch: $(longest_ms "$LOG"/moved-*.json)"
