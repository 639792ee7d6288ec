#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.12,debug timeout=120
# What cannot be read for a while, and cannot be written anew either, turns up again
# as it was: it is not believed of what has been written meanwhile.
# guards: tell_distrust, with a superblock that cannot be written as well.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/lib-bitmap.sh"
load_module
modprobe dm-flakey
mk_loops 16
BLOCK=8
mk_meta 2 mirror "$(sectors "$A")" 8 1
n=$(sectors "$META")
mk_dm read "0 $n linear $META 0"
fill "$A"
garbage "$B"

first=0
all_is_well() { swap_dm read "0 $n linear $META 0"; }
# The first exact sector, both slots, is not there; nor is what FEATURES says of the superblock.
is_gone() {
	first=$(($(exact_at) / 512))
	swap_dm read "0 16 ${1:-linear $META 0}" "16 $((first - 16)) linear $META 16" \
		"$first 16 error" "$((first + 16)) $((n - first - 16)) linear $META $((first + 16))"
}
line() { META=/dev/mapper/read durable_line mirror "$A" "$B" "$@"; }
activate() { dmsetup create vol --table "$(line "$@")"; }
watch() { dmsetup create vol --table "0 $(sectors "$A") blkcopy track $A 0 - 0 /dev/mapper/read 8"; }
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 seek="$1" oflag=direct conv=notrunc,fsync status=none; }
cut_off() { # as if the power were cut now
	sync "$META_FILE"
	cp "$META_FILE" "$WORK/cut"
	remove_dm vol
	all_is_well
	put_meta "$WORK/cut"
}

activate 0 2 rate_kib 262144
wait_phase vol 30 synced
msg vol seal
remove_dm vol
same "$A" "$B"

# It cannot even be said that it is not to be believed: then no write may come.
cp "$META_FILE" "$WORK/synced"
is_gone "flakey $META 0 0 60 1 error_writes"
refused 'Input/output error' dmsetup create vol --table "$(line 1 paused)"
remove_dm vol
all_is_well
is "$(sum_of "$META_FILE")" "$(sum_of "$WORK/synced")" "a metadata device that was refused"

is_gone
activate 1 paused
is "$(st vol base_only) $(st vol health)" "4096 meta_ro" "blocks of base alone, and what is told of them"
put 40
cut_off
activate 1 paused
is "$(st vol base_only)" 4096 "blocks of base alone, of a map that can be read again"
msg vol copy resume
wait_phase vol 30 synced
msg vol seal
remove_dm vol
same "$A" "$B"
activate 1 paused
is "$(st vol base_only)" 0 "blocks of base alone, of one that was written"
msg vol seal
remove_dm vol

# Bits: the sector before may be all that is left of what was being replaced.
meta_format "$META" "$(sectors "$A")" 8 track 1
sync "$META"
watch
bitmap add one
put 1
msg vol seal
remove_dm vol
watch
put 2
msg vol seal
remove_dm vol
exact_at() { echo $((($(meta_word $((64 + 8 * 7)) 8) + 2) * 4096)); } # of the bits, not of the record
is_gone
watch
is "$(bitmap_is one)" "4096 recording" "of bits that are gone"
cut_off
poke $(($(exact_at) + $(newest) * 4096 + 100)) '\xff'
blockdev --flushbufs "$META"
watch
is "$(bitmap_is one | cut -d' ' -f2)" inconsistent "bits that may be the older ones"
bitmap clear one
msg vol seal
remove_dm vol
watch
put 3
is "$(listed one)" 3+1 "cleared, and written by a metadata device that works"
remove_dm vol
pass
