#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=150
# A mirror whose state is on a metadata device: it comes back as it was; after an
# end that was not clean what is copied again is the segments that were marked,
# and all of it when writes may have gone past us; pivot and abort are known.
# guards: marks before writes, their clearing, seal, phases on the disk.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
n=$(sectors "$A")
mk_meta 2 mirror "$n" 128 1
line() { durable_line mirror "$A" "$B" "$@"; }
come_back() { dmsetup create vol --table "$(line)"; }
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 seek=$(($1 * 256)) oflag=direct conv=notrunc,fsync status=none; } # MIB

fill "$A"
mk_dm vol "$(line)"
wait_phase vol 30 synced
is "$(st vol segments both)" "0/16 256" "a mirror that nobody writes to"
same "$A" "$B"

# As it was, with nothing copied.
msg vol seal
remove_dm vol
come_back
is "$(st vol phase both segments)" "synced 256 0/16" "after an orderly end"
sleep 0.5
is "$(st vol copied)" 0 "copied after an orderly end"

# The first write of a segment marks it, before it is acknowledged.
put 3
put 9
is "$(st vol segments)" "2/16" "segments marked"
cp "$META_FILE" "$WORK/live"
until [[ $(st vol segments) == 0/* ]]; do
	((SECONDS < 90)) || fail "marks are not cleared: $(dmsetup status vol)"
	sleep 0.5
done
run_bg "$WORK/out" "$HAMMER" --seed 1 --seconds 3 --threads 6 --max 300k --discard 4 --zero 6 --flush 3 --fua 5 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
wait "$BG" || fail "hammer: $(cat "$WORK/out")"
leg_holds /dev/mapper/vol
msg vol seal
remove_dm vol
same "$A" "$B"

# As if the power had gone when two segments were marked.
garbage_at() { dd if=/dev/urandom of="$1" bs=1M count=1 seek="$2" oflag=direct conv=notrunc status=none; }
garbage_at "$B" 3
garbage_at "$B" 9
dd if="$WORK/live" of="$META" bs=4k oflag=direct conv=notrunc status=none
come_back
wait_phase vol 30 synced
is "$(st vol copied)" 2048 "copied after an end that was not clean"
same "$A" "$B"
leg_holds /dev/mapper/vol

# A mark that cannot be read counts as all marked.
msg vol seal
remove_dm vol
dd if=/dev/urandom of="$META" bs=512 seek=16 count=1 oflag=direct conv=notrunc status=none
come_back
wait_phase vol 30 synced
is "$(st vol copied)" 16384 "copied without an intent map"

# Writes may have gone past us: removed, or replaced, without a seal.
remove_dm vol
come_back
wait_phase vol 30 synced
is "$(st vol copied)" 16384 "copied after a removal without a seal"
reload vol "0 $n linear $A 0"
put 5
reload vol "$(line)"
wait_phase vol 30 synced
is "$(st vol copied)" 16384 "copied after another table"
same "$A" "$B"

# An abort, and a pivot, are known ever after.
msg vol phase abort
is "$(st vol phase)" aborted "phase after an abort"
put 7
remove_dm vol
come_back
is "$(st vol phase base_only)" "aborted 256" "after an abort and a removal"
differ "$A" "$B"
remove_dm vol
meta_format "$META" "$n" 128 mirror 1
come_back
wait_phase vol 30 synced
msg vol phase pivot
wait_phase vol 30 pivoted
put 7
sum=$(sum_of /dev/mapper/vol)
cp "$META_FILE" "$WORK/live"
remove_dm vol
dd if="$WORK/live" of="$META" bs=4k oflag=direct conv=notrunc status=none
garbage "$A"
come_back
is "$(st vol phase top_only)" "pivoted 256" "after a pivot and a power cut"
is "$(sum_of /dev/mapper/vol)" "$sum" "the volume, after a pivot"
is "$(sum_of "$B")" "$sum" "top, after a pivot"
refused_line() { ! dmsetup create no --table "$1" 2>/dev/null || fail "taken: $1"; }
refused_line "$(line 1 nosync)"
pass
