#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.1,6.12,debug quick=6.12 timeout=240
# A device loses what it has cached, and tells of it once, by a flush that fails: a
# user's or one of ours. What copies had brought there is not taken for durable: in a
# stream it is copied once more, in a commit nothing becomes durable until the state
# has been read again. And the end of a job is not said before it is durable.
# guards: bkc_lost_note, bkc_lost_settle, bkc_lost_look; first_phase while the map is
# ahead of the disk.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
mk_meta 2 stream "$(sectors "$A")"
mk_error_dev
leg_line() { echo "0 $(sectors "$1") delay $1 0 0 $1 0 0"; }
# Flushes fail, and nothing else.
no_flush() { echo "0 $(sectors "$1") delay $1 0 0 $1 0 0 /dev/mapper/error-dev 0 0"; }
flush() { dd if=/dev/null of=/dev/mapper/vol conv=fsync,notrunc status=none; }
export -f flush
at_least() { (($(st vol "$1") >= $2)); }

for who in user ours; do
	note "a stream, and $who flush"
	fill "$A"
	meta_format "$META" "$(sectors "$A")" 128 stream
	mk_dm leg "$(leg_line "$B")"
	mk_dm vol "$(durable_line stream "$A" /dev/mapper/leg 0 2 rate_kib 2048)"
	until_true 30 "some blocks are in both" at_least both 16
	swap_dm leg "$(no_flush "$B")"
	[[ $who == ours ]] || refused 'Input/output error' bash -c flush
	until_true 30 "the job is paused by $who flush" paused vol
	sleep 0.5
	swap_dm leg "$(leg_line "$B")"
	garbage "$B"
	msg vol set rate_kib 0
	msg vol copy resume
	wait_phase vol 60 streamed
	same "$A" "$B"
	remove_dm vol
	remove_dm leg
done

note "a commit"
for try in {1..4}; do
	fill "$A"
	meta_format "$META" "$(sectors "$A")" 128 overlay
	mk_dm leg "$(leg_line "$A")"
	mk_dm vol "$(durable_line overlay /dev/mapper/leg "$B")"
	garbage /dev/mapper/vol
	flush
	sum=$(sum_of /dev/mapper/vol)
	dmsetup load vol --table "$(durable_line commit /dev/mapper/leg "$B" 0 2 rate_kib 2048)"
	dmsetup resume --noudevsync vol
	commits=$(st vol commits)
	until_true 30 "some blocks are merged" at_least base_only 16
	swap_dm leg "$(no_flush "$A")"
	# Of a machine so slow that some of it is durable already nothing is lost here.
	[[ $(st vol commits) != "$commits" ]] || break
	swap_dm leg "$(leg_line "$A")"
	remove_dm vol
	remove_dm leg
	((try < 4)) || fail "what was merged is durable each time before it can be lost"
done
refused 'Input/output error' bash -c flush
until_true 30 "nothing becomes durable any more" eval '[[ $(st vol health) == meta_ro ]]'
swap_dm leg "$(leg_line "$A")"
# What was merged is gone, and all the rest of base was never to be read again.
garbage "$A"
is "$(paused vol && echo paused)" paused "the merge"
for again in "the flush that follows" "the same after a suspend and a resume"; do
	refused 'Input/output error' dd if=/dev/zero of=/dev/mapper/vol bs=64k count=1 oflag=direct conv=fsync,notrunc
	is "$(st vol phase health)" "merging meta_ro" "$again"
	dmsetup suspend vol
	dmsetup resume vol
done
remove_dm vol
mk_dm vol "$(durable_line commit /dev/mapper/leg "$B")"
wait_phase vol 60 merged
is "$(sum_of "$A")" "$sum" "base, merged from what is durable"
remove_dm vol

note "the end of a stream that is not durable"
super_phase() { meta_word $(($(newest_super) * 4096 + 100)) 4; }
newest_super() { echo $(($(meta_word $((4096 + 40)) 8) > $(meta_word 40 8))); }
fill "$A"
meta_format "$META" "$(sectors "$A")" 128 stream
disk=$META
mk_linear meta "$disk"
META=/dev/mapper/meta
mk_dm vol "$(durable_line stream "$A" "$B" 1 paused)"
swap_dm meta "$(error_range "$disk" $(($(exact_at) / 512)) 16)"
msg vol copy resume
until_true 30 "all is copied" eval '[[ $(st vol base_only) == 0 ]]'
until_true 30 "it cannot be made durable" eval '[[ $(st vol health) == meta_ro ]]'
dmsetup suspend vol
dmsetup resume vol
is "$(st vol phase) $(super_phase)" "streaming 5" "the phase, and what the superblock says of it"
swap_dm meta "$(linear_line "$disk")"
dmsetup suspend vol
dmsetup resume vol
wait_phase vol 60 streamed
until_true 10 "the superblock says so" eval '[[ $(super_phase) == 6 ]]'
same "$A" "$B"
pass
