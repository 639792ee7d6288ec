#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# Base cannot be read in one place, under each policy: a user's read of it
# fails and nothing else does; the copy does what its policy says and never
# calls the unread block copied. A write that fails on base is an error for
# the user, and its block is not called equal.
# guards: a copy whose read failed publishes nothing; base errors counted;
# a dual write with a failed base returns it, with the top bit off.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_linear base /dev/ram0
hole() { # the 64 KiB at 2 MiB
	mapfile -t lines < <(error_range /dev/ram0 4096 128)
	swap_dm base "${lines[@]}"
}
healthy() { swap_dm base "$(linear_line /dev/ram0)"; }
begin() {
	hole
	mk_volume vol /dev/mapper/base
	garbage /dev/ram1
	start_copy vol /dev/mapper/base /dev/ram1 0 2 on_base_error "$1"
}
user_sees_it_only_there() {
	refused 'Input/output error' dd if=/dev/mapper/vol of=/dev/null bs=64k skip=32 count=1 iflag=direct
	dd if=/dev/mapper/vol of=/dev/null bs=64k count=32 iflag=direct status=none
	dd if=/dev/mapper/vol of=/dev/null bs=64k skip=33 iflag=direct status=none
}
fill /dev/ram0

for policy in report enospc; do
	begin $policy
	wait_phase vol 20 aborted
	ge "$(st vol base_errors)" 1 "$policy: base errors counted"
	is "$(st vol top_errors)" 0 "$policy: top errors"
	user_sees_it_only_there
	remove_dm vol
done

begin stop
until_true 20 "on_base_error stop pauses the copy" paused vol
user_sees_it_only_there
msg_refused vol "$EBUSY" phase pivot
healthy
msg vol copy resume
wait_phase vol 20 synced
same /dev/ram0 /dev/ram1
remove_dm vol

begin ignore
until_true 60 "ignore gives up on a block that never reads" paused vol
is "$(st vol phase base_only both)" "copying 1 127" "what is left to copy"
user_sees_it_only_there
msg_refused vol "$EBUSY" phase pivot
healthy
msg vol copy resume
wait_phase vol 20 synced
same /dev/ram0 /dev/ram1

# In sync; base now fails: the user gets the error, the block is not equal.
hole
refused 'Input/output error' dd if=/dev/urandom of=/dev/mapper/vol bs=64k seek=32 count=1 oflag=direct
ge "$(st vol base_only)" 1 "blocks base-only after a failed write of base"
msg_refused vol "$EBUSY" phase pivot
healthy
paused vol && msg vol copy resume
wait_phase vol 20 synced
wait_equal vol
same /dev/ram0 /dev/ram1
pass
