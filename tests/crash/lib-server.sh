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

make_disk() { # NAME SECTORS
	rm -f "$DIR/$1.img"
	truncate -s $(($2 * 512)) "$DIR/$1.img"
}

# server_start SEED CUT_AFTER DELAY_US
server_start() {
	rm -f "$DIR/socket"
	nbdkit -f -t 16 -U "$DIR/socket" "$BIN/powercut.so" dir="$DIR" seed="$1" cut_after="$2" \
		delay_us="$3" lie_flush="$LIE_FLUSH" lie_fua="$LIE_FUA" >>"$DIR/nbdkit.out" 2>&1 &
	SERVER=$!
	until [[ -S $DIR/socket ]]; do
		alive $SERVER || bad "the server does not start: $(tail -n 3 "$DIR/nbdkit.out")"
		nap 0.01
	done
}

power() { alive "$SERVER"; }

# A cut may come before the word does.
tell() {
	! power || timeout 5 bash -c 'echo "$1" >"$2"' _ "$*" "$DIR/control" || true
}

cut() {
	tell cut
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
				power && bad "nbd$n: no connection: $(tail -n 3 "$DIR/nbd-client.out")"
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
			timeout 10 nbd-client -d "/dev/nbd$n" >>"$DIR/nbd-client.out" 2>&1 || true
		done
	fi
	gone 20 "${CLIENTS[@]}" || bad "a client of nbd does not end"
	CLIENTS=()
}
