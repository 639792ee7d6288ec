#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=120
# A write that moves a block is still in flight when the copier, in its second pass,
# comes to that block and waits for it: what it would copy is older than the write.
# guards: a write that has ended cancels the copies that waited for it.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-delay
mk_loops 1
LEN=128
head -c 65536 /dev/urandom >"$WORK/new"
slow_volume() { # MODE BASE TOP: of one block, its copier paused
	dmsetup create vol --table "$(durable_line "$1" "$2" "$3" 1 paused)"
}
write_new() { dd if="$WORK/new" of=/dev/mapper/vol bs=64k oflag=direct conv=notrunc status=none; }

# meets MODE END: the write, and the copier behind it.
meets() {
	write_new &
	wait_write /dev/mapper/vol
	msg vol copy resume
	wait $!
	wait_phase vol 30 "$2"
	cmp -n 65536 "$WORK/new" /dev/mapper/vol || fail "$1: what was written is gone"
	dmsetup remove vol
}

mk_delay slow "$B" 0 4000
mk_meta 2 stream 128
fill "$A"
slow_volume stream "$A" /dev/mapper/slow
meets stream streamed
remove_dm slow

mk_delay slow "$A" 0 4000
mk_meta 2 overlay 128
dmsetup create vol --table "$(durable_line overlay "$A" "$B")"
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=1 oflag=direct conv=notrunc status=none
dmsetup remove vol
slow_volume commit /dev/mapper/slow "$B"
meets commit merged
remove_dm slow
pass
