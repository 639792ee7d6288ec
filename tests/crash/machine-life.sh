#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One life of a machine of tests/crash/machines, by the command line tool: the volume
# is made, or comes back, all that was durable is read, and more is written until
# the machine ends, as HOW says: by somebody else (kill), by itself (reset), or in
# good order. What it says of how far it came is in $RESULTS/said.
# usage: machine-life.sh BIN MODE SEED LIFE HOW DELAY BLOCK
# shellcheck source=tests/boot/lib.sh
source "$(dirname "$0")/../boot/lib.sh"
BIN=$1 MODE=$2 SEED=$3 LIFE=$4 HOW=$5 DELAY=$6 BLOCK=$7
BASE=$(readlink -f "$(id 0)") TOP=$(readlink -f "$(id 1)") META=$(readlink -f "$(id 2)")
VOL=/dev/mapper/vol RATE=600k
OLD=$RESULTS/old ENDS=(abort pivot)

say() { echo "$*" >>"$RESULTS/said"; }
lost() { say "lost $*" && exit 1; }

# Memory that outlives this machine: what is known of the volume, and the log.
shared() {
	local device
	for device in /sys/bus/pci/devices/*; do
		[[ $(<"$device/vendor") == 0x1af4 && $(<"$device/device") == 0x1110 ]] || continue
		echo 1 >"$device/enable"
		echo "$device/resource2"
	done
}

make_volume() {
	local size=(--block-size $((BLOCK / 2))k)
	case $MODE in
	overlay | commit | flatten)
		ctl create vol "$BASE" "${size[@]}"
		ctl snapshot vol="$TOP" --metadata "$META"
		;;
	stream)
		ctl create vol "$TOP" --from "$BASE" --metadata "$META" "${size[@]}" --no-hydrate
		dmsetup message vol 0 set rate_kib "${RATE%k}"
		ctl resume vol
		;;
	mirror)
		ctl create vol "$BASE" "${size[@]}"
		ctl copy vol "$TOP" --metadata "$META" --rate $RATE --no-wait
		;;
	view)
		ctl create vol "$BASE" "${size[@]}"
		ctl view vol past --store "$TOP" --metadata "$META" --persistent
		;;
	bitmap)
		ctl create vol "$BASE" "${size[@]}" --metadata "$META" --bitmaps 2 --segment 1M
		;;
	esac
}

verify() {
	"$BIN/verify" "$STATE" "$LOG" $VOL >"$RESULTS/verify.out" 2>&1 || lost "$(<"$RESULTS/verify.out")"
}

# The view shows what the volume was when it was made.
verify_view() {
	ctl view vol past --store "$TOP" --metadata "$META" --persistent
	cmp /dev/mapper/past "$OLD" || lost "the view shows something else"
}

# A bitmap begins with each life, with the volume as the cut has left it.
begin() {
	[[ $MODE == bitmap ]] || return 0
	((LIFE == 0)) || ctl bitmap remove vol b
	ctl bitmap add vol b
}

begin_job() { # VERB
	[[ $(dmsetup table vol) == *" overlay "* ]] || return 0
	ctl "$1" vol --no-wait
	dmsetup message vol 0 set rate_kib "${RATE%k}" || true
}

# The job goes to its end: the volume is on one disk alone, and is none of ours any more.
end_job() { # VERB DISK
	dmsetup message vol 0 set rate_kib 0 || true
	ctl "$1" vol --wait
	verify
	ctl remove vol
	say "alone $2"
}

end_well() {
	case $MODE in
	commit) end_job commit base ;;
	flatten | stream) end_job stream top ;;
	*)
		ctl deactivate vol
		ctl check "$META"
		ctl activate vol
		verify
		ctl deactivate vol
		;;
	esac
	say ended
}

# While it is written to.
act() {
	((LIFE >= 1)) || return 0
	case $MODE in
	commit) begin_job commit ;;
	flatten) begin_job stream ;;
	bitmap) for verb in freeze thaw; do sleep 0.3 && ctl bitmap $verb vol b; done ;;
	mirror)
		((LIFE >= 3)) || return 0
		dmsetup message vol 0 phase "${ENDS[SEED % 2]}" || true
		;;
	esac
}

setup
mapfile -t SHARED < <(shared)
STATE=${SHARED[0]} LOG=${SHARED[1]}
say up
if ((LIFE == 0)); then
	make_volume
	cp /etc/blkctltab "$RESULTS/blkctltab"
else
	cp "$RESULTS/blkctltab" /etc/
	ctl check "$META" || lost "check says $?: $(ctl check "$META" 2>&1)"
	ctl activate --all
	verify
	[[ $MODE != view ]] || verify_view
fi
say begins
begin
say ready
[[ $HOW != reset ]] || (sleep "$DELAY" && echo b >/proc/sysrq-trigger) &
seconds=30
[[ $HOW != orderly ]] || seconds=1.5
"$BIN/writer" "$STATE" "$LOG" $VOL $((SEED * 1000 + LIFE)) $seconds "$BLOCK" >"$RESULTS/writer.out" 2>&1 &
writer=$!
sleep 0.2
act
wait $writer
! grep 'writer: .*: ' "$RESULTS/writer.out" || lost "an error: $(<"$RESULTS/writer.out")"
[[ $HOW == orderly ]] || { sleep 60 && exit 1; }
end_well
