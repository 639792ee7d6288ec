# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Workloads that verify what they write.

# tool NAME: the path of a helper of bin/, built when it is missing or old.
tool() { "$VM_DIR/bin/build" "$1"; }

# run_bg LOG COMMAND...
run_bg() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 &
	JOBS+=($!)
	BG=$!
}

# hammer_start DEVICE [options]: in the background; returns once the device is
# filled. The model is saved to $WORK/model when it stops.
hammer_start() {
	local device=$1 seed=${SEED:-$RANDOM}
	shift
	require_block "$device"
	HAMMER=$(tool hammer)
	HAMMER_LOG=$WORK/hammer.$(basename "$device")
	# Nice: commands and kernel workers come first, or a slow machine gets nowhere.
	run_bg "$HAMMER_LOG" nice -n 10 "$HAMMER" --seed "$seed" --seconds 600 --stuck 60 --dump-model "$WORK/model" "$@" "$device"
	HAMMER_PID=$BG
	until grep -q filled "$HAMMER_LOG"; do
		kill -0 "$HAMMER_PID" 2>/dev/null || fail "hammer ended at once: $(cat "$HAMMER_LOG")"
		sleep 0.05
	done
}

hammer_alive() {
	kill -0 "$HAMMER_PID" 2>/dev/null || fail "hammer ended early: $(cat "$HAMMER_LOG")"
}

# Ends it; it verifies the whole device once more and says how it was.
hammer_stop() {
	local pid=${1:-$HAMMER_PID} log=${2:-$HAMMER_LOG} status=0
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid" || status=$?
	((status == 0)) || fail "hammer found wrong data, an error or a stuck I/O: $(cat "$log")"
	tail -n 1 "$log"
}

# hammer_figure KEY: of the last report.
hammer_figure() { sed -n "s/.* $1=\([0-9.]*\).*/\1/p" "$HAMMER_LOG" | tail -n 1; }

# leg_holds DEVICE [BYTES]: the leg has what the last hammer wrote; BYTES is
# how much later the range begins there.
leg_holds() {
	local out
	out=$("$HAMMER" --load-model "$WORK/model" --check --shift "${2:-0}" "$1" 2>&1) ||
		fail "$1 does not hold what was written to the volume: $out"
}

# fill DEVICE: a seeded pattern, every sector different.
fill() {
	require_block "$1"
	HAMMER=$(tool hammer)
	"$HAMMER" --seed "${SEED:-7}" --seconds 0 --threads 1 --dump-model "$WORK/model" "$1" >/dev/null
}

# has_ended SECONDS PID: a child, waited for or not.
has_ended() {
	local i
	for ((i = 0; i < $1 * 10; i++)); do
		[[ -e /proc/$2 && $(ps -o stat= -p "$2") != Z* ]] || return 0
		sleep 0.1
	done
	return 1
}

# what_hangs: where each thread of fio is, and what is out to every dm device.
what_hangs() {
	local name pid
	ps -L -o pid,tid,ppid,stat,wchan:24,etimes,comm -C fio
	for pid in $(pgrep -x fio); do
		timeout 60 gdb -p "$pid" -batch -ex 'thread apply all bt' 2>/dev/null | grep -a '^#\|^Thread' || true
	done
	for name in $(dmsetup ls | cut -f1); do
		echo "in flight to $name: $(xargs <"/sys/block/$(dm_node "$name")/inflight")"
	done
}

fio_writes() {
	local job
	for job in $(pgrep -P "$1"); do
		grep -q '^write_bytes: [1-9]' "/proc/$job/io" 2>/dev/null && return
	done
	return 1
}

# fio_start OPTION...: one that verifies what it writes, for ever, its log in
# $WORK/fio; returns once it has written. On a busy machine its job begins ten
# seconds and more after the program: what is done before has no load to be
# proved under, and fio_stop must not come before. A job of a script ignores SIGINT
# until fio takes it in hand, so fio would go on for ever; and if it meets fio
# between its start and its job's, the two may wait for each other.
fio_start() {
	run_bg "$WORK/fio" nice -n 10 fio --name=v --verify=crc32c --verify_fatal=1 --loops=1000 "$@"
	FIO_PID=$BG
	until_true 120 "fio to write" fio_writes "$FIO_PID"
}

# Ends what fio_start began; it must have been at work until now and have found
# nothing wrong.
fio_stop() {
	kill -0 "$FIO_PID" 2>/dev/null || fail "fio ended early: $(cat "$WORK/fio")"
	kill -INT "$FIO_PID"
	has_ended 60 "$FIO_PID" || fail "fio does not end: $(what_hangs; cat "$WORK/fio")"
	wait "$FIO_PID" || true
	grep -q 'err= 0' "$WORK/fio" && ! grep -qi 'verify failed\|bad header\|bad magic\|io_u error' "$WORK/fio" ||
		fail "fio: $(cat "$WORK/fio")"
}

# A mounted file system at DIR under change: fio verifies one file of it for
# ever, some others stay as they are and are summed.
fs_load_start() {
	local dir=$1 i
	for i in {1..12}; do dd if=/dev/urandom of="$dir/keep$i" bs=64k count=$i status=none; done
	sync -f "$dir"
	(cd "$dir" && sha256sum keep*) >"$WORK/sums"
	fio_start --filename="$dir/busy" --ioengine=psync --rw=randwrite --bsrange=1k-32k --size=6M --fsync=16 --verify_backlog=64 \
		--rate_iops=400 --randseed=2
	sleep 1
}

fs_load_stop() {
	local dir=$1
	fio_stop
	sync -f "$dir"
	echo 3 >/proc/sys/vm/drop_caches
	(cd "$dir" && sha256sum --quiet -c "$WORK/sums") || fail "files differ"
}

fs_check() {
	case $(blkid -p -s TYPE -o value "$1") in
	ext4) e2fsck -fn "$1" >"$WORK/fsck" 2>&1 ;;
	xfs) xfs_repair -n "$1" >"$WORK/fsck" 2>&1 ;;
	*) fail "no file system on $1" ;;
	esac || fail "fsck of $1: $(cat "$WORK/fsck")"
}
