#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=200
# sync: top holds what the volume held when a bitmap began. What has changed by it
# is copied, and no more, whatever its granules are; and where the bitmap may not
# have every write, all is, and the kernel log says why.
# guards: sync.c; what a bitmap knows of having been disabled, on metadata too.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/lib-bitmap.sh"
load_module
mk_loops 16
mk_loop 16 --direct-io=off
C=$REPLY
n=$(sectors "$A")
mk_meta 2 track "$n" 128 1
BITS=$META
META=-
put() { dd if=/dev/urandom of="/dev/mapper/${VOL:-vol}" bs="${2:-4k}" count=1 seek="$1" oflag=direct conv=notrunc status=none; } # 4-KIB-PAGE
in_mirror() { mirror_line "$A" "$B" "$@"; }
tracked() { track_line "$A"; }

# B holds what the volume holds now, and nothing has changed since; the bitmap is NAME, or nightly.
begin() {
	reload vol "$(tracked)"
	dd if="$A" of="$B" bs=1M iflag=direct oflag=direct conv=notrunc,fsync status=none
	bitmap clear "${1:-nightly}"
}

# copies BLOCKS WHAT [NAME]: so many, and then the legs are equal.
copies() {
	reload vol "$(in_mirror 0 2 sync "${3:-nightly}")"
	wait_phase vol 30 synced
	is "$(st vol base_only copied)" "0 $(($1 * 64))" "$2: base-only blocks and KiB copied"
	same "$A" "$B"
}

# all_of VOLUME NAME REASON WHAT: its copy, which is paused, begins with all of it.
all_of() {
	is "$(st "$1" base_only both)" "$(st "$1" total) 0" "$4: blocks base-only and in both"
	has "$(log_since)" "sync $2: $3: everything is copied" "$4: what the kernel log says"
}

# doubted REASON WHAT [NAME [LINE]]
doubted() {
	local name=${3:-nightly}
	log_mark
	reload vol "${4:-$(in_mirror 1 paused 2 sync "$name")}"
	all_of vol "$name" "$1" "$2"
	reload vol "$(tracked)"
}

fill "$A"
mk_dm vol "$(tracked)"
bitmap add nightly
begin
copies 0 "nothing has changed"
begin
put 0
put 1
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=2 seek=33 oflag=direct conv=notrunc status=none
blkdiscard -o $((100 * 65536)) -l 131072 /dev/mapper/vol
blkdiscard -z -o $((110 * 65536)) -l 65536 /dev/mapper/vol
put 4095
differ "$A" "$B"
reload vol "$(in_mirror 1 paused 2 sync nightly)"
is "$(msg vol map list base 0)" "0+1 33+2 100+2 110+1 255+1 end" "what is to be copied"
check_counts vol
line=$(dmsetup table vol)
has "$line" ' - 128 1 paused$' "the word is not printed"
put 2560 # block 160, in both
put 16   # block 1, in both
put 2    # block 0, which is not
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=2 seek=34 oflag=direct conv=notrunc status=none
is "$(msg vol map list base 0)" "0+1 33+2 100+2 110+1 255+1 end" "after writes, of which some went to both"
msg vol copy resume
wait_phase vol 30 synced
is "$(st vol copied)" $((7 * 64)) "KiB copied"
same "$A" "$B"
# One-shot: of a state that has begun it says nothing.
reload vol "$(in_mirror 0 2 sync nightly)"
is "$(st vol phase base_only copied)" "synced 0 $((7 * 64))" "its line once more"
reload vol "$(tracked)"
put 3
reload vol "$line"
is "$(st vol base_only)" 256 "the line that is printed, loaded into a new state"

# A top that is younger than the bitmap's beginning does as well.
msg vol copy resume
wait_phase vol 30 synced
bitmap clear nightly
put 3
reload vol "$(tracked)"
put 64
copies 2 "after a mirror that goes on when it is cleared"

