#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=150
# The life of a volume by the command line: create, copy and keep, pause, set,
# resume, pivot, wait and pivot, copy with --pivot in one go, Ctrl-C, abort,
# list, show, watch, events, remove; under a verifying writer throughout;
# --dry-run changes nothing.
# guards: the plans of each verb; what the reports say against the kernel.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
mk_brd 2 16
tables() { dmsetup table; dmsetup ls; }

exits 0 ctl create data /dev/ram0
undo remove_dm data
has "$(dmsetup info -c --noheadings -o uuid data)" '^BLKCTL-[0-9a-f]{32}-vol$' "the UUID of a created volume"
has "$(dmsetup table data)" '^0 32768 blkcopy track 1:0 0 - 0 - 128$' "its table"
hammer_start /dev/mapper/data --threads 4 --max 64k --think-us 3000
run_bg "$WORK/events" "$BLKCTL" events --json

before=$(tables)
exits 0 ctl copy data /dev/ram1 --pivot --dry-run
[[ -n $OUT ]] || fail "--dry-run said nothing"
is "$(tables)" "$before" "tables after a dry run"

exits 0 ctl copy data /dev/ram1 --rate 1M --no-wait
has "$(dmsetup table data)" 'blkcopy mirror 1:0 0 1:1 0 - 128 0 2 rate_kib 1024$' "the table while it copies"
is "$(json data .volume.state)" copying "the state by show"
exits 7 ctl pivot data
before=$(tables)
exits 0 ctl copy data /dev/ram1 --rate 2M --pivot --dry-run
has "$OUT" 'set rate_kib 2048' "what a copy that runs would go on with"
has "$OUT" 'then pivot' "what would become of a copy that runs"
exits 0 ctl pivot data --wait --dry-run
has "$OUT" 'wait until every block' "what a pivot that waits would do"
is "$(tables)" "$before" "tables after dry runs of what runs"
exits 7 ctl wait data --timeout 1
exits 7 ctl copy data /dev/ram1 --pivot --timeout 1
has "$OUT" 'blkctl wait data --pivot' "how to come back to a copy --pivot that timed out"
exits 0 ctl copy data /dev/ram1
exits 0 ctl pause data
has "$(dmsetup table data)" ' 1 paused ' "the table while paused"
is "$(json data .volume.state)" paused "the state by show"
exits 0 ctl set data rate=none inflight=1M run=64k
has "$(dmsetup table data)" 'rate_kib 0 inflight_kib 1024 run_kib 64$' "what was set"
exits 0 ctl resume data
exits 0 ctl wait data --timeout 60
is "$(json data '.volume.state')" ready "the state by show"
is "$(json data '.volume.blocks.both')" 256 "blocks in both, by show"
exits 0 ctl list -o name,state --noheadings
has "$OUT" 'data +ready' "list"
exits 0 ctl list --json
is "$(jq -r '.schema, .volumes[0].name' <<<"$OUT" | xargs)" "1 data" "list --json"
exits 0 ctl list --json -o name,size --units m
is "$(jq -c '.volumes' <<<"$OUT")" '[{"name":"data","size":16}]' "list --json -o"
exits 0 ctl list --json -o size --units 1R
is "$(jq -c '.volumes' <<<"$OUT")" '[{"size":16777216}]' "list --json -o, in units for people"
exits 2 ctl list -o nonsense --json
exits 0 ctl pivot data
is "$(dmsetup table data)" "0 32768 blkcopy track 1:1 0 - 0 - 128" "the table after the pivot"
ge "$(json data '.volume.stall_ms')" 0 "stall_ms"
nothing_stuck "after the pivot"
garbage /dev/ram0

exits 0 ctl copy data /dev/ram0 --pivot --wait --timeout 60
is "$(dmsetup table data)" "0 32768 blkcopy track 1:0 0 - 0 - 128" "the table after copy --pivot"
garbage /dev/ram1
exits 0 ctl copy data /dev/ram1 --no-wait --rate 500k
exits 0 ctl abort data
is "$(dmsetup table data)" "0 32768 blkcopy track 1:0 0 - 0 - 128" "the table after an abort"
garbage /dev/ram1
# Who waits is told of somebody else's abort, also when another copy runs by then.
exits 0 ctl copy data /dev/ram1 --no-wait --rate 500k
run_bg "$WORK/waiter" bash -c "status=0; '$BLKCTL' copy data /dev/ram1 --pivot --interval 50ms || status=\$?; echo status=\$status"
until_true 5 "a waiter" grep -q copying "$WORK/waiter"
exits 0 ctl abort data
until_true 10 "the end of the waiter" grep -q status= "$WORK/waiter"
has "$(cat "$WORK/waiter")" 'status=6' "the status of a copy --pivot that somebody aborted"
garbage /dev/ram1
# What is left with Ctrl-C goes on, is watched, and come back to; a background
# copy ends although the writer does not.
run_bg "$WORK/left" bash -c "status=0; '$BLKCTL' copy data /dev/ram1 --mode background --rate 500k --pivot || status=\$?; echo status=\$status"
until_true 20 "progress" grep -q copying "$WORK/left"
pkill -INT -P "$BG" blkctl
until_true 10 "the end of what was left" grep -q status= "$WORK/left"
OUT=$(cat "$WORK/left")
has "$OUT" 'status=7' "the status after Ctrl-C"
has "$OUT" 'left; the job goes on.*blkctl wait data --pivot' "Ctrl-C"
is "$(json data .volume.state)" copying "the state after Ctrl-C"
exits 0 ctl show data --map
has "$OUT" 'data' "show --map"
ge "$(wc -l <<<"$OUT")" 2 "lines of show --map"
exits 0 ctl watch data --timeout 1 --interval 200ms
has "$OUT" 'data: copying [0-9.]+%' "watch"
exits 0 ctl watch --json --timeout 1 --interval 200ms
is "$(jq -r '.name, .state' <<<"$OUT" | sort -u | xargs)" "copying data" "watch --json"
exits 0 ctl set data rate=none
exits 0 ctl wait data --pivot --timeout 60
has "$OUT" 'wipefs -a /dev/ram0' "what a pivot says of the old device"
is "$(dmsetup table data)" "0 32768 blkcopy track 1:1 0 - 0 - 128" "the table after wait --pivot"
garbage /dev/ram0
exits 0 ctl copy data /dev/ram0 --no-wait --rate 20M
exits 0 ctl pivot data --wait --timeout 60
is "$(dmsetup table data)" "0 32768 blkcopy track 1:0 0 - 0 - 128" "the table after pivot --wait"
garbage /dev/ram1
exits 2 ctl copy data /dev/ram0 --wait
has "$OUT" 'is the source' "a mirror on the device the volume is on"
exits 0 ctl copy data /dev/ram0 --pivot
has "$OUT" 'so already' "a pivot to the device the volume was pivoted to"

# A copy of an equal device has nothing to do.
hammer_stop
leg_holds /dev/ram0
dd if=/dev/ram0 of=/dev/ram1 bs=1M oflag=direct iflag=direct status=none
exits 0 ctl copy data /dev/ram1 --sync none --wait
is "$(st data phase copied)" "synced 0" "a copy with --sync none"
exits 0 ctl abort data

EXPECT=$(grep -c '"type"' "$WORK/events" || true)
ge "$EXPECT" 3 "events printed"
exits 0 ctl remove data
! dmsetup info data >/dev/null 2>&1 || fail "the volume is still there after remove"
exits 0 ctl list --noheadings
is "$OUT" "" "list when there is nothing"
nothing_stuck "at the end"
pass
