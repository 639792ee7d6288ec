#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# dm events: a waiter is woken for every change of mode or phase and for an error of
# a leg, also when the error comes from an interrupt (scsi_debug).
# guards: events raised, and raised from a work item, not from where the I/O
# ended.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
waiter() { run_bg "$WORK/wait" timeout 20 dmsetup wait --noflush vol "$(event_nr vol)"; sleep 0.2; }
woken() { wait "$BG" || fail "no event for: $1"; }

mk_volume vol /dev/ram0
sleep 0.2
waiter
start_copy vol /dev/ram0 /dev/ram1 1 paused
woken "a change of mode"
sleep 0.2
waiter
msg vol copy resume
woken "copy done"
wait_phase vol 10 synced
sleep 0.2
waiter
msg vol phase pivot
woken pivot
is "$(st vol phase)" pivoted "the phase when the event came"
finish_pivot vol /dev/ram1
start_copy vol /dev/ram1 /dev/ram0
wait_phase vol 10 synced
sleep 0.2
waiter
msg vol phase abort
woken abort
is "$(st vol phase)" aborted "the phase when the event came"
remove_dm vol

# Errors that end in interrupt context.
mk_scsi_debug dev_size_mb=8 opts=2 ndelay=200000 medium_error_start=4096 medium_error_count=10
sd=$REPLY
mk_volume vol "$sd"
sleep 0.2
waiter
refused 'Input/output error|No data available' dd if=/dev/mapper/vol of=/dev/null bs=512 skip=4096 count=8 iflag=direct
woken "a read error of base"
ge "$(st vol base_errors)" 1 "base errors"
start_copy vol "$sd" /dev/ram1 0 2 on_base_error stop
until_true 20 "the copy pauses" paused vol
ge "$(st vol base_errors)" 1 "base errors"
is "$(st vol top_errors)" 0 "top errors"
msg vol phase abort
wait_phase vol 10 aborted
remove_dm vol

# As top: every read of it is fine, so it copies; then the disk goes offline.
mk_volume vol /dev/ram1
start_copy vol /dev/ram1 "$sd" 0 2 on_top_error report
wait_phase vol 20 synced
waiter
echo offline >"/sys/block/$(basename "$sd")/device/state"
dd if=/dev/zero of=/dev/mapper/vol bs=4k count=4 seek=3 oflag=direct status=none
woken "a write error of top"
wait_phase vol 10 aborted
ge "$(st vol top_errors)" 1 "top errors"
echo running >"/sys/block/$(basename "$sd")/device/state"
pass
