#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=90
# Pause, resume, rate and in-flight limit of a running copy under load: each
# takes effect at once, the measured rate obeys, the limit is never exceeded,
# what is set shows in the table line.
# guards: rate accounting; the in-flight limit; pause stops new copies.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
# 8 MiB of data and 200 MiB of nothing, so that the copy outlasts a slow guest.
mk_dm base "0 16384 linear /dev/ram0 0" "16384 409600 zero"
mk_dm top "0 16384 linear /dev/ram1 0" "16384 409600 zero"
mk_volume vol /dev/mapper/base
hammer_start /dev/mapper/vol --threads 2 --max 16k --think-us 5000 --range 0:8m
watch_counts vol
start_copy vol /dev/mapper/base /dev/mapper/top 1 paused 2 rate_kib 2048
sleep 0.5
is "$(st vol copied inflight)" "0 0" "copied while paused from the start"

# rate_of SECONDS: KiB/s over that time by our own clock.
rate_of() {
	local a b t0 t1
	a=$(st vol copied) t0=$(now_ms)
	sleep "$1"
	b=$(st vol copied) t1=$(now_ms)
	echo $(((b - a) * 1000 / (t1 - t0)))
}
msg vol copy resume
sleep 0.3
r=$(rate_of 3)
ge "$r" 1300 "KiB/s at a limit of 2048"
le "$r" 2700 "KiB/s at a limit of 2048"
le "$(st vol rate)" 3300 "the rate field"
ge "$(st vol rate)" 900 "the rate field"
has "$(dmsetup table vol)" ' 128 0 2 rate_kib 2048$' "the table line"

msg vol set rate_kib 6144
sleep 0.3
r=$(rate_of 2)
ge "$r" 3900 "KiB/s at a limit of 6144"
le "$r" 8000 "KiB/s at a limit of 6144"

msg vol copy pause
sleep 0.5
is "$(st vol inflight)" 0 "KiB in flight while paused"
a=$(st vol copied)
sleep 0.7
is "$(st vol copied)" "$a" "KiB copied while paused"
has "$(dmsetup table vol)" ' 128 1 paused 2 rate_kib 6144$' "the table line while paused"
msg vol set inflight_kib 256
msg vol set run_kib 64
has "$(dmsetup table vol)" ' 1 paused 6 rate_kib 6144 inflight_kib 256 run_kib 64$' "parameters set by message"
line=$(dmsetup table vol)
reload vol "$line"
is "$(dmsetup table vol)" "$line" "the line, loaded again"
is "$(st vol copied)" "$a" "KiB copied, after the reload"
msg vol set rate_kib 0
msg vol copy resume
for i in {1..20}; do
	le "$(st vol inflight)" 256 "KiB in flight at a limit of 256"
	phase_is vol synced && break
done
wait_phase vol 60 synced

# A rate that would take hours, raised: it must not sleep out the old one.
abort_copy vol /dev/mapper/base
start_copy vol /dev/mapper/base /dev/mapper/top 0 2 rate_kib 1
sleep 1
msg vol set rate_kib 0
wait_phase vol 60 synced
msg_refused vol "$EINVAL" set rate_kib -1
msg_refused vol "$EINVAL" set rate_kib 4294967296
msg_refused vol "$EINVAL" set inflight_kib 63
msg_refused vol "$EINVAL" set segment_mib 1
msg_refused vol "$EINVAL" set nothing 1
counts_ok vol
hammer_stop
same /dev/ram0 /dev/ram1
pass
