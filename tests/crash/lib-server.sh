# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The power-cut server and the block devices that the kernel makes of it.
# Sourced by guest.sh. DIR holds the disks; BIN the programs.

SERVER='' CLIENTS=()

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

# server_start SEED CUT_AFTER DELAY_US
server_start() {
	rm -f "$DIR/socket"
	unsay
	nbdkit -f -t 16 -U "$DIR/socket" "$BIN/powercut.so" dir="$DIR" seed="$1" cut_after="$2" \
		delay_us="$3" lie_flush="$LIE_FLUSH" lie_fua="$LIE_FUA" >>"$DIR/nbdkit.out" 2>&1 &
	SERVER=$!
	until [[ -S $DIR/socket ]]; do
		alive $SERVER || bad "the server does not start: $(tail -n 3 "$DIR/nbdkit.out")"
		nap 0.01
	done
}

power() { alive "$SERVER"; }
# After an error: connections break before the process has quite gone.
power_is_on() { ! gone 5 "$SERVER"; }

# The pipe is held open here, so that no word waits for a reader; what a server
# did not live to read is not for the next.
tell() { echo "$*" >&"$CONTROL"; }
unsay() { while read -r -t 0 -u "$CONTROL"; do read -r -t 1 -u "$CONTROL" _ || break; done; }

cut() {
	! power || tell cut
	gone 10 "$SERVER" || bad "the server does not obey"
}

# attach NAME...: /dev/nbd0 and on. False when the power went.
attach() {
	local name n=0
	CLIENTS=()
	for name; do
		nbd-client -L -n -b 512 -unix "$DIR/socket" -N "$name" "/dev/nbd$n" \
			>>"$DIR/nbd-client.out" 2>&1 </dev/null &
		CLIENTS+=($!)
		n=$((n + 1))
	done
	for ((n = 0; n < $#; n++)); do
		until [[ -e /sys/block/nbd$n/pid && $(</sys/block/nbd$n/size) != 0 ]]; do
			alive "${CLIENTS[n]}" || {
				power_is_on && bad "nbd$n: no connection: $(tail -n 3 "$DIR/nbd-client.out")"
				return 1
			}
			nap 0.01
		done
	done
}

# After a cut they go by themselves.
detach() {
	local n
	if power || ! gone 5 "${CLIENTS[@]}"; then
		for n in "${!CLIENTS[@]}"; do
			limited 10 nbd-client -d "/dev/nbd$n" >>"$DIR/nbd-client.out" 2>&1 || true
		done
	fi
	gone 20 "${CLIENTS[@]}" || bad "a client of nbd does not end"
	CLIENTS=()
}
