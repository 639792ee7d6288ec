#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=180
# The store of a backup fails, is full, or base cannot be read for it, while a
# verifying writer runs. The writer never sees an error. The view breaks, with an
# event; with on_top_error stop, or enospc on a full store, what top did not take
# waits until it is told to try again, and the view holds; if nobody comes, or the
# table is changed meanwhile, it breaks after all.
# guards: a copy that fails breaks the view before a read can find new data;
# nothing waits for a view that is broken; what is kept is written again.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 8
mk_error_dev
mk_linear base "$A"
mk_linear top "$B"
bad_top() { swap_dm top "$(bad_writes "$B")"; }
good_top() { swap_dm top "$(linear_line "$B")"; }
ready() { # POLICY [params...]
	good_top
	mk_volume vol /dev/mapper/base
	hammer_start /dev/mapper/vol --threads 4 --min 4k --max 32k --discard 3 --zero 5 --flush 3 --think-us 15000
	arm vol /dev/mapper/base "${TOP:-/dev/mapper/top}" 1 paused $((1 + $#)) on_top_error "$@"
	mk_view view vol
}
kept() { (($(st vol top_errors) >= 1)); }
in_the_end() {
	sleep 0.3
	hammer_alive
	hammer_stop
	leg_holds /dev/mapper/base
	remove_dm vol
	remove_dm view
}
BLOCK=8

# Nobody comes: until the end of all this.
mk_loop 8 && a2=$REPLY
mk_dm top2 "$(error_line "$B")"
mk_dm vol2 "$(backup_line "$a2" /dev/mapper/top2 1 paused 4 on_top_error stop inflight_kib 64)"
mk_view view2 vol2
stuck_since=$SECONDS
run_bg "$WORK/stuck" dd if=/dev/urandom of=/dev/mapper/vol2 bs=64k count=4 oflag=direct
stuck=$BG

for policy in report ignore enospc; do
	ready $policy
	n=$(event_nr view)
	bad_top
	wait_phase vol 10 broken
	view_fails view
	ge "$(st vol top_errors)" 1 "$policy: top errors counted"
	ge "$(event_nr view)" $((n + 1)) "$policy: events of the view"
	msg_refused vol "$EALREADY" copy resume
	in_the_end
done

ready stop inflight_kib 64
bad_top
until_true 10 "on_top_error stop keeps what top did not take" kept
sleep 0.5
is "$(st vol phase)" preserving "the phase while stopped"
has "$(dmsetup status --noflush vol)" ' policy ' "who has stopped it"
ge "$(st vol inflight)" 4 "KiB kept in memory"
view_holds view 64k
good_top
msg vol copy resume
view_holds view
# Not all of base goes there now.
has "$(dmsetup table vol)" ' 1 paused ' "the table after the store was tried again"
ge "$(st vol base_only)" 1 "blocks that nobody has written to"
in_the_end

# Its table is changed while top fails: that must not wait for anybody.
ready stop
bad_top
until_true 10 "on_top_error stop keeps what top did not take" kept
disarm vol /dev/mapper/base
view_fails view
in_the_end

# A full store, of a file with holes.
mkdir "$WORK/store"
mount -t tmpfs -o size=1536k store "$WORK/store"
undo umount "$WORK/store"
truncate -s 8M "$WORK/store/file"
TOP=$(losetup -f --show --direct-io=off "$WORK/store/file")
undo losetup -d "$TOP"
# A page a request: what was written in part the loop device calls written.
echo 4 >"$(sysfs_of "$TOP")/queue/max_sectors_kb"
echo 2 >"$(sysfs_of "$TOP")/queue/nomerges"
ready enospc
until_true 20 "a full store refuses" kept
is "$(st vol phase)" preserving "the phase while the store is full"
mount -o remount,size=16m "$WORK/store"
msg vol copy resume
sleep 0.5
view_holds view
in_the_end
unset TOP

# Base cannot be read where a write comes for the first time.
good_top
mk_dm vol "$(backup_line /dev/mapper/base /dev/mapper/top 1 paused)"
mk_view view vol
swap_dm base "$(bad_reads "$A")"
dd if=/dev/urandom of="$WORK/new" bs=4k count=1 status=none
dd if="$WORK/new" of=/dev/mapper/vol bs=4k seek=7 oflag=direct status=none
swap_dm base "$(linear_line "$A")"
cmp -n 4096 "$WORK/new" <(direct_read "$A" $((7 * 4096))) || fail "the write is not in base"
is "$(st vol phase)" broken "the phase after base could not be read"
view_fails view

# As long as it takes and no longer.
has_ended 90 "$stuck" || fail "a write waits for a store that nobody repairs"
ge $((SECONDS - stuck_since)) 55 "seconds that the store was given"
is "$(st vol2 phase)" broken "the phase after nobody came"
view_fails view2
pass
