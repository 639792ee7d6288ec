#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=90
# Top fails in the instant of the pivot: its flush is slow and ends in an
# error, or writes in flight to it fail while the pivot drains. The pivot is
# undone, writes held meanwhile go on to base without an error, nothing is
# lost; with top well again the same pivot succeeds.
# guards: pivot drains dual writes before it decides; top flushed before the
# switch, its failure undoing it; held writes released either way.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-delay
mk_brd 2 8
mk_error_dev
n=$(sectors /dev/ram1)
mk_dm top "0 $n delay /dev/ram1 0 0"
flush_fails() { swap_dm top "0 $n delay /dev/ram1 0 0 /dev/ram1 0 0 /dev/mapper/error-dev 0 ${1:-0}"; }
writes_fail() { swap_dm top "0 $n delay /dev/ram1 0 0 /dev/mapper/error-dev 0 ${1:-0} /dev/ram1 0 0"; }
healthy() { swap_dm top "0 $n delay /dev/ram1 0 0"; }
begin() {
	mk_volume vol /dev/ram0
	hammer_start /dev/mapper/vol --threads 6 --min 4k --max 64k --think-us 1000
	start_copy vol /dev/ram0 /dev/mapper/top 0 2 on_top_error "$1"
	wait_phase vol 20 synced
}
finish() {
	healthy
	[[ $(dmsetup table vol) != *" paused"* ]] || msg vol copy resume
	pivot vol 30
	sleep 0.3
	finish_pivot vol /dev/mapper/top
	garbage /dev/ram0
	hammer_stop
	leg_holds /dev/ram1
	remove_dm vol
}

for policy in ignore stop; do
	begin $policy
	flush_fails 150
	# Answered at once; it fails later.
	until msg vol phase pivot 2>/dev/null; do sleep 0.02; done
	wait_phase vol 10 copying synced aborted
	until_true 10 "$policy: a failed flush of top counted" bash -c '[[ $(dmsetup status --noflush vol | cut -d" " -f18) -ge 1 ]]'
	has "$(st vol phase)" 'copying|synced' "$policy: the phase after a pivot that failed"
	finish
done

# Writes in flight fail, slowly, while the pivot waits for them.
begin ignore
writes_fail 3000
sleep 0.1
msg vol phase pivot
until_true 20 "a failed write of top counted" bash -c '[[ $(dmsetup status --noflush vol | cut -d" " -f18) -ge 1 ]]'
sleep 1
has "$(st vol phase)" 'copying|synced' "the phase after a pivot over failing writes"
finish

begin report
flush_fails 50
until msg vol phase pivot 2>/dev/null; do sleep 0.02; done
wait_phase vol 10 aborted
healthy
hammer_stop
leg_holds /dev/ram0
pass
