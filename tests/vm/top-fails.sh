#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=180
# Top fails for good, once, or comes back, under each of the four policies,
# while a verifying writer runs. The writer never gets an error and never
# waits for long; the copy does what its policy says; when top is well again
# the copy ends and the legs are equal.
# guards: a failed dual write puts its blocks back to base-only before it is
# acknowledged; the policies; no endless retry; top errors counted.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_error_dev
mk_linear top /dev/ram1
broken() { swap_dm top "$(error_line /dev/ram1)"; }
healthy() { swap_dm top "$(linear_line /dev/ram1)"; }
ready() { # POLICY: a synced copy under load
	healthy
	mk_volume vol /dev/ram0
	hammer_start /dev/mapper/vol --threads 4 --min 4k --max 64k --think-us 3000 --zero 5 --flush 5
	start_copy vol /dev/ram0 /dev/mapper/top 0 2 on_top_error "$1"
	wait_phase vol 20 synced
}
equal_in_the_end() {
	wait_phase vol 30 synced
	sleep 0.3
	hammer_stop
	wait_equal vol
	same /dev/ram0 /dev/ram1
	leg_holds /dev/ram1
	remove_dm vol
}

for policy in report enospc; do
	ready $policy
	n=$(event_nr vol)
	broken
	wait_phase vol 10 aborted
	ge "$(st vol top_errors)" 1 "$policy: top errors counted"
	ge "$(event_nr vol)" $((n + 1)) "$policy: events raised"
	msg_refused vol "$EALREADY" phase pivot
	msg_refused vol "$EALREADY" copy resume
	sleep 0.3
	hammer_stop
	leg_holds /dev/ram0
	reload vol "$(track_line /dev/ram0)"
	is "$(st vol mode phase)" "track idle" "$policy: the table after it"
	remove_dm vol
done

ready stop
broken
until_true 10 "on_top_error stop pauses the copy" paused vol
has "$(st vol phase)" 'copying|synced' "stop: the phase is kept"
sleep 0.5
msg_refused vol "$EBUSY" phase pivot
healthy
msg vol copy resume
equal_in_the_end

ready ignore
broken
sleep 2
has "$(st vol phase)" 'copying|synced' "ignore: the copy goes on"
msg_refused vol "$EBUSY" phase pivot
healthy
paused vol && msg vol copy resume
equal_in_the_end

# Once: a few sectors fail for a moment, under ignore.
ready ignore
mapfile -t lines < <(error_range /dev/ram1 4096 512)
swap_dm top "${lines[@]}"
sleep 0.7
healthy
equal_in_the_end

# For good, in one place: ignore copies the rest and then says it is stalled.
mapfile -t lines < <(error_range /dev/ram1 4096 128)
swap_dm top "${lines[@]}"
mk_volume vol /dev/ram0
fill /dev/mapper/vol
start_copy vol /dev/ram0 /dev/mapper/top 0 2 on_top_error ignore
until_true 60 "a copy that gets nowhere pauses" paused vol
is "$(st vol phase base_only both)" "copying 1 127" "what is left to copy"
has "$(log_mark; dmesg)" 'stalled' "the kernel log"
healthy
msg vol copy resume
wait_phase vol 20 synced
same /dev/ram0 /dev/ram1
pass
