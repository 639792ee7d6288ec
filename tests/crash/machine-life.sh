#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One life of a machine of tests/crash/machines, by the command line tool: the volume
# is made, or comes back, all that was durable is read, and more is written until
# the machine ends, as HOW says: by somebody else (kill), by itself (reset), or in
# good order. What it says of how far it came is in $RESULTS/said; what the volume was
# at, in $RESULTS/phases.
# usage: machine-life.sh BIN MODE SEED AGE HOW DELAY BLOCK END
# SEED: of what is written; AGE: how many lives the volume has had; END: what a copy is to
# come to in this life, abort or pivot, or "-".
# shellcheck source=tests/boot/lib.sh
source "$(dirname "$0")/../boot/lib.sh"
BIN=$1 MODE=$2 SEED=$3 AGE=$4 HOW=$5 DELAY=$6 BLOCK=$7 END=$8
BASE=$(readlink -f "$(id 0)") TOP=$(readlink -f "$(id 1)") META=$(readlink -f "$(id 2)")
VOL=/dev/mapper/vol OLD=$RESULTS/old
# Of a job, KiB/s: a young one is to be cut in the middle, later ones behind the end.
RATE=$((AGE < 3 ? 200 : 2000))

say() { echo "$*" >>"$RESULTS/said"; }
lost() { say "lost $*" && exit 1; }

# By a program without libraries: dmsetup takes as long as some jobs.
ask() { "$BIN/dm" message vol "$*" 2>/dev/null; }

# AT: the mode and the phase; " " without a volume.
see() {
	local mode='' phase=''
	read -r _ _ _ mode phase _ < <("$BIN/dm" status vol 2>/dev/null || true) || true
	AT="$mode $phase"
}

# The last line is where a cut has met the volume.
watch_phase() {
	local before=' '
	for (( ; ; )); do
		see
		[[ $AT == "$before" || $AT == ' ' ]] || echo "$AT" >>"$RESULTS/phases"
		before=$AT
		sleep 0.2
	done
}

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
		go_on "$RATE"
		;;
	mirror)
		ctl create vol "$BASE" "${size[@]}"
		ctl copy vol "$TOP" --metadata "$META" --rate "${RATE}k" --no-wait
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

# Its entry, for the lives to come. What a message has told a job is in no entry, and without a rate
# it would be over before a cut: so it comes back paused. (That of a stream says so already.)
keep_entry() {
	local option=''
	[[ ! $MODE =~ ^(commit|flatten|mirror)$ ]] || option=paused
	awk -v option="$option" '/^vol / && option { $0 = $0 (NF > 3 ? "," : " ") option } 1' \
		/etc/blkctltab >"$RESULTS/blkctltab"
}

# go_on KIB: a job that there is, at so much a second; 0: no limit.
go_on() {
	see
	[[ $AT == *\ @(streaming|merging|copying) ]] || return 0
	ask set rate_kib "$1"
	# It may have come to its end by now.
	ask copy resume || true
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
	((AGE == 0)) || ctl bitmap remove vol b
	ctl bitmap add vol b
}

# An overlay takes no rate, and the job begins without one: it gets it at once.
begin_job() { # VERB
	local job
	see
	[[ $AT == "overlay idle" ]] || return 0
	ctl "$1" vol --no-wait &
	job=$!
	until ask set rate_kib "$RATE" || ! kill -0 $job 2>/dev/null; do :; done
	wait $job
	# The resume has the rate of the table's line, if the other came before it.
	ask set rate_kib "$RATE"
}

# A copy: asked for until it is so. A pivot has to wait for all of it, and a write may come
# between.
end_copy() {
	local deadline=$((SECONDS + 60))
	see
	until [[ $AT == track\ * || $AT == *\ @(pivoted|aborted) ]]; do
		((SECONDS < deadline)) || lost "no $END in 60 s: $AT"
		[[ $END == abort ]] || go_on 0
		ask phase "$END" || true
		sleep 0.1
		see
	done
}

# The job goes to its end: the volume is on one disk alone, and is none of ours any more.
end_job() { # VERB DISK
	go_on 0
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
	((AGE >= 1)) || return 0
	case $MODE in
	commit) begin_job commit ;;
	flatten) begin_job stream ;;
	bitmap) for verb in freeze thaw; do sleep 0.3 && ctl bitmap $verb vol b; done ;;
	mirror) [[ $END == - ]] || end_copy ;;
	esac
}

setup
mapfile -t SHARED < <(shared)
STATE=${SHARED[0]} LOG=${SHARED[1]}
say up
watch_phase >/dev/null 2>&1 &
if ((AGE == 0)); then
	make_volume
	keep_entry
else
	cp "$RESULTS/blkctltab" /etc/
	ctl check "$META" || lost "check says $?: $(ctl check "$META" 2>&1)"
	ctl activate --all
	go_on "$RATE"
	verify
	[[ $MODE != view ]] || verify_view
fi
say begins
begin
say ready
[[ $HOW != reset ]] || (sleep "$DELAY" && echo b >/proc/sysrq-trigger) &
seconds=30
[[ $HOW != orderly ]] || seconds=1.5
"$BIN/writer" "$STATE" "$LOG" $VOL "$SEED" $seconds "$BLOCK" >"$RESULTS/writer.out" 2>&1 &
writer=$!
sleep 0.2
act
say acted
wait $writer
! grep 'writer: .*: ' "$RESULTS/writer.out" || lost "an error: $(<"$RESULTS/writer.out")"
[[ $HOW == orderly ]] || { sleep 60 && exit 1; }
end_well
