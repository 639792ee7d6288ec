#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# A sector of the block map that is not as it was left at the end stays an I/O
# error however often the volume is activated, after a crash too; and while one is
# in doubt nothing is copied, and no job says that it is done.
# guards: judge_unsure, choose_slot, the sum of what is doubtful, may_run,
# bkc_state_left.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
BLOCK=8
mk_meta 2 overlay "$(sectors "$A")" 8
fill "$A"
garbage "$B"
exact=$(exact_at)

activate() { dmsetup create vol --table "$(durable_line "${1:-overlay}" "$A" "$B")"; }
slot() { echo $((exact / 4096 + $1)); }
blank() { dd if=/dev/zero of="$META_FILE" bs=4k seek="$(slot "$1")" count=1 conv=notrunc status=none; }
spoil() { poke $((exact + $1 * 4096 + 200)) '\xa5\x5a'; }

# A commit each, of blocks that nobody has written before.
used=0
use() {
	activate
	dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=2 seek=$used oflag=direct conv=notrunc,fsync status=none
	used=$((used + 4))
	remove_dm vol
}

# in_doubt WHAT: its blocks cannot be read, nor written; the volume is removed in good order.
in_doubt() {
	blockdev --flushbufs "$META"
	activate
	is "$(st vol health)" fail "health: $1"
	refused 'Input/output error' dd if=/dev/mapper/vol of=/dev/null bs=4k count=1 iflag=direct
	remove_dm vol
}

use
cp "$META_FILE" "$WORK/before"
use
while (($(newest) != 1)); do use; done
cp "$META_FILE" "$WORK/good"

spoil 1
for again in first second third; do in_doubt "the $again time"; done
activate
sync "$META_FILE"
cp "$META_FILE" "$WORK/crashed"
remove_dm vol
put_meta "$WORK/crashed"
in_doubt "after a crash"
in_doubt "and an end in good order after that"

put_meta "$WORK/good"
blank 1
in_doubt "the newest slot is blank"
in_doubt "the newest slot is blank, again"

# Two good slots, of which one is from a time before.
put_meta "$WORK/good"
dd if="$WORK/before" of="$META_FILE" bs=4k skip="$(slot 1)" seek="$(slot 1)" count=1 conv=notrunc status=none
in_doubt "a write that was lost: $(generation 0) and $(generation 1)"
in_doubt "a write that was lost, again"

# What could not be read once, neither slot of it, and is there the next time.
put_meta "$WORK/good"
spoil 0
spoil 1
in_doubt "nothing of it can be read"
dd if="$WORK/good" of="$META_FILE" bs=4k skip="$(slot 0)" seek="$(slot 0)" count=2 conv=notrunc status=none
blockdev --flushbufs "$META"
activate
is "$(st vol health)" rw "health once it can be read again"
remove_dm vol

sums="$(sum_of "$A") $(sum_of "$B")"
stands_still() { # PHASE
	sleep 2
	is "$(st vol phase health)" "$1 fail" "a job in doubt"
	remove_dm vol
	is "$(sum_of "$A") $(sum_of "$B")" "$sums" "the legs after $1"
}
for job in 'stream streaming' 'commit merging'; do
	read -r mode phase <<<"$job"
	put_meta "$WORK/good"
	spoil 1
	activate "$mode"
	stands_still "$phase"
	spoil 0
	blockdev --flushbufs "$META"
	activate "$mode"
	stands_still "$phase"
	put_meta "$WORK/good"
	spoil 1
	activate
	reload vol "$(durable_line "$mode" "$A" "$B")"
	stands_still "$phase"
done

# The other slot is not missed, and what is well is merged.
put_meta "$WORK/good"
use
while (($(newest) != 0)); do use; done
spoil 1
activate
is "$(st vol health)" rw "health with a bad older slot"
remove_dm vol
put_meta "$WORK/good"
activate commit
wait_phase vol 30 merged
remove_dm vol
pass
