#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# The device goes away, or changes its table, while writes are parked behind a
# copy of their blocks: every write ends, in time, and then everything can be
# removed and unloaded.
# guards: parked bios released when the copy they wait for ends, under a
# suspend too; a bio is not lost between the list and the work.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 4
mk_delay top /dev/ram1 0 400
# Hot blocks are copied in a pass that writes wait for, behind a slow top.
begin() {
	mk_volume vol /dev/ram0
	hammer_start /dev/mapper/vol --threads 6 --min 4k --max 16k --read 0 --hot 1m:128k --hot-pct 95 --allow-errors --stuck 30
	start_copy vol /dev/ram0 /dev/mapper/top
	sleep 1.8
}
ended() {
	local status=0
	has_ended 60 "$HAMMER_PID" || fail "a write never ended, and holds its writer: $(cat "$HAMMER_LOG")"
	wait "$HAMMER_PID" || status=$?
	((status != 3)) || fail "a write never ended: $(cat "$HAMMER_LOG")"
	ge "$(hammer_figure write_max_ms)" 100 "ms of the longest write: it was parked"
	tail -n 1 "$HAMMER_LOG"
}
# A suspend waits for what is parked.
suspend() { timeout 60 dmsetup suspend "$@" || fail "a suspend does not end: a write is parked for ever"; }
quit() { kill -TERM "$HAMMER_PID" 2>/dev/null || true; }

begin
refused 'busy' dmsetup remove vol
suspend vol
dmsetup load vol --table "0 8192 error"
dmsetup resume vol
sleep 0.3
quit
ended
remove_dm vol

begin
suspend --noflush --nolockfs vol
dmsetup load vol --table "0 8192 error"
dmsetup resume vol
quit
ended
remove_dm vol

begin
timeout 20 dmsetup remove --force vol >/dev/null 2>&1 || true
quit
ended
remove_dm vol

# Deferred: it goes when the last writer closes it.
begin
dmsetup remove --deferred vol
quit
ended
until_true 10 "the device is gone after the last close" bash -c '! dmsetup info vol >/dev/null 2>&1'

# Aborted while parked: they go on to base.
begin
t=$(now_ms)
msg vol phase abort
wait_phase vol 5 aborted
le $(($(now_ms) - t)) 15000 "ms of an abort"
sleep 1
quit
ended
is "$(hammer_figure errors)" 0 "errors of the writer"
leg_holds /dev/ram0
pass
