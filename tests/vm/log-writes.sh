#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=450
# Every flush and every FUA is a moment at which the power may go: the disk of an
# overlay, a stream, a commit and a mirror, legs and metadata, as dm-log-writes has
# logged it, is brought back as of each. What had been synced by then is there, and
# what base must hold. Cuts between two flushes are tests/crash's. What is written
# follows from a seed, which each run draws and says: BLKCTL_SEED=N gives it again.
# guards: the order of data, metadata and flushes.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-log-writes
N=8192 # sectors of a leg: 4 MiB
SEED=${BLKCTL_SEED:-$RANDOM}
STEPS=12
[[ $SEED =~ ^[0-9]+$ ]] || fail "BLKCTL_SEED \"$SEED\" is no number"
note "seed $SEED"
STAMPS=$(tool stamps) REPLAY=$(tool replay) SHOW=$(tool show)

# pieces PREFIX DEVICE: base, top and metadata of one disk, one after the other.
pieces() {
	local name at=0 size
	for name in base top meta; do
		size=$N
		[[ $name != meta ]] || size=2048
		dmsetup create "$1-$name" --table "0 $size linear $2 $at"
		at=$((at + size))
	done
}

no_pieces() { # PREFIX
	local name
	for name in base top meta; do remove_dm "$1-$name"; done
}

line() { # MODE PREFIX [params...]
	echo "0 $N blkcopy $1 /dev/mapper/$2-base 0 /dev/mapper/$2-top 0 /dev/mapper/$2-meta 8 ${*:3}"
}

# record MODE: a volume is written to, and goes its way meanwhile.
record() {
	local mode=$1 step table=$1
	[[ $mode != commit ]] || table=overlay
	mk_loop 9 --direct-io=off
	DISK=$REPLY
	mk_loop 200 --direct-io=off
	LOG=$REPLY
	pieces raw "$DISK"
	"$STAMPS" fill /dev/mapper/raw-base
	meta_format /dev/mapper/raw-meta $N 8 "$table"
	no_pieces raw
	sync
	cp --sparse=always "$(losetup -nO BACK-FILE "$DISK")" "$WORK/image"
	mk_dm logged "0 $((2 * N + 2048)) log-writes $DISK $LOG"
	pieces disk /dev/mapper/logged
	dmsetup create vol --table "$(line "$table" disk)"
	for ((step = 1; step <= STEPS; step++)); do
		if [[ $mode == commit ]] && ((step == STEPS / 2)); then
			reload vol "$(line commit disk 0 2 rate_kib 2048)"
		fi
		"$STAMPS" write /dev/mapper/vol "$SEED" $step || fail "step $step"
		dmsetup message logged 0 mark $step
	done
	[[ $mode == overlay ]] || wait_phase vol 60 "$END"
	dmsetup remove vol
	no_pieces disk
	remove_dm logged
}

# brought_back MODE ENTRY MARK: the disk as of then.
brought_back() {
	local mode
	cp --sparse=always "$WORK/image" "$WORK/cut"
	CUT=$(losetup -f --show --direct-io=off "$WORK/cut")
	pieces cut "$CUT"
	# What it is by now the metadata say.
	mode=$("$SHOW" /dev/mapper/cut-meta | sed -n 's/^mode=\([a-z]*\) .*/\1/p')
	dmsetup create vol --table "$(line "$mode" cut)" || fail "seed $SEED $1: entry $2: it cannot be brought back"
	"$STAMPS" verify /dev/mapper/vol "$SEED" "$3" >"$WORK/verify" ||
		fail "seed $SEED $1, now $mode: entry $2, after step $3: $(<"$WORK/verify")"
	dmsetup remove vol
	[[ ! $mode =~ ^(overlay|stream)$ ]] || "$STAMPS" verify /dev/mapper/cut-base >"$WORK/verify" ||
		fail "seed $SEED $1: entry $2: base has changed: $(<"$WORK/verify")"
	no_pieces cut
	losetup -d "$CUT"
}

# The image goes on by one: what was logged up to and with the next flush or FUA.
next_moment() {
	STATUS=0
	MOMENT=$("$REPLAY" "$LOG" "$WORK/image" "$WORK/state") || STATUS=$?
	((STATUS == 0))
}

for mode in overlay stream commit mirror; do
	case $mode in
	stream) END=streamed ;;
	commit) END=merged ;;
	mirror) END=synced ;;
	esac
	record $mode
	rm -f "$WORK/state"
	moments=0
	while next_moment; do
		brought_back $mode "${MOMENT% *}" "${MOMENT#* }"
		((++moments))
	done
	is $STATUS 3 "how replay ended"
	is "$(cut -d' ' -f3 "$WORK/state")" "$STEPS" "the last mark of $mode"
	((moments > STEPS)) || fail "$mode: only $moments moments"
	note "$mode: $moments moments"
done
pass
