#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=150
# A volume in use whose content is still on base: it is pulled into top behind
# reads and writes; base never changes, and in the end is not needed. Stopped in
# the middle, it goes on from there.
# guards: redirects and merges against copies, zeroes pulled, the phase.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
mk_meta 2 stream "$(sectors "$A")"
fill "$A"
before=$(sum_of "$A")
mk_dm vol "$(durable_line stream "$A" "$B" 0 2 rate_kib 512)"
is "$(st vol mode phase)" "stream streaming" "a stream that has begun"
load=(--seconds 6 --threads 6 --max 300k --discard 4 --zero 6 --flush 3 --fua 5)
run_bg "$WORK/out" "$HAMMER" --seed 1 "${load[@]}" --max 12k --threads 2 --think-us 60000 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
sleep 3
note "$(dmsetup status --noflush vol)"
wait "$BG" || fail "hammer: $(cat "$WORK/out")"
leg_holds /dev/mapper/vol

# Away, and back from the metadata.
msg vol copy pause
until [[ $(st vol inflight) == 0 ]]; do sleep 0.1; done
counts=$(st vol base_only both top_only zero)
remove_dm vol
dmsetup create vol --table "$(durable_line stream "$A" "$B" 1 paused)"
is "$(st vol phase base_only both top_only zero)" "streaming $counts" "where it had stopped"
leg_holds /dev/mapper/vol
run_bg "$WORK/out" "$HAMMER" --seed 2 "${load[@]}" --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
sleep 1
msg vol copy resume
wait_phase vol 60 streamed
wait "$BG" || fail "hammer: $(cat "$WORK/out")"
is "$(st vol phase base_only zero)" "streamed 0 0" "after writes to a streamed volume"
leg_holds /dev/mapper/vol
is "$(sum_of "$A")" "$before" "base"
garbage "$A"
leg_holds "$B"
reload vol "0 $(sectors "$B") blkcopy track $B 0 - 0 - 128"
leg_holds /dev/mapper/vol
pass
