#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=240
# Suspend and resume, with and without flushing, and reloads of the table, in a
# loop under load, of an overlay, a stream and a commit: each table goes on from
# the state that is in memory, commits that are under way end, and what comes
# back from the metadata alone is what was written.
# guards: the metadata's close and open at each suspend; redirects and captures
# that are in flight then; the copier stopped and started.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 8
mk_meta 2 overlay "$(sectors "$A")"
# storm LINE LINE: in turn.
storm() {
	local i line
	hammer_start /dev/mapper/vol --threads 4 --max 64k --discard 4 --zero 6 --flush 3 --fua 5 --think-us 3000 \
		--load-model "$WORK/model"
	for i in {1..24}; do
		sleep "0.0$((RANDOM % 10))"
		case $((i % 4)) in
		0) dmsetup suspend vol ;;
		1) dmsetup suspend --noflush vol ;;
		2) dmsetup load vol --table "$1" ;;
		3) dmsetup load vol --table "$2" ;;
		esac
		dmsetup resume --noudevsync vol
		hammer_alive
	done
	is "$(st vol health torn)" "rw 0" "health after a storm"
	check_counts vol
	note "$(dmsetup status --noflush vol)"
	[[ $(st vol mode) == @(overlay|track) ]] || msg vol set rate_kib 0
}

note "an overlay"
fill "$A"
before=$(sum_of "$A")
line=$(durable_line overlay "$A" "$B")
mk_dm vol "$line"
storm "$line" "$(durable_line overlay "$A" "$B" 0 2 on_top_error enospc)"
durable_comes_back "$line" idle
is "$(sum_of "$A")" "$before" "base"

note "its commit"
line=$(durable_line commit "$A" "$B" 0 2 rate_kib 256)
reload vol "$line"
storm "$line" "$(durable_line commit "$A" "$B" 0 4 rate_kib 256 run_kib 64)"
wait_phase vol 60 merged
durable_comes_back "$line" merged
leg_holds "$A"
remove_dm vol

note "a stream"
mk_meta 2 stream "$(sectors "$A")"
before=$(sum_of "$A")
line=$(durable_line stream "$A" "$B" 0 2 rate_kib 256)
mk_dm vol "$line"
storm "$line" "$(durable_line stream "$A" "$B" 1 copy_on_read 2 rate_kib 256)"
wait_phase vol 60 streamed
durable_comes_back "$line" streamed
is "$(sum_of "$A")" "$before" "base of the stream"
leg_holds "$B"
pass
