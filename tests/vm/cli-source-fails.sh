#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=150
# What a volume has its data on fails while the command line tool moves it: the
# source of a copy, in one place, and the store of a snapshot, for writes and then for
# the commit that reads it. Who uses the volume sees the errors of that device and no
# others; nothing that could not be read is called copied; once the device is well the
# command that the one line names goes on, and all data is there.
# guards: what the command line tool makes of errors of the source, and of a commit that
# has stopped; a write that is refused changes nothing.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-fails.sh"
volume_on_base

note "the source, in one place"
load
mapfile -t lines < <(hole /dev/ram0)
becomes base "${lines[@]}"
unread='[1-9][0-9]* errors of the source, 0 of the target .try: blkctl'
fails 5 "copy vol: it failed: $unread abort vol" copy vol $top --wait
shows "failed aborted rw report report"
refused 'Input/output error' dd if=/dev/mapper/vol of=/dev/null bs=64k skip=224 count=1 iflag=direct
dd if=/dev/mapper/vol of=/dev/null bs=64k skip=225 iflag=direct status=none
fails 5 'pivot vol: the copy failed: .* errors of the source, .*try: blkctl abort vol' pivot vol
exits 0 ctl abort vol
on base
fails 8 "copy vol: stopped by its error policy: $unread resume vol" copy vol $top --wait --on-base-error stop
shows "needs-attention copying rw stop report"
ge "$(json vol .volume.blocks.base_only)" 1 "blocks left"
fails 8 "pivot vol: the copy was stopped: $unread resume vol" pivot vol
hammer_alive
healthy base
exits 0 ctl resume vol
exits 0 ctl wait vol --timeout 60
equal_to /dev/ram1
on base

note "the store of a snapshot takes no writes"
mkdir -p /var/lib/blkctl
direct_read /dev/mapper/vol >"$WORK/wanted"
put() { # MIB: it becomes something else, or stays as it was
	dd if=/dev/urandom of="$WORK/new" bs=1M count=1 status=none
	dd if="$WORK/new" of=/dev/mapper/vol bs=1M seek="$1" oflag=direct conv=notrunc,fsync status=none || return
	dd if="$WORK/new" of="$WORK/wanted" bs=1M seek="$1" conv=notrunc status=none
}
holds() { cmp "$WORK/wanted" <(direct_read "$1") >"$WORK/cmp" 2>&1 || fail "$1 is not as written: $(cat "$WORK/cmp")"; }
exits 0 ctl snapshot vol=$top --force
frozen=$(sum /dev/ram0)
put 2
becomes top "$(bad_writes /dev/ram1)"
! put 5 2>"$WORK/why" || fail "a write that its store has not taken was acknowledged"
has "$(cat "$WORK/why")" 'Input/output error' "what the writer is told"
is "$(st vol mode phase health)" "overlay idle rw" "the volume"
holds /dev/mapper/vol
healthy top
put 5
holds /dev/mapper/vol
is "$(sum /dev/ram0)" "$frozen" "the base of a snapshot"

note "it cannot be read when it is to be merged"
becomes top "$(bad_reads /dev/ram1)"
stopped='0 errors of the source, [1-9][0-9]* of the target .try: blkctl resume vol, once the device is well'
fails 8 "commit vol: stopped by its error policy: $stopped" commit vol --wait
fails 8 "commit vol: it was stopped: $stopped" commit vol --wait
is "$(json vol .volume.state)" needs-attention "the state by show"
nothing_stuck "a commit that has stopped"
healthy top
exits 0 ctl resume vol
exits 0 ctl commit vol --wait
on base
holds /dev/mapper/vol
holds /dev/ram0
settle
exits 0 ctl remove vol
pass
