#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=150
# Devices without a write cache, to which the block layer passes on no flush: what a
# volume was told is safe is there after a power cut all the same. The cut is a copy
# of all three devices as they are, put together again.
# guards: a flush of a volume reaches it whatever its legs are; blocks that moved are
# durable after a while even if nobody flushes.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 6 16
BASE=/dev/ram0 TOP=/dev/ram1 META=/dev/ram2
BLOCK=8
is "$(<"/sys/block/ram0/queue/write_cache")" "write through" "the cache of a RAM disk"

copy_of() { dd if="$1" of="$2" bs=1M iflag=direct oflag=direct status=none; }

# cut_has FILE BLOCK WHAT: as a power cut would leave it now.
cut_has() {
	copy_of $BASE /dev/ram3
	copy_of $TOP /dev/ram4
	copy_of $META /dev/ram5
	mk_dm cut "0 $(sectors $BASE) blkcopy $MODE /dev/ram3 0 /dev/ram4 0 /dev/ram5 $BLOCK$OPTIONS"
	dd if=/dev/mapper/cut bs=4k skip="$2" count=1 iflag=direct of="$WORK/found" status=none
	remove_dm cut
	cmp "$1" "$WORK/found" || fail "$MODE: $3 is gone"
}

new_data() { head -c 4096 /dev/urandom >"$WORK/data"; }

# put DEVICE BLOCK [dd's options...]
put() {
	new_data
	dd if="$WORK/data" of="$1" bs=4k seek="$2" count=1 oflag=direct conv=notrunc status=none "${@:3}"
}

has_committed() { (($(st vol commits) > 0)); }

for MODE in overlay stream; do
	OPTIONS=
	[[ $MODE == overlay ]] || OPTIONS=" 1 paused"
	fill $BASE
	fill $TOP
	meta_format $META "$(sectors $BASE)" $BLOCK $MODE
	mk_dm vol "$(durable_line $MODE $BASE $TOP)$OPTIONS"
	is "$(<"/sys/block/$(dm_node vol)/queue/write_cache")" "write back" "$MODE: the volume's cache"
	put /dev/mapper/vol 3 conv=notrunc,fsync
	cut_has "$WORK/data" 3 "a write that was flushed"
	put /dev/mapper/vol 7 oflag=direct,dsync
	cut_has "$WORK/data" 7 "a write with FUA"
	remove_dm vol
done

# What is above was set up before there was a snapshot: over a volume it asks, and
# over something else, which had no cache, it does not.
MODE=overlay OPTIONS=
for lower in blkcopy linear; do
	fill $BASE
	meta_format $META "$(sectors $BASE)" $BLOCK $MODE
	case $lower in
	blkcopy) mk_dm vol "0 $(sectors $BASE) blkcopy track $BASE 0 - 0 - $BLOCK" ;;
	linear) mk_dm vol "$(linear_line $BASE)" ;;
	esac
	mk_dm above "$(linear_line /dev/mapper/vol)"
	reload vol "$(durable_line $MODE $BASE $TOP)"
	put /dev/mapper/above 5 conv=notrunc,fsync
	if [[ $lower == linear ]]; then
		is "$(st vol commits)" 0 "commits for a flush that did not arrive"
		until_true 20 "the block that moved is durable" has_committed
	fi
	cut_has "$WORK/data" 5 "a write through a device above $lower"
	remove_dm above
	remove_dm vol
done
pass
