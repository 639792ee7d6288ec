#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=120
# Suspend and resume in a loop while it copies, with and without flushing,
# against background copies, writes that wait for copies, and a pivot. While
# it is suspended no leg sees a single I/O.
# guards: copies stop in presuspend and drain; parked writes are not stuck
# behind a copier that sleeps; nothing runs under a suspended device.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_delay base /dev/ram0 3 3
mk_delay top /dev/ram1 0 12
mk_volume vol /dev/mapper/base

# No writer: nothing but the suspend itself waits for the copies.
in_flight() { (($(st vol inflight) > 0)); }
n=$(sectors /dev/ram1)
swap_dm top "0 $n delay /dev/ram1 0 0 /dev/ram1 0 6000"
start_copy vol /dev/mapper/base /dev/mapper/top 0 2 rate_kib 512
for i in 1 2 3; do
	until_true 20 "copies are in flight" in_flight
	dmsetup suspend vol
	left=$(st vol inflight)
	# They must not outlive the volume, which would be the end of the guest.
	((left == 0)) || sleep 15
	is "$left" 0 "KiB of copies in flight when a suspend has ended"
	dmsetup resume vol
done
abort_copy vol /dev/mapper/base
swap_dm top "0 $n delay /dev/ram1 0 0 /dev/ram1 0 12"

hammer_start /dev/mapper/vol --threads 4 --max 64k --think-us 2000 --hot 1m:64k --hot-pct 50
start_copy vol /dev/mapper/base /dev/mapper/top 0 2 rate_kib 512
for i in {1..20}; do
	sleep "0.0$((RANDOM % 10))"
	if ((i % 3)); then dmsetup suspend vol; else dmsetup suspend --noflush vol; fi
	if ((i % 5 == 0)); then
		is "$(st vol inflight)" 0 "KiB of copies in flight while suspended"
		# Without a flush, writes mapped before may still be on their way.
		((i % 3)) || sleep 0.2
		a="$(disk_stat /dev/ram0) $(disk_stat /dev/ram1)"
		sleep 0.3
		is "$(disk_stat /dev/ram0) $(disk_stat /dev/ram1)" "$a" "I/Os of the legs while suspended"
		msg_refused vol 'temporarily unavailable|busy|in progress' phase pivot
	fi
	dmsetup resume vol
	hammer_alive
done
msg vol set rate_kib 0
wait_phase vol 30 synced
# A suspend in the middle of a pivot: either may win, neither may hang.
for i in 1 2 3; do
	until msg vol phase pivot 2>/dev/null || phase_is vol pivoted; do sleep 0.03; done
	dmsetup suspend vol
	dmsetup resume vol
	phase_is vol pivoted && break
done
phase_is vol pivoted || pivot vol
finish_pivot vol /dev/mapper/top
garbage /dev/ram0
hammer_stop
leg_holds /dev/ram1
pass
