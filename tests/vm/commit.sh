#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=150
# An overlay is merged down into its base while it is in use: the volume reads
# as written all the while, and when it is merged base alone holds everything.
# guards: redirects to base, copies that give way or are waited for, merged
# zeroes, the phase.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
mk_meta 2 overlay "$(sectors "$A")"
fill "$A"
mk_dm vol "$(durable_line overlay "$A" "$B")"
load=(--seconds 8 --threads 6 --max 300k --discard 4 --zero 6 --flush 3 --fua 5)
"$HAMMER" --seed 1 "${load[@]}" --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol >"$WORK/out" 2>&1 ||
	fail "hammer: $(cat "$WORK/out")"
note "$(dmsetup status --noflush vol)"

# With a writer all over it, slowly, then at full speed.
dmsetup load vol --table "$(durable_line commit "$A" "$B" 0 2 rate_kib 512)"
dmsetup resume --noudevsync vol
is "$(st vol mode phase)" "commit merging" "a commit that has begun"
msg_refused vol "$EBUSY" phase finish
msg_refused vol "$EINVAL" phase pivot
run_bg "$WORK/out" "$HAMMER" --seed 2 "${load[@]}" --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
sleep 4
note "$(dmsetup status --noflush vol)"
msg vol set rate_kib 0
wait "$BG" || fail "hammer: $(cat "$WORK/out")"
wait_phase vol 60 merged
msg vol phase finish
is "$(st vol top_only zero)" "0 0" "blocks left in top"
leg_holds /dev/mapper/vol

# Merged, it stays so whatever is written.
"$HAMMER" --seed 3 "${load[@]}" --seconds 4 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol >"$WORK/out" 2>&1 ||
	fail "hammer: $(cat "$WORK/out")"
is "$(st vol phase top_only zero)" "merged 0 0" "after writes to a merged volume"
garbage "$B"
leg_holds "$A"
reload vol "0 $(sectors "$A") blkcopy track $A 0 - 0 - 128"
leg_holds /dev/mapper/vol
pass
