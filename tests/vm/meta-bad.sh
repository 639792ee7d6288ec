#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=150
# Metadata that is blank, foreign, damaged or of another volume is refused when
# the table is resumed, the reason in the kernel log, and nothing is written; one
# good copy of the superblock is enough; a bad sector of the map is an I/O error
# for its blocks alone, or, torn, falls back to the one before.
# guards: check_super, choose_slot, judge_unsure.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
BLOCK=8
mk_meta 2 overlay "$(sectors "$A")" 8
fill "$A"
line=$(durable_line overlay "$A" "$B")
cp "$META_FILE" "$WORK/good"
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=4k count="$2" seek="$1" oflag=direct conv=notrunc"${3:-}" status=none; }
export -f put
come_and_go() { dmsetup create vol --table "$line" && dmsetup remove vol; }

# expect REASON: refused, the log says why, and the disk is as it was.
expect() {
	local before
	sync "$META_FILE"
	before=$(sum_of "$META_FILE")
	dmesg -C >/dev/null
	if dmsetup create vol --table "$line" 2>"$WORK/err"; then fail "accepted, expected '$1'"; fi
	dmsetup remove vol 2>/dev/null || true
	grep -q "$1" <(dmesg) || fail "the log does not say '$1': $(dmesg | tail -n 3)"
	is "$(sum_of "$META_FILE")" "$before" "the metadata after '$1'"
}

truncate -s 0 "$WORK/blank" && truncate -s 2M "$WORK/blank"
put_meta "$WORK/blank"
expect 'no superblock'
head -c 2M /dev/urandom >"$WORK/foreign"
put_meta "$WORK/foreign"
expect 'no superblock'
put_meta "$WORK/good"
line=$(BLOCK=16 durable_line overlay "$A" "$B")
expect 'block size is another'
line=$(LEN=$(($(sectors "$A") - 8)) durable_line overlay "$A" "$B")
expect 'another length'
line=$(durable_line overlay "$A" "$B")

# Legs of other sizes, once they are known.
come_and_go
cp "$META_FILE" "$WORK/known"
mk_loop 24 --direct-io=off
larger=$REPLY
line=$(LEN=$(sectors "$A") durable_line overlay "$larger" "$B")
expect 'base is not of the size'
line=$(durable_line overlay "$A" "$larger")
expect 'top is not of the size'
line=$(durable_line overlay "$A" "$B")

# Any byte of a superblock copy: the other is taken. Of both: refused.
for ((at = 0; at < 4096; at += 1009)); do
	put_meta "$WORK/known"
	poke $((RANDOM % 2 * 4096 + at)) '\xa5'
	come_and_go || fail "refused with one good superblock (byte $at): $(dmesg | tail -n 2)"
done
put_meta "$WORK/known"
poke 100 '\xa5'
poke $((4096 + 100)) '\xa5'
expect 'no superblock'

# The map: each slot of its first sector.
put_meta "$WORK/known"
dmsetup create vol --table "$line"
put 0 4 ,fsync
put 8 4 ,fsync
remove_dm vol
cp "$META_FILE" "$WORK/used"
exact=$(exact_at)
poke $((exact + 200)) '\xa5\x5a'
poke $((exact + 4096 + 200)) '\xa5\x5a'
dmsetup create vol --table "$line"
is "$(st vol health)" fail "health with a bad sector"
refused 'Input/output error' dd if=/dev/mapper/vol of=/dev/null bs=4k count=1 iflag=direct
refused 'Input/output error' bash -c 'put 0 1'
remove_dm vol

# Damaged after a clean end, the slot that was written last is missed; the one
# before it is not, as the sum tells.
bad=0
for slot in 0 1; do
	put_meta "$WORK/used"
	poke $((exact + slot * 4096 + 200)) '\xa5\x5a'
	dmsetup create vol --table "$line"
	[[ $(st vol health) == rw ]] || bad=$((bad + 1))
	remove_dm vol
done
is "$bad" 1 "slots whose damage is noticed"
pass
