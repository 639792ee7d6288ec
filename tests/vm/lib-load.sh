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
	run_bg "$HAMMER_LOG" "$HAMMER" --seed "$seed" --seconds 600 --stuck 40 --dump-model "$WORK/model" "$@" "$device"
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
