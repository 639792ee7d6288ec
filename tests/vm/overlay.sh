#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=150
# An overlay: base never changes, the volume reads as written, through
# discards, zeroes, unaligned and overlapping writes; it comes back from its
# metadata alone.
# guards: redirected and merged writes, the zero state, load and close.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
mk_meta 2 overlay "$(sectors "$A")"
fill "$A"
before=$(sum_of "$A")
line=$(durable_line overlay "$A" "$B")

refused 'Invalid argument' dmsetup create bad --table "$(META=- durable_line overlay "$A" "$B")"
mk_dm vol "$line"
is "$(st vol mode phase health base_only total)" "overlay idle rw 256 256" "a fresh overlay"
same "$A" /dev/mapper/vol
is "$(dmsetup table vol | cut -d' ' -f3-4)" "blkcopy overlay" "the table line"

# Everything at once, over what base holds.
for round in 1 2; do
	"$HAMMER" --seed $round --seconds 12 --threads 6 --max 300k --discard 4 --zero 6 --flush 3 --fua 5 \
		--load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol >"$WORK/out" 2>&1 ||
		fail "hammer: $(cat "$WORK/out")"
	tail -n 1 "$WORK/out"
	check_counts vol
	leg_holds /dev/mapper/vol
	is "$(sum_of "$A")" "$before" "base"
	note "$(dmsetup status --noflush vol)"

	# From the metadata alone.
	counts=$(st vol base_only both top_only zero)
	remove_dm vol
	dmsetup create vol --table "$line"
	is "$(st vol base_only both top_only zero torn)" "$counts 0" "the map after it came back"
	leg_holds /dev/mapper/vol
done

# A write that nothing has to be moved for makes no commit.
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=1 oflag=direct conv=fsync status=none
commits=$(st vol commits)
dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 oflag=direct conv=fsync,notrunc status=none
is "$(st vol commits)" "$commits" "commits after a write to a block in top"
pass
