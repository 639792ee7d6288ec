#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=150
# Named bitmaps in memory: what has changed, in blocks, for every kind of write;
# frozen, thawed, cleared and merged under load; across modes.
# guards: noting before the write, the switch, one tracker for a volume.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/lib-bitmap.sh"
load_module
mk_loops 16
n=$(sectors "$A")
fill "$A"
mk_dm vol "$(track_line "$A")"
put() { dd if=/dev/urandom of=/dev/mapper/vol bs="${2:-4k}" count=1 seek="$1" oflag=direct conv=notrunc status=none; }
bitmap add one
bitmap add coarse 2048
bitmap add later disabled
is "$(bitmap_is one) $(bitmap_is coarse) $(bitmap_is later)" "0 recording 0 recording 0 disabled" "bitmaps that are new"

# 64 KiB blocks, 256 of them.
put 0
put 16 # the first of block 1
put 4095 # the last of the volume
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=2 seek=33 oflag=direct conv=notrunc status=none
is "$(listed one)" "0+2 33+2 255+1" "what was written"
is "$(listed coarse)" "0+16 32+16 240+16" "what was written, in pieces of 1 MiB"
is "$(bitmap list coarse 40)" "40+8 240+16 end" "from inside a piece on"
is "$(bitmap list coarse 20 gaps)" "12+16 192+16 end" "by their gaps"
is "$(bitmap list coarse 40 gaps)" "0+8 192+16 end" "by their gaps, from inside a piece on"
is "$(listed later)" "" "a disabled one"
is "$(bitmap_is one)" "5 recording" "how many blocks"
blkdiscard -o $((100 * 65536)) -l 131072 /dev/mapper/vol
blkdiscard -z -o $((110 * 65536)) -l 65536 /dev/mapper/vol
is "$(listed one)" "0+2 33+2 100+2 110+1 255+1" "discards and zeroes are changes"

# The other side records while one is frozen.
bitmap freeze one
put $((40 * 16))
is "$(listed one)" "0+2 33+2 100+2 110+1 255+1" "a frozen one"
is "$(bitmap_is one)" "8 frozen" "a frozen one's state"
bitmap thaw one
is "$(listed one)" "0+2 33+2 40+1 100+2 110+1 255+1" "thawed: both sides"
bitmap freeze one
put $((41 * 16))
bitmap clear one
is "$(listed one) $(bitmap_is one)" "41+1 1 recording" "cleared while frozen: what came since"
bitmap clear one
is "$(bitmap_is one)" "0 recording" "cleared"
bitmap enable later
put $((7 * 16))
bitmap disable later
put $((8 * 16))
is "$(listed one), $(listed later)" "7+2, 7+1" "enabled for a while"
bitmap merge later coarse
is "$(listed later)" "0+16 32+16 96+16 240+16" "merged from larger pieces"
bitmap merge coarse one
is "$(listed coarse)" "0+16 32+16 96+16 240+16" "merged into larger pieces"

# A write that is in flight when the bitmap is switched is noted once more at its end.
mk_dm slow "$(linear_line "$B")"
reload vol "$(track_line /dev/mapper/slow)"
bitmap clear one
dmsetup suspend --nolockfs --noflush slow
put $((20 * 16)) &
wait_write /dev/mapper/vol
bitmap clear one
is "$(listed one)" "" "cleared while a write is in flight"
dmsetup resume slow
wait $!
is "$(listed one)" "20+1" "and when that has ended"
reload vol "$(track_line "$A")"
remove_dm slow
bitmap clear one

# What must be refused, and changes nothing.
before=$(dmsetup status --noflush vol)
for words in "add one" "add a*b" "add" "add x 100" "add x 64" "add x 4294967296" "remove no" "thaw one" "list one" "list one 300" "list one 0 gap" "list one 0 gaps 0" "merge one" "merge one no" "freeze" "shuffle one"; do
	refused '' dmsetup message vol 0 bitmap $words
done
is "$(dmsetup status --noflush vol)" "$before" "after messages that were refused"
for i in {4..64}; do bitmap add "b$i"; done
refused 'No space' dmsetup message vol 0 bitmap add one-too-many
for i in {4..64}; do bitmap remove "b$i"; done

# What all of them know is news to one that begins.
bitmap clear later
put $((50 * 16))
bitmap add fresh
put $((50 * 16))
is "$(listed fresh)" "50+1" "written before, and after it was added"
bitmap enable later
put $((50 * 16))
is "$(listed later)" "50+1" "written before, and after it was enabled"
bitmap remove fresh

# Under load: nothing that changes is missed, whatever is switched meanwhile.
bitmap remove later
bitmap remove coarse
bitmap clear one
bitmap add all
bitmap add cut
fill /dev/mapper/vol
bitmap clear one
direct_read "$A" >"$WORK/old"
run_bg "$WORK/out" "$HAMMER" --seed 3 --seconds 6 --threads 6 --max 300k --discard 4 --zero 6 --flush 3 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
for i in {1..12}; do
	bitmap freeze cut
	bitmap merge all cut
	bitmap clear cut
	((i % 4)) || { bitmap freeze one && bitmap thaw one; }
done
wait "$BG" || fail "hammer: $(cat "$WORK/out")"
bitmap merge all cut
direct_read "$A" >"$WORK/new"
covers one "$WORK/old" "$WORK/new"
covers all "$WORK/old" "$WORK/new"

# The same bitmaps in another mode, and back.
bitmap clear one
start_copy vol "$A" "$B"
wait_phase vol 30 synced
put $((3 * 16))
is "$(listed one)" "3+1" "in a mirror"
msg vol phase pivot
wait_phase vol 30 pivoted
put $((5 * 16))
reload vol "$(track_line "$B")"
put $((9 * 16))
is "$(listed one)" "3+1 5+1 9+1" "after a pivot, on the other device"

# Through a snapshot, and its way down.
bitmap clear one
mk_meta 2 overlay "$n"
reload vol "$(durable_line overlay "$B" "$A")"
put $((11 * 16)) 4k
put 48 64k
is "$(listed one)" "11+1 48+1" "in an overlay"
reload vol "$(durable_line commit "$B" "$A")"
wait_phase vol 60 merged
put $((13 * 16))
META=-
reload vol "$(track_line "$B")"
is "$(listed one)" "11+1 13+1 48+1" "after a commit"
pass
