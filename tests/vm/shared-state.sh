#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=90
# One state by name (mem:<id>) under two dm devices, as when a volume's table
# moves to a hidden layer: the second finds all the first has copied; other
# geometry or other legs are refused; a state "-" is each device's own.
# guards: the registry's key and its check of legs and geometry; the state
# lasting until its last table goes.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 3 8
META=mem:one mk_volume vol /dev/ram0
fill /dev/mapper/vol
META=mem:one start_copy vol /dev/ram0 /dev/ram1
wait_phase vol 20 synced
copied=$(st vol copied)
line=$(META=mem:one mirror_line /dev/ram0 /dev/ram1)
mk_dm other "$line"
is "$(st other phase base_only both copied)" "synced 0 128 $copied" "the second device on the same state"
dd if=/dev/urandom of=/dev/mapper/other bs=64k seek=5 count=2 oflag=direct status=none
same /dev/mapper/vol /dev/mapper/other
same /dev/ram0 /dev/ram1

for bad in "0 16384 blkcopy mirror /dev/ram0 0 /dev/ram2 0 mem:one 128" \
	"0 16384 blkcopy mirror /dev/ram0 0 /dev/ram1 0 mem:one 64" \
	"0 16376 blkcopy mirror /dev/ram0 0 /dev/ram1 0 mem:one 128" \
	"0 16376 blkcopy mirror /dev/ram0 8 /dev/ram1 0 mem:one 128" \
	"0 16384 blkcopy mirror /dev/ram1 0 /dev/ram0 0 mem:one 128"; do
	refused 'Invalid argument' dmsetup create bad --table "$bad"
	! dmsetup info bad >/dev/null 2>&1 || fail "a refused table left the device 'bad'"
done

# The writer moves over to the second device; the first goes.
hammer_start /dev/mapper/other --threads 4 --max 64k --think-us 2000
msg vol seal
remove_dm vol
sleep 0.3
is "$(st other phase)" synced "the state after its first device went, sealed"
pivot other
garbage /dev/ram0
hammer_stop
leg_holds /dev/ram1
remove_dm other

# The last table gone, the name means a new state.
mk_dm again "$line"
has "$(st again phase base_only both)" '^copying|^synced 0 128' "a new state of an old name"
remove_dm again

# "-": two devices, two states.
mk_dm own1 "$(mirror_line /dev/ram0 /dev/ram1 1 paused)"
mk_dm own2 "$(mirror_line /dev/ram0 /dev/ram2)"
wait_phase own2 20 synced
is "$(st own1 phase copied)" "copying 0" "the state of the other device"
reload own1 "$(mirror_line /dev/ram0 /dev/ram1)"
wait_phase own1 20 synced
pass
