#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=debug timeout=240
# As failslab, of what has metadata: an overlay, a stream, a commit, and bitmaps.
# Commits are made with memory that was there before: the metadata stays in use,
# no write that was acknowledged is lost, and what comes back from the metadata
# alone is what was written.
# guards: every failed allocation of redirects, captures, merges, the copier and
# the commits.
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-inject.sh"
source "$VM_DIR/lib-bitmap.sh"
load_module
inject_setup
# storm LINE: fails in both ways under LINE, with a writer on it.
storm() {
	local waits
	hammer_start /dev/mapper/vol --threads 4 --max 64k --discard 4 --zero 6 --flush 3 --fua 5 --think-us 2000 \
		--allow-errors --load-model "$WORK/model"
	for waits in Y N; do
		inject 10 $waits
		sleep 4
		inject_end
		hammer_alive
	done
	is "$(st vol health)" rw "health of $1"
	note "$1: $(dmsetup status --noflush vol)"
	[[ $(st vol mode) == @(overlay|track) ]] || msg vol set rate_kib 0
}
fresh() { # MODE [SEGMENT-MIB]
	mk_loops 8
	mk_meta 2 "$1" "$(sectors "$A")" 128 ${2:+"$2"}
	fill "$A"
}

note "an overlay, and its commit"
fresh overlay
before=$(sum_of "$A")
line=$(durable_line overlay "$A" "$B")
mk_dm vol "$line"
storm overlay
durable_comes_back "$line" idle
is "$(sum_of "$A")" "$before" "base"
line=$(durable_line commit "$A" "$B" 0 2 rate_kib 256)
reload vol "$line"
storm commit
wait_phase vol 60 merged
durable_comes_back "$line" merged
leg_holds "$A"
remove_dm vol

note "a stream"
fresh stream
before=$(sum_of "$A")
line=$(durable_line stream "$A" "$B" 0 2 rate_kib 256)
mk_dm vol "$line"
storm stream
wait_phase vol 60 streamed
durable_comes_back "$line" streamed
is "$(sum_of "$A")" "$before" "base"
leg_holds "$B"
remove_dm vol

note "bitmaps"
fresh track 1
line="0 $(sectors "$A") blkcopy track $A 0 - 0 $META 128"
mk_dm vol "$line"
cp --sparse=always "$A" "$WORK/was"
bitmap add all
storm track
hammer_stop
bitmap freeze all
covers all "$WORK/was" "$A"
pass
