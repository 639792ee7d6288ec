#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=200
# The target of a copy fails while somebody waits for it and others write: for good,
# under each policy, for want of room, or in one place. Who writes notices nothing.
# The status and one line say what is up and what to run next; and that, run once the
# target is well, ends with equal legs or the volume as it was.
# guards: what the command line tool makes of each policy; resume, and the same command
# again, after a failure; abort, whatever has failed.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-fails.sh"
volume_on_base
modprobe dm-thin-pool

half_way() { # STATUS REGEX OPTION...: the copy is waited for, and its target fails
	local want=$1 regex=$2 status=0 pid
	shift 2
	"$BLKCTL" copy vol $top --wait --rate 1M "$@" >"$WORK/said" 2>"$WORK/why" &
	pid=$!
	JOBS+=("$pid")
	until_true 30 "a part of the copy" both 8
	swap_dm top "$(error_line /dev/ram1)"
	has_ended 60 "$pid" || fail "'copy --wait $*' does not end: $(dmsetup status --noflush vol)"
	wait "$pid" || status=$?
	judge "$status" "$want" "$regex" "copy --wait $*"
	hammer_alive
	nothing_stuck "a target that has failed"
}
is_over() { # POLICY
	shows "failed aborted rw report $1"
	fails 5 'wait vol: it failed: .* of the target .try: blkctl abort vol' wait vol
	fails 5 'pivot vol: the copy failed: .* of the target .try: blkctl abort vol' pivot vol
	healthy top
	fails 5 'resume vol: its copy has ended .try: blkctl abort vol' resume vol
}
failed='copy vol: it failed: 0 errors of the source, [1-9][0-9]* of the target .try: blkctl abort vol'
stopped='0 errors of the source, [1-9][0-9]* of the target .try: blkctl resume vol, once the device is well'
by_policy="stopped by its error policy: $stopped"

note "for good: the copy is over"
load
half_way 5 "$failed" --on-top-error enospc
is_over enospc
exits 0 ctl abort vol
on base
half_way 5 "$failed"
is_over report
exits 0 ctl copy vol $top --wait --timeout 60
shows "ready synced rw report report"
equal_to /dev/ram1
on base

note "for good: the copy is stopped"
load
half_way 8 "copy vol: $by_policy" --on-top-error stop --pivot
shows "needs-attention copying rw report stop"
fails 8 "wait vol: $by_policy" wait vol --pivot
fails 8 "pivot vol: the copy was stopped: $stopped" pivot vol
exits 0 ctl resume vol
fails 8 "copy vol: $by_policy" copy vol $top --wait
hammer_alive
healthy top
exits 0 ctl set vol rate=none
exits 0 ctl resume vol
exits 0 ctl wait vol --pivot --timeout 60
on top
garbage /dev/ram0
exits 0 ctl copy vol /dev/mapper/base --pivot --wait --timeout 60
on base
garbage /dev/ram1

note "no room"
mk_loop 4 && meta=$REPLY
mk_loop 32 && data=$REPLY
pool_of() { echo "0 $1 thin-pool $meta $data 128 0 1 error_if_no_space"; } # SECTORS
mk_dm pool "$(pool_of 16384)"
dmsetup message pool 0 'create_thin 0'
mk_dm thin "0 32768 thin /dev/mapper/pool 0"
fails 8 "copy vol: $by_policy" copy vol /dev/mapper/thin --wait --on-top-error enospc
shows "needs-attention copying rw report enospc"
becomes pool "$(pool_of 65536)"
exits 0 ctl resume vol
exits 0 ctl wait vol --timeout 60
equal_to /dev/mapper/thin
remove_dm thin
remove_dm pool
on base

note "in one place: all else is copied"
load
mapfile -t lines < <(hole /dev/ram1)
becomes top "${lines[@]}"
exits 0 ctl copy vol $top --on-top-error ignore --no-wait
until_true 30 "all but one block" both 255
fails 7 'pivot vol: the copy is not ready: .* to go .try: blkctl wait vol' pivot vol
fails 8 "wait vol: $by_policy" wait vol
shows "needs-attention copying rw report ignore"
is "$(json vol .volume.blocks.base_only)" 1 "blocks left"
healthy top
exits 0 ctl resume vol
exits 0 ctl wait vol --timeout 60
equal_to /dev/ram1
on base
pass
