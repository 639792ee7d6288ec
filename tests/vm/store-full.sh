#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=100
# The store of an overlay fills up: the writer is told so, what was written
# before and what was never written reads on, nothing is lost; there is an
# event; when the store has grown writes go on, and all comes back from the
# metadata.
# guards: a failed write to a block of base leaves it in base; NOSPC told as it is.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
mk_small_store 16
mk_meta 2 overlay "$(sectors "$A")"
fill "$A"
direct_read "$A" >"$WORK/old"
line=$(durable_line overlay "$A" "$STORE")
mk_dm vol "$line"
dd if=/dev/urandom of="$WORK/new" bs=1M count=4 status=none

# One block at a time: which were acknowledged is what it says.
put() { dd if="$WORK/new" of=/dev/mapper/vol bs=64k count=1 skip="$1" seek="$1" oflag=direct conv=notrunc,fsync status=none 2>"$WORK/why"; }
wanted() { # the volume as it has to be: of blocks 0 to 63 the ones that were written
	cp "$WORK/old" "$WORK/wanted"
	local block
	for block in "${WRITTEN[@]}"; do
		dd if="$WORK/new" of="$WORK/wanted" bs=64k count=1 skip="$block" seek="$block" conv=notrunc status=none
	done
}
events=$(event_nr vol)
WRITTEN=() failed=0
for block in {0..63}; do
	if put "$block"; then
		WRITTEN+=("$block")
	else
		has "$(<"$WORK/why")" 'No space left' "what the writer is told"
		failed=$((failed + 1))
	fi
done
note "${#WRITTEN[@]} blocks written, $failed refused"
ge "${#WRITTEN[@]}" 16 "blocks written"
ge "$failed" 16 "blocks refused"
wanted
cmp "$WORK/wanted" <(direct_read /dev/mapper/vol) || fail "what is read with the store full"
ge "$(($(event_nr vol) - events))" 1 "events"
ge "$(st vol top_errors)" 1 "errors of the store"
is "$(st vol health)" rw "health"
put "${WRITTEN[0]}" || fail "a block that is in the store already: $(<"$WORK/why")"

grow_store 32m
for block in {0..63}; do
	put "$block" || fail "block $block, with the store grown: $(<"$WORK/why")"
done
mapfile -t WRITTEN < <(seq 0 63)
wanted
cmp "$WORK/wanted" <(direct_read /dev/mapper/vol) || fail "what is read once it has grown"
cmp "$WORK/old" <(direct_read "$A") || fail "base has changed"
remove_dm vol
dmsetup create vol --table "$line"
undo remove_dm vol
cmp "$WORK/wanted" <(direct_read /dev/mapper/vol) || fail "what has come back"
is "$(st vol torn)" 0 "torn sectors"
pass
