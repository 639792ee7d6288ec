#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# Blocks of a page, where most first writes are of a whole one and take the short
# way: one that comes while a part of its block is still being merged waits for
# that, or what was merged, older, would be the last to arrive.
# guards: a first write of a whole block waits for what is in flight there.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-delay
mk_loops 1
LEN=128 BLOCK=8
fill "$A"
head -c 4096 /dev/urandom >"$WORK/whole"
head -c 512 /dev/urandom >"$WORK/part"

# put FILE BYTES: at the beginning of the volume.
put() { dd if="$1" of=/dev/mapper/vol bs="$2" count=1 oflag=direct conv=notrunc status=none; }

is_reading() { [[ $(dmsetup status slow) == *" delay 1 "* ]]; }

# Not through dm-delay, which would keep them in order: the merge waits for base.
meets_merge() { # MODE [features and params...]
	local begun waited
	mk_meta 2 "$1" $LEN $BLOCK
	mk_delay slow "$A" 3000 0
	mk_dm vol "$(durable_line "$1" /dev/mapper/slow "$B" "${@:2}")"
	begun=$(now_ms)
	put "$WORK/part" 512 &
	until_true 10 "the rest of the block is being read" is_reading
	put "$WORK/whole" 4096
	waited=$(($(now_ms) - begun))
	wait $!
	cmp -n 4096 "$WORK/whole" "$B" || fail "$1: top does not have what was written last"
	cmp -n 4096 "$WORK/whole" /dev/mapper/vol || fail "$1: what was written last is gone"
	ge "$waited" 2500 "$1: ms until the whole block was written"
	is "$(st vol top_only)" 1 "$1: blocks that have moved"
	remove_dm vol
	remove_dm slow
}

# Each block once, many at a time; of a stream while all of it is being copied, too.
all_of_it() { # MODE END
	mk_meta 2 "$1" "$(sectors "$A")" $BLOCK
	mk_dm vol "$(durable_line "$1" "$A" "$B")"
	fio --name=first --filename=/dev/mapper/vol --direct=1 --ioengine=libaio --rw=randwrite --bs=4k \
		--iodepth=32 --verify=crc32c --do_verify=1 --verify_fatal=1 >"$WORK/fio" 2>&1 || fail "$1: $(cat "$WORK/fio")"
	wait_phase vol 60 "$2"
	is "$(st vol top_only both base_only)" "$(($(sectors "$A") / BLOCK)) 0 0" "$1: where the blocks are"
	same /dev/mapper/vol "$B"
	remove_dm vol
}

meets_merge overlay
meets_merge stream 1 paused

mk_loops 16
LEN=
fill "$A"
before=$(sum_of "$A")
all_of_it overlay idle
all_of_it stream streamed
is "$(sum_of "$A")" "$before" "base"
pass
