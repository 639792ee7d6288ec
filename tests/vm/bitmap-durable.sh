#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=150
# Bitmaps on a metadata device: they come back as they were; after an end that
# was not clean they have more than has changed, by the marked segments, and never
# less; after writes that may have gone past us they say so.
# guards: marks before writes, records, seal, META_RO, torn sectors, store_disabled.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/lib-bitmap.sh"
load_module
mk_loops 16
n=$(sectors "$A")
mk_meta 2 track "$n" 128 1
modprobe dm-flakey
disk=$META disk_sectors=$(sectors "$META")
mk_dm meta "0 $disk_sectors linear $disk 0"
META=/dev/mapper/meta
fill "$A"
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 seek=$(($1 * 16)) oflag=direct conv=notrunc status=none; } # BLOCK
come_back() { dmsetup create vol --table "$(track_line "$A")"; }
mk_dm vol "$(track_line "$A")"
put 1
is "$(st vol segments)" "0/16" "segments of a volume without bitmaps"
bitmap add one
bitmap add other 256
bitmap add off disabled
# A slow machine may have cleared the marks before it has looked: once more then.
for i in {1..5}; do
	put 3
	put 100
	cp "$META_FILE" "$WORK/live"
	[[ $(st vol segments) != 2/16 ]] || break
done
is "$(st vol segments)" "2/16" "segments marked"
is "$(listed one), $(listed other)" "3+1 100+1, 2+2 100+2" "what was written"
msg vol seal
remove_dm vol
come_back
is "$(listed one), $(listed other), $(bitmap_is off)" "3+1 100+1, 2+2 100+2, 0 disabled" "after an orderly end"
is "$(st vol segments)" "0/16" "segments after an orderly end"

# As if the power had gone when two segments of 16 blocks were marked.
msg vol seal
remove_dm vol
dd if="$WORK/live" of="$META" bs=4k oflag=direct conv=notrunc status=none
come_back
is "$(listed one), $(listed other), $(listed off)" "0+16 96+16, 0+16 96+16, " "after a power cut"
bitmap clear one
bitmap freeze other
put 33
is "$(listed one)" "33+1" "cleared"
msg vol seal
remove_dm vol
come_back
is "$(listed one), $(listed other)" "33+1, 0+16 32+2 96+16" "a frozen one is both its sides"

# Nobody said that the removal was ours.
remove_dm vol
come_back
is "$(bitmap_is one | cut -d' ' -f2)" inconsistent "after a removal without a seal"
refused 'Stale' dmsetup message vol 0 bitmap list one 0
bitmap freeze one
is "$(listed one)" "0+256" "frozen, all of it counts as changed"
put 4
bitmap thaw one
is "$(bitmap_is one)" "256 recording" "and thawed, still"
bitmap clear one
put 5
is "$(listed one)" "5+1" "begun anew"
bitmap remove other
bitmap add four
bitmap add five
refused 'No space' dmsetup message vol 0 bitmap add six

# Under load, with the marks cleared now and then, and a copy of the metadata as
# a power cut would leave it.
fill /dev/mapper/vol
bitmap clear one
direct_read "$A" >"$WORK/old"
run_bg "$WORK/out" "$HAMMER" --seed 3 --seconds 9 --threads 4 --max 300k --think-us 20000 --discard 4 --zero 6 --flush 3 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
sleep 7
msg vol seal
dmsetup suspend vol
direct_read "$A" >"$WORK/new"
direct_read "$disk" >"$WORK/live"
dmsetup resume vol
wait "$BG" || fail "hammer: $(cat "$WORK/out")"
msg vol seal
remove_dm vol
dd if="$WORK/live" of="$META" bs=4k oflag=direct conv=notrunc status=none
come_back
covers one "$WORK/old" "$WORK/new"

# One slot of a sector torn after a cut: the other one, and the marks. Both: all.
bitmap clear one
put 7
msg vol seal
remove_dm vol
dd if=/dev/urandom of="$META" bs=4k seek=5 count=2 oflag=direct conv=notrunc status=none
come_back
is "$(listed one)" "0+256" "with its bits unreadable"

# Discarded after an orderly end: that is no bitmap in which nothing has changed.
bitmap clear one
put 7
msg vol seal
remove_dm vol
dd if=/dev/zero of="$META" bs=4k seek=5 count=2 oflag=direct conv=notrunc status=none
come_back
is "$(listed one)" "0+256" "with its bits discarded"

# A write that cannot be marked is not done; one that is marked is, and can be flushed: what is
# lost has a cache, and no flush of a user is for it.
bitmap clear one
put 64
dmsetup load meta --table "0 $disk_sectors flakey $disk 0 0 100000"
dmsetup resume meta
put 65
dd if=/dev/zero of=/dev/mapper/vol bs=512 count=0 conv=notrunc,fsync status=none || fail "a flush fails with the metadata"
export -f put
refused 'Input/output error' bash -c 'put 200'
is "$(st vol health)" meta_ro "health"
refused '' dmsetup message vol 0 bitmap add seven
dmsetup load meta --table "0 $disk_sectors linear $disk 0"
dmsetup resume meta
msg vol seal
dmsetup suspend vol
dmsetup resume vol
put 200
is "$(listed one)" "64+2 200+1" "after the metadata came back"

# A layer is put below: the bitmaps stay.
mk_dm below "0 $n linear $A 0"
reload vol "$(track_line /dev/mapper/below)"
put 201
is "$(listed one)" "64+2 200+2" "with another layer below"
remove_dm vol
remove_dm below

# Disabled: its bits are there before that is said, for marks are then looked at no more.
meta_format "$disk" "$n" 128 track 1
blockdev --flushbufs "$disk"
cut_and_back() { # as if the power had gone now
	sync "$META_FILE"
	cp "$META_FILE" "$WORK/cut"
	remove_dm vol
	swap_dm meta "0 $disk_sectors linear $disk 0"
	dd if="$WORK/cut" of="$META" bs=4k oflag=direct conv=notrunc status=none
	come_back
}
come_back
bitmap add one
put 3
bits=$(($(exact_at) / 512 + 16))
swap_dm meta "0 $bits linear $disk 0" "$bits 16 error" "$((bits + 16)) $((disk_sectors - bits - 16)) linear $disk $((bits + 16))"
refused 'Input/output error' dmsetup message vol 0 bitmap disable one
cut_and_back
is "$(listed one), $(bitmap_is one)" "0+16, 16 recording" "after it could not be disabled"
bitmap disable one
put 40
cut_and_back
is "$(listed one), $(bitmap_is one)" "0+16, 16 disabled" "disabled, after a cut"
remove_dm vol
pass
