#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2034 # used by the files that it sources
# The guest's part of tests/crash/run: seed after seed a new volume, and cut
# after cut on it. A seed decides everything but the scheduler.
# usage: guest.sh BIN MODE FIRST-SEED LAST-SEED CUTS ROUNDS
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=tests/crash/lib-server.sh
source "$here/lib-server.sh"
# shellcheck source=tests/crash/lib-modes.sh
source "$here/lib-modes.sh"
# shellcheck source=tests/crash/lib-verbs.sh
source "$here/lib-verbs.sh"
# shellcheck source=tests/crash/lib-chain.sh
source "$here/lib-chain.sh"
BIN=$1 MODES=${2//,/ } FIRST=$3 LAST=$4 CUTS=$5 ROUNDS=$6
LIE_FLUSH=${BLKCTL_CRASH_LIE_FLUSH:-} LIE_FUA=${BLKCTL_CRASH_LIE_FUA:-} NO_CACHE=${BLKCTL_CRASH_NO_CACHE:-}
STOP_AFTER=${BLKCTL_CRASH_STOP_AFTER:-5}
DIR=/dev/shm/crash
cuts=0 losses=0

[[ -n ${BLKCTL_IN_GUEST:-} ]] || { echo "$0: in a guest only: tests/crash/run" >&2 && exit 2; }

prepare() {
	udevadm control --exit || true
	rm -f /run/udev/control
	export DM_DISABLE_UDEV=1
	# Thousands of failed requests on an emulated serial line take minutes.
	dmesg -n 1
	modprobe -a dm-mod dm-snapshot libcrc32c
	modprobe nbd nbds_max=5 max_part=0
	[[ $MODES =~ ^(nbd|linear|snapshot|\ )+$ ]] || insmod "$BLKCTL_MODULE_DIR/dm-blkcopy.ko" || exit 2
	COPY_ON_READ=$(grep -aqs copy_on_read "$BLKCTL_MODULE_DIR/dm-blkcopy.ko" && echo copy_on_read)
	mkdir -p $DIR
	mkfifo $DIR/nothing $DIR/control
	exec {CONTROL}<>$DIR/control
}

# A loss, or whatever else must not be: this seed ends here.
bad() {
	echo "LOSS: $MODE seed $SEED cut $ROUND: $*" | tee -a "$DIR/bad"
	keep_evidence
	exit 1
}

keep_evidence() {
	local to=$RESULTS/$MODE-$SEED
	mkdir -p "$to"
	timeout 5 dmsetup table >"$to/dmsetup" 2>&1
	timeout 5 dmsetup status --noflush >>"$to/dmsetup" 2>&1
	cp "$DIR"/*.log "$DIR"/*.out "$DIR/log" "$DIR/state" "$DIR"/meta*.img "$to/" 2>/dev/null
	ps axo pid,stat,wchan:24,etimes,args | awk '!/\[.*\]$/ || $2 ~ /D/' >"$to/ps"
	dmesg >"$to/dmesg"
}

verify() {
	"$BIN/verify" "$DIR/state" "$DIR/log" "$DEVICE" >"$DIR/verify.out" 2>&1
	case $? in
	0) return 0 ;;
	3) power || return 1 ;;
	esac
	bad "$(cat "$DIR/verify.out")"
}

write() {
	local n writer seconds of=
	between 0 10
	n=$((RANDOM % (4 << REPLY) + 2))
	# The metadata's requests are few, and each is a moment of its own.
	if with_meta && ((RANDOM % 3 == 0)); then
		of=meta
		[[ $MODE != chain ]] || { busy_meta && of=$REPLY; }
		n=$((n / 32 + 1))
	fi
	pick 0.3 0.6 1 1 1.5 && seconds=$REPLY
	# Now and then nothing cuts it short: it ends with a flush, and the cut
	# comes after that, or after the removal.
	if ((ORDERLY)); then seconds=0.4; else tell "arm $n $of"; fi
	# What has to be noted anew is what comes behind a verb.
	[[ $MODE != verbs ]] || seconds=3
	"$BIN/writer" "$DIR/state" "$DIR/log" "$DEVICE" $((SEED * 1000 + ROUND)) "$seconds" "$BLOCK" \
		>"$DIR/writer.out" 2>&1 &
	writer=$!
	act
	gone 60 "$writer" || bad "the writer does not end"
	wait "$writer" || ! power || bad "the writer: $(cat "$DIR/writer.out")"
	! grep -q 'writer: .*: ' "$DIR/writer.out" || ! power ||
		bad "an error without a cut: $(cat "$DIR/writer.out")"
}

trace() { [[ -z ${BLKCTL_CRASH_TRACE:-} ]] || echo "  $EPOCHREALTIME $*"; }

# One cut. False when the volume is at its end.
round() {
	local early=0 delay orderly=10
	RANDOM=$((SEED * 37 + ROUND))
	pick 0 0 300 3000 && delay=$REPLY
	# Marks are over what was just written to: without them the bits alone count.
	[[ $MODE != verbs ]] || orderly=2
	ORDERLY=$((RANDOM % orderly == 0))
	# Now and then while it is being activated, or verified.
	between 1 40
	((ORDERLY || RANDOM % 8)) || early=$REPLY
	trace "round $ROUND"
	[[ $MODE != nbd ]] || DEVICE=/dev/nbd0
	power_on $((SEED * 1000 + ROUND)) "$early" "$delay"
	attach "${LEGS[@]}"
	trace attached
	if activate && trace active && verify; then
		trace verified
		begin
		write
		trace "written $(cat "$DIR/writer.out")"
		if power && ((ORDERLY)); then deactivate; fi
	fi
	cut
	echo $((ROUND + 1)) >"$DIR/cuts"
	trace dead
	deactivate
	trace removed
	detach
	wait
	trace down
	look_at_disks
	trace seen
	! at_its_end
}

seed() {
	make_volume
	for ((ROUND = 0; ROUND < ROUNDS; ROUND++)); do
		round || break
	done
	local cuts
	cuts=$(<"$DIR/cuts")
	if with_meta; then echo "$MODE seed $SEED: $cuts cuts; $META${EQUAL:+ equal=$EQUAL}${MISSED:+; $MISSED}"; else echo "$MODE seed $SEED: $cuts cuts"; fi
}

# What a failed seed left.
clean_up() {
	local name
	tell cut
	for name in crash lower; do
		timeout 20 dmsetup remove --force $name >/dev/null 2>&1
	done
	pkill -x nbd
	sleep 1
}

prepare
server_start
for ((SEED = FIRST; SEED <= LAST; SEED++)); do
	for MODE in $MODES; do
		rm -f $DIR/bad
		echo 0 >$DIR/cuts
		(seed) || {
			losses=$((losses + 1))
			echo "to see it again: tests/crash/run --mode $MODE --seeds $SEED-$SEED --rounds $ROUNDS --kernel $BLKCTL_CRASH_KERNEL"
			clean_up
		}
		cuts=$((cuts + $(cat $DIR/cuts)))
	done
	((losses < STOP_AFTER)) || break
	((CUTS == 0 || cuts < CUTS)) || break
done
rmmod dm_blkcopy 2>/dev/null
echo "$cuts cuts, $losses losses" | tee "$RESULTS/summary"
((losses == 0 && cuts > 0))