note "under load"
fill /dev/mapper/vol
begin
hammer_start /dev/mapper/vol --load-model "$WORK/model" --threads 4 --max 200k --hot 3m:2m --hot-pct 100 --discard 4 --zero 6 --flush 3 --fua 3
sleep 1
reload vol "$(in_mirror 0 4 run_kib 64 sync nightly)"
wait_phase vol 60 synced
le "$(st vol copied)" 2560 "KiB copied, of 2 MiB that are written to"
ge "$(st vol copied)" 64 "KiB copied"
sleep 1
hammer_stop
wait_equal vol
same "$A" "$B"
leg_holds "$B"
pivot vol
leg_holds /dev/mapper/vol
reload vol "$(track_line "$B")"
reload vol "$(tracked)" # as it was at the pivot

note "granules"
bitmap add coarse 2048
begin coarse
put $((20 * 16))
put $((29 * 16 + 15))
put 4095
reload vol "$(in_mirror 1 paused 2 sync coarse)"
is "$(msg vol map list base 0)" "16+16 240+16 end" "of pieces of 1 MiB"
reload vol "$(tracked)"
copies 32 "pieces of 1 MiB" coarse
reload vol "$(tracked)"
bitmap remove coarse
bitmap remove nightly

# Neither the last block nor the last granule is a whole one.
mk_dm short "0 $((n - 88)) blkcopy track $A 0 - 0 - 128"
VOL=short bitmap add nightly
VOL=short bitmap add coarse 2048
dd if="$A" of="$B" bs=1M iflag=direct oflag=direct conv=notrunc,fsync status=none
VOL=short put $(((n - 88) / 8 - 1))
reload short "$(LEN=$((n - 88)) in_mirror 1 paused 2 sync coarse)"
is "$(msg short map list base 0)" "240+16 end" "a last granule that is short"
reload short "0 $((n - 88)) blkcopy track $A 0 - 0 - 128"
reload short "$(LEN=$((n - 88)) in_mirror 0 2 sync nightly)"
wait_phase short 30 synced
is "$(st short copied)" 20 "KiB copied of a last block of 20 KiB"
same "$A" "$B" $(((n - 88) * 512))
remove_dm short

# A table of larger blocks than a granule, loaded before there were bitmaps.
remove_dm vol
BLOCK=8 mk_dm vol "$(track_line "$A" 0 8)"
dd if="$A" of="$B" bs=1M iflag=direct oflag=direct conv=notrunc,fsync status=none
dmsetup load vol --table "$(in_mirror 1 paused 2 sync fine)"
bitmap add fine
put 5
put 19
put 4095
dmsetup resume --noudevsync vol
is "$(msg vol map list base 0)" "0+2 255+1 end" "of granules that are parts of blocks"
msg vol copy resume
wait_phase vol 30 synced
same "$A" "$B"
remove_dm vol

note "doubts"
mk_dm vol "$(tracked)"
bitmap add nightly
begin
put 7
doubted 'there is no such bitmap' "a name that there is not" weekly
bitmap disable nightly
put 99
doubted 'it is disabled' "disabled"
bitmap enable nightly
doubted 'it was disabled for a while' "enabled again"
bitmap disable nightly
bitmap clear nightly
put 99
bitmap enable nightly
doubted 'it was disabled for a while' "cleared while it was disabled"
bitmap add later disabled
bitmap enable later
doubted 'it was disabled for a while' "not from its beginning" later
bitmap remove later
begin
put 7
bitmap freeze nightly
put 50
doubted 'it is frozen' "frozen"
bitmap thaw nightly
copies 2 "thawed: what had changed by then, and since"
begin
bitmap freeze nightly
bitmap disable nightly
put 50
bitmap enable nightly
bitmap thaw nightly
doubted 'it was disabled for a while' "while it was frozen"
bitmap freeze nightly
put 50
dd if="$A" of="$B" bs=1M iflag=direct oflag=direct conv=notrunc,fsync status=none
bitmap clear nightly
put 34
copies 2 "cleared when it was frozen: what came since then alone counts"

# Loaded before there were bitmaps, and shorter.
begin
bitmap remove nightly
dmsetup load vol --table "$(LEN=$((n - 128)) in_mirror 1 paused 2 sync nightly)"
bitmap add nightly
log_mark
dmsetup resume --noudevsync vol
all_of vol nightly 'it is of another length' "a table of another length"
remove_dm vol

