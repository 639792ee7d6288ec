# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The power-cut server and the block devices that the kernel makes of it.
# Sourced by guest.sh. DIR holds the disks; BIN the programs.

SERVER='' CLIENT=''

# A wait without a process.
nap() { read -r -t "$1" _ <>"$DIR/nothing" || true; }

alive() { kill -0 "$1" 2>/dev/null; }

# gone SECONDS PID...: all of them, in time?
gone() {
	local deadline=$((SECONDS + $1)) pid
	shift
	for pid; do
		while alive "$pid"; do
			((SECONDS <= deadline)) || return 1
			nap 0.02
		done
	done
}

# limited SECONDS COMMAND...: as timeout does, with a process less.
limited() {
	local seconds=$1 pid
	shift
	"$@" &
	pid=$!
	gone "$seconds" $pid || { kill -9 $pid && return 124; }
	wait $pid
}

make_disk() { # NAME SECTORS
	rm -f "$DIR/$1.img"
	truncate -s $(($2 * 512)) "$DIR/$1.img"
}

server_start() {
	nbdkit -f -t 16 -U "$DIR/socket" "$BIN/powercut.so" dir="$DIR" lie_flush="$LIE_FLUSH" \
		lie_fua="$LIE_FUA" no_cache="$NO_CACHE" >"$DIR/nbdkit.out" 2>&1 {CONTROL}>&- &
	SERVER=$!
	until [[ -S $DIR/socket ]]; do
		alive $SERVER || { cat "$DIR/nbdkit.out" && exit 2; }
		nap 0.05
	done
}

tell() { echo "$*" >&"$CONTROL"; }

power() { [[ -e $DIR/on ]]; }

# wait_power on|off
wait_power() {
	local deadline=$((SECONDS + 20))
	until [[ -e $DIR/on && $1 == on || ! -e $DIR/on && $1 == off ]]; do
		((SECONDS <= deadline)) || bad "the server does not obey: $(tail -n 3 "$DIR/nbdkit.out")"
		nap 0.01
	done
}

power_on() { # SEED CUT_AFTER DELAY_US
	tell on "$@"
	wait_power on
}

cut() {
	! power || tell cut
	wait_power off
}

# attach NAME...: /dev/nbd0 and on.
attach() {
	local n
	"$BIN/nbd" "$DIR/socket" "$@" >"$DIR/nbd.out" 2>&1 &
	CLIENT=$!
	for ((n = 0; n < $#; n++)); do
		until [[ -e /sys/block/nbd$n/pid && $(</sys/block/nbd$n/size) != 0 ]]; do
			alive "$CLIENT" || bad "nbd$n: no connection: $(<"$DIR/nbd.out")"
			nap 0.01
		done
	done
}

detach() {
	kill "$CLIENT"
	gone 20 "$CLIENT" || bad "the devices do not go"
}
