#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=90
# Two volumes copy at once between parts of the same two devices, each under
# its own verifying writer; one is pivoted, the other aborted; neither touches
# the other's part.
# guards: state, buckets and limits per volume; offsets on both legs.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 24
mk_dm one "0 16384 blkcopy track /dev/ram0 0 - 0 - 128"
mk_dm two "0 1000 blkcopy track /dev/ram1 40000 - 0 - 128"
hammer_start /dev/mapper/one --threads 4 --max 128k --think-us 500 --seed 1
pid1=$HAMMER_PID log1=$HAMMER_LOG 
hammer_start /dev/mapper/two --threads 4 --max 32k --think-us 500 --seed 2
reload one "0 16384 blkcopy mirror /dev/ram0 0 /dev/ram1 20480 - 128"
reload two "0 1000 blkcopy mirror /dev/ram1 40000 /dev/ram0 40000 - 128"
wait_phase one 30 synced
wait_phase two 30 synced
sleep 1
pivot one &
msg two phase abort
wait_phase two 10 aborted
wait $! || fail "the pivot of one failed"
wait_phase one 20 pivoted
reload two "0 1000 blkcopy track /dev/ram1 40000 - 0 - 128"
reload one "0 16384 blkcopy track /dev/ram1 20480 - 0 - 128"
sleep 0.5
hammer_stop "$HAMMER_PID" "$HAMMER_LOG"
leg_holds /dev/ram1 $((40000 * 512))
hammer_stop "$pid1" "$log1"
leg_holds /dev/ram1 $((20480 * 512))
zeros /dev/ram0 $((16384 * 512)) $(((40000 - 16384) * 512))
zeros /dev/ram1 0 $((20480 * 512))
pass
