#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# An idle device is copied and equals: all block sizes, sizes that are no
# multiple of the block, legs at offsets, a larger top; the rest of the larger
# top is not written.
# guards: the last, short block; run splitting at regions and offsets.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 6

one() { # BLOCK SECTORS BASE_OFF TOP_OFF [features...]
	BLOCK=$1 LEN=$2 BASE_OFF=$3 TOP_OFF=$4
	shift 4
	dd if=/dev/zero of=/dev/ram1 bs=2M oflag=direct status=none 2>/dev/null || true
	mk_volume vol /dev/ram0
	fill /dev/mapper/vol
	start_copy vol /dev/ram0 /dev/ram1 "$@"
	wait_phase vol 20 synced
	check_counts vol
	is "$(st vol base_only both total)" "0 $(((LEN + BLOCK - 1) / BLOCK)) $(((LEN + BLOCK - 1) / BLOCK))" "blocks of $BLOCK sectors, $LEN sectors"
	is "$(st vol copied)" $((LEN / 2)) "KiB copied"
	is "$(st vol inflight)" 0 "KiB in flight when synced"
	leg_holds /dev/ram1 $((TOP_OFF * 512))
	pivot vol
	# Base is stale from here on: no table may put the volume back on it.
	refused 'Invalid argument' dmsetup load vol --table "$(track_line /dev/ram0 "$BASE_OFF" "$BLOCK" "$LEN")"
	finish_pivot vol /dev/ram1
	remove_dm vol
	local behind=$((TOP_OFF + LEN))
	zeros /dev/ram1 $((behind * 512)) $(($(blockdev --getsize64 /dev/ram1) - behind * 512))
	zeros /dev/ram1 0 $((TOP_OFF * 512))
}
one 8 4103 1 3
one 128 8193 16 8
one 128 8319 2048 2096
one 2048 8194 8 0
one 128 10 0 0
one 1024 8185 0 9 0 4 run_kib 4 inflight_kib 64
one 16 8191 0 0 1 detect_zeroes 2 run_kib 1024

LEN=8192 BASE_OFF=0 TOP_OFF=16 mk_volume vol /dev/ram0
LEN=8192 TOP_OFF=8000 refused 'op|too small|larger|Invalid' dmsetup load vol --table "$(LEN=8192 TOP_OFF=8000 mirror_line /dev/ram0 /dev/ram1)"
is "$(dmsetup table vol)" "0 8192 blkcopy track 1:0 0 - 0 - ${BLOCK}" "the table after a refused load"
pass
