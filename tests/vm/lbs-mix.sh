#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=120
# A top of 4096-byte sectors under a base of 512-byte ones, and the reverse.
# Attached to a base in use, the volume keeps taking 512-byte writes; the legs
# end up equal; blocks smaller than a sector are refused.
# guards: a write too small for top's sectors goes to base alone and its block
# is copied again; limits never rise under a mounted file system unnoticed.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 1 8
mk_loop 8 --sector-size 4096
k4=$REPLY
is "$(blockdev --getss "$k4")" 4096 "sector size of the loop device"

mk_volume vol /dev/ram0
hammer_start /dev/mapper/vol --threads 6 --min 512 --max 32k --think-us 1000
start_copy vol /dev/ram0 "$k4"
# Writers opened before the switch go on as they did.
hammer_alive
sleep 1.5
hammer_stop
wait_phase vol 30 synced
wait_equal vol
same /dev/ram0 "$k4"
leg_holds "$k4"
note "sector size of the volume while it copies: $(blockdev --getss /dev/mapper/vol)"
pivot vol
finish_pivot vol "$k4"
leg_holds /dev/mapper/vol
remove_dm vol

# The reverse: base has the larger sectors.
mk_volume vol "$k4"
is "$(blockdev --getss /dev/mapper/vol)" 4096 "sector size over base alone"
hammer_start /dev/mapper/vol --threads 6 --min 4k --max 64k --think-us 1000
start_copy vol "$k4" /dev/ram0
wait_phase vol 30 synced
is "$(blockdev --getss /dev/mapper/vol)" 4096 "sector size while it copies"
pivot vol 30
finish_pivot vol /dev/ram0
hammer_stop
leg_holds /dev/ram0
remove_dm vol
refused 'Invalid argument' dmsetup create bad --table "0 16383 blkcopy mirror /dev/ram0 0 $k4 0 - 128"
refused 'Invalid argument' dmsetup create bad --table "0 8192 blkcopy mirror /dev/ram0 0 $k4 1 - 128"
pass