# By "mem:", with another device.
tracked() { META=mem:one track_line "$A"; }
in_mirror() { META=mem:one mirror_line "$A" "$B" "$@"; }
mk_dm vol "$(tracked)"
bitmap add nightly
begin
mk_dm other "$(META=mem:one track_line "$C")"
doubted 'another device writes to it' "with another device on its bitmaps"
msg other seal
remove_dm other
put 7
copies 1 "when that has gone, and said so"
begin
put 8
dmsetup suspend vol
log_mark
mk_dm vol2 "$(in_mirror 1 paused 2 sync nightly)"
all_of vol2 nightly 'it may have missed writes' "in another device, which nobody has said"
remove_dm vol2
dmsetup resume vol
remove_dm vol

note "bitmaps on metadata"
tracked() { META=$BITS track_line "$A"; }
in_mirror() { mirror_line "$A" "$B" "$@"; }
on_disk() { in_mirror "$1" ${2:+"$2"} 4 bitmaps "$BITS" sync nightly; }
mk_dm vol "$(tracked)"
bitmap add nightly
begin
put 5
put 4095
msg vol seal
remove_dm vol
mk_dm vol "$(on_disk 0)"
wait_phase vol 30 synced
is "$(st vol copied)" 128 "KiB copied, by a bitmap that was away"
same "$A" "$B"
is "$(dmsetup table vol | awk '{ print $(NF - 2), $(NF - 1) }')" "2 bitmaps" "the line it prints"
reload vol "$(tracked)"
bitmap disable nightly
put 99
bitmap enable nightly
msg vol seal
remove_dm vol
log_mark
mk_dm vol "$(on_disk 1 paused)"
all_of vol nightly 'it was disabled for a while' "disabled before it was away"
reload vol "$(tracked)"
bitmap clear nightly
msg vol seal
remove_dm vol
mk_dm vol "$(on_disk 1 paused)"
is "$(st vol base_only)" 0 "cleared since"
remove_dm vol
log_mark
mk_dm vol "$(on_disk 1 paused)"
all_of vol nightly 'it may have missed writes' "after a removal without a seal"
reload vol "$(tracked)"
garbage "$B"
doubted 'it may have missed writes' "in a reload" nightly "$(on_disk 1 paused)"
reload vol "$(on_disk 0)"
wait_phase vol 30 synced
is "$(st vol copied)" 16384 "KiB copied of a bitmap that is not believed"
same "$A" "$B"
remove_dm vol

note "lines that are refused"
tracked() { track_line "$A"; }
mk_dm vol "$(tracked)"
bitmap add nightly
live=$(dmsetup table vol)
no() { # REASON LINE
	log_mark
	refused "$EINVAL|Not enough" dmsetup load vol --table "$2"
	has "$(log_since)" "$1" "the reason for '$2'"
}
no 'sync and nosync exclude each other' "$(in_mirror 1 nosync 2 sync nightly)"
no 'given twice' "$(in_mirror 0 4 sync nightly sync nightly)"
no 'must be even' "$(in_mirror 0 1 sync)"
for name in 'a*b' a/b "$(printf 'a%.0s' {1..65})"; do
	no 'Invalid name of a bitmap in sync' "$(in_mirror 0 2 sync "$name")"
done
no 'sync is for state in memory' "$(META=$BITS in_mirror 0 2 sync nightly)"
no 'sync needs mode mirror' "$(tracked) 0 2 sync nightly"
no 'sync needs mode mirror' "$(backup_line "$A" "$B" 0 2 sync nightly)"
for mode in stream overlay commit; do
	no 'sync needs mode mirror' "$(META=$BITS durable_line $mode "$A" "$B" 0 2 sync nightly)"
done
is "$(dmsetup table vol), $(dmsetup table --inactive vol 2>/dev/null)" "$live, " "the tables after lines that were refused"
msg_refused vol "$EINVAL" set sync nightly
reload vol "$(in_mirror 0 2 sync "$(printf 'a%.0s' {1..64})")"
wait_phase vol 30 synced
pass
