#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=300
# One writer that verifies never stops while its volume is copied fifty times,
# back and forth, stopped at random points: pivoted (the old leg is overwritten
# with garbage) or aborted (the new one is).
# guards: pivot under load: writes in flight drained before the switch, parked
# writes sent on to the right leg, reads that switch with them; abort in any
# phase; a write still aimed at the dropped leg.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_volume vol /dev/ram0
hammer_start /dev/mapper/vol --threads 4 --max 64k --think-us 5000 --hot 1m:64k --hot-pct 40 --flush 3 --fua 10
watch_counts vol
cur=/dev/ram0 new=/dev/ram1 pivots=0
for i in {1..50}; do
	start_copy vol "$cur" "$new" 0 2 inflight_kib $((64 << (RANDOM % 4)))
	sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
	hammer_alive
	if ((i % 2)); then
		pivot vol
		finish_pivot vol "$new"
		garbage "$cur"
		read -r cur new <<<"$new $cur"
		((++pivots))
	else
		abort_copy vol "$cur"
		garbage "$new"
	fi
done
counts_ok vol
hammer_stop
leg_holds "$cur"
note "$pivots pivots, $((50 - pivots)) aborts"
pass
