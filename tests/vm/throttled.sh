#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=240
# A queue whose reads get slow lets write-back through one by one (blk-wbt), and who
# submits it sleeps. Nothing that a writer may be waiting for is taken for that: old
# data on its way to a store, a copy, marks and sectors of metadata, a commit's flush,
# a user's own write-back that was parked, or merged with the rest of its block. Each
# is caught on its way to a disk that takes a second, and is not among what the queue
# counts; what a user writes back there by himself is.
# guards: no write of ours is held back as write-back.
source "$(dirname "$0")/lib.sh"
load_module
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
mk_null_blk slow 32 memory_backed=1 irqmode=2 completion_nsec=1000000000
slow=$REPLY
disk=$(basename "$slow")
echo 2000 >"/sys/block/$disk/queue/wbt_lat_usec"
mk_loops 32
n=$(sectors "$slow")

writes_there() { awk '{ print $2 }' "/sys/block/$disk/inflight"; }
counted() { awk '{ n += $3 } END { print n + 0 }' "/sys/kernel/debug/block/$disk/rqos/wbt/inflight"; }
is_idle() { [[ $(writes_there) == 0 ]]; }
# caught NUMBER WHAT: of a write that is on its way, so many are counted.
caught() {
	local counted
	until_true 30 "$2: a write to $disk" eval '! is_idle'
	counted=$(counted)
	! is_idle || fail "$2: the write had ended before it was looked at"
	is "$counted" "$1" "held back as write-back, $2"
	until_true 60 "$disk to be idle" is_idle
}
# flushes DEVICE: a write that is not counted, and a flush of a second; COUNTED has the
# most there was at a time.
flushes() {
	local counted
	COUNTED=0
	put "$1" 4k direct
	while kill -0 "$BG" 2>/dev/null; do
		counted=$(counted)
		((counted <= COUNTED)) || COUNTED=$counted
		sleep 0.02
	done
	wait "$BG" || fail "the flush of $1 failed: $(<"$WORK/put")"
}
# put DEVICE BYTES [OFLAG]: from one device, in the background.
put() { run_bg "$WORK/put" dd if=/dev/urandom of="$1" bs="$2" count=1 seek=5 conv=notrunc,fsync status=none ${3:+oflag="$3"}; }

put "$slow" 4k
caught 1 "a user who writes back"

# To a slow top
mk_volume vol "$A"
start_copy vol "$A" "$slow" 0 2 run_kib 64
caught 0 "a copy"
reload vol "$(track_line "$A")"
until_true 60 "$disk to be idle" is_idle
arm vol "$A" "$slow" 1 paused
put /dev/mapper/vol 4k direct
caught 0 "old data on its way to the store"
remove_dm vol

# Over a slow base: the old data comes first, so the write was parked.
mk_volume vol "$slow"
arm vol "$slow" "$A" 1 paused
put /dev/mapper/vol 4k
caught 0 "write-back that was parked"
remove_dm vol

# A slow top of cold blocks
mk_meta 2 stream "$n"
mk_dm vol "$(durable_line stream "$A" "$slow" 1 paused)"
put /dev/mapper/vol 4k
caught 0 "write-back that is merged with its block"
remove_dm vol

# Slow metadata
on_slow() { # MODE
	mk_meta 2 "$1" "$n" 128 1
	dd if="$META_FILE" of="$slow" bs=1M oflag=direct conv=notrunc status=none
	META=$slow
}
on_slow mirror
mk_dm vol "$(durable_line mirror "$A" "$B")"
wait_phase vol 60 synced
until_true 60 "$disk to be idle" is_idle
put /dev/mapper/vol 4k direct
caught 0 "a mark"
remove_dm vol
on_slow overlay
mk_dm vol "$(durable_line overlay "$A" "$B")"
until_true 60 "$disk to be idle" is_idle
put /dev/mapper/vol 4k direct
caught 0 "a commit"
msg vol seal
run_bg "$WORK/gone" dmsetup remove vol
caught 0 "a superblock"
wait "$BG" || fail "dmsetup remove: $(<"$WORK/gone")"

# A cache that takes a second to be flushed
mk_null_blk cached 32 memory_backed=1 irqmode=2 completion_nsec=1000000000 cache_size=8
disk=$(basename "$REPLY")
echo 2000 >"/sys/block/$disk/queue/wbt_lat_usec"
flushes "$REPLY"
is "$COUNTED" 1 "held back as write-back, a user's flush"
cached=$REPLY
mk_meta 2 overlay "$n"
mk_dm vol "$(durable_line overlay "$A" "$cached")"
flushes /dev/mapper/vol
is "$COUNTED" 0 "held back as write-back, a commit's flush"
pass
