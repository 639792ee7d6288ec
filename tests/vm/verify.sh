#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=150
# "verify start" compares the legs where both are valid, while they are written
# to: it finds each block that differs, and none that does not.
# guards: writes wait for a run that is compared, a stream's do not; suspend.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
n=$(sectors "$A")
fill "$A"
mk_dm vol "$(track_line "$A")"
refused '' dmsetup message vol 0 verify start
verdict() { dmsetup status --noflush vol | awk '{ print $(NF - 2), $(NF - 1), $NF }'; }
is_verified() { [[ $(verdict) == verified* ]]; }
is "$(verdict)" "- 0 0" "before the first"
start_copy vol "$A" "$B"
wait_phase vol 30 synced
msg vol verify start
until_true 30 "verify" is_verified
is "$(verdict)" "verified 256 0" "a copy in sync"

for block in 0 7 255; do dd if=/dev/urandom of="$B" bs=512 count=1 seek=$((block * 128 + 5)) oflag=direct conv=notrunc status=none; done
msg vol verify start
until_true 30 "verify" is_verified
is "$(verdict)" "verified 256 3" "three blocks of top that changed behind our back"
dd if="$A" of="$B" bs=1M oflag=direct conv=notrunc status=none

# Under load, suspended now and then.
run_bg "$WORK/out" "$HAMMER" --seed 5 --seconds 12 --threads 6 --max 300k --discard 4 --zero 6 --flush 3 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
rounds=0
while kill -0 "$BG" 2>/dev/null; do
	msg vol verify start
	sleep 0.2
	dmsetup suspend vol
	dmsetup resume vol
	until_true 60 "verify" is_verified
	is "$(verdict | cut -d' ' -f3)" 0 "under load"
	((++rounds))
done
wait "$BG" || fail "hammer: $(cat "$WORK/out")"
((rounds > 0)) || fail "only $rounds rounds"
leg_holds /dev/mapper/vol
same "$A" "$B"
msg vol phase pivot
wait_phase vol 30 pivoted
refused '' dmsetup message vol 0 verify start
remove_dm vol

# A stream: what was pulled and not yet written to.
mk_meta 2 stream "$n"
dmsetup create vol --table "$(durable_line stream "$A" "$B")"
wait_phase vol 30 streamed
msg vol verify start
until_true 30 "verify" is_verified
is "$(verdict)" "verified 256 0" "a stream that has come to its end"
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=2 oflag=direct conv=notrunc status=none
msg vol verify start
until_true 30 "verify" is_verified
is "$(verdict)" "verified 254 0" "what is in top alone is not compared"
remove_dm vol

# What cannot be read is not said to have been compared.
mk_linear holed "$A"
mk_dm vol "$(META=- mirror_line /dev/mapper/holed "$B")"
wait_phase vol 30 synced
mapfile -t lines < <(error_range "$A" 12800 256)
swap_dm holed "${lines[@]}"
msg vol verify start
until_true 30 "verify" is_verified
read -r _ compared differ <<<"$(verdict)"
is "$differ" 0 "blocks that differ"
le "$compared" 254 "blocks compared where two cannot be read"
ge "$compared" 200 "blocks compared"
pass
