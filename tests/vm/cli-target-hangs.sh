#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=120
# The target of a copy is a device that somebody has suspended: no copy begins, and
# where a write waits for it already, blkctl abort ends in time and all others go on;
# the same again, once it answers, leaves the volume as it was. What waits in a
# suspended device counts as in flight nowhere.
# guards: no switch, with all I/O held, while the target is silent.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-fails.sh"
volume_on_base

dmsetup suspend top
fails 4 'copy vol: the target .* top is suspended .try: dmsetup resume top' copy vol $top
dmsetup resume top
on base
exits 0 ctl copy vol $top --wait --timeout 60
settle
dmsetup suspend top
run_bg "$WORK/stuck" dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=1 oflag=direct conv=notrunc status=none
stuck=$BG
wait_write /dev/mapper/vol
began=$SECONDS
fails 7 'abort vol: the copy is aborted already, .*try: blkctl abort vol, when it answers' abort vol
le $((SECONDS - began)) 20 "seconds until abort gave up"
kill -0 "$stuck" || fail "the write did not wait for the target: nothing was tested"
is "$(suspended_devices)" top "suspended devices"
shows "aborted aborted rw report report"
fails 6 'wait vol: it was aborted .try: blkctl abort vol' wait vol
timeout 10 dd if=/dev/urandom of=/dev/mapper/vol bs=64k seek=32 count=8 oflag=direct conv=notrunc,fsync status=none ||
	fail "writes do not go on"
dmsetup resume top
wait "$stuck" || fail "the write that waited for its target: $(cat "$WORK/stuck")"
exits 0 ctl abort vol
on base
fails 3 'abort vol: it has no copy' abort vol
pass
