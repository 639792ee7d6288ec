#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=90
# copy_mode background: writes go to base alone and their blocks back to
# base-only; it is in sync when the writer stops, or under the same load once
# copy_mode becomes dual.
# guards: the mode of a write decided under the range lock; the switch of
# copy_mode under load.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 16
mk_delay top /dev/ram1 0 40
mk_volume vol /dev/ram0
hammer_start /dev/mapper/vol --threads 3 --min 4k --max 16k --think-us 4000 --read 20
watch_counts vol
start_copy vol /dev/ram0 /dev/mapper/top 0 2 copy_mode background
sleep 4
hammer_alive
ge "$(st vol base_only)" 1 "blocks base-only in background mode under load"
a=$(now_ms)
msg vol set copy_mode dual
has "$(dmsetup table vol)" ' 0 2 copy_mode dual$' "the table line"
wait_phase vol 30 synced
note "in sync $(($(now_ms) - a)) ms after copy_mode dual"
hammer_alive
msg vol set copy_mode background
sleep 0.5
hammer_stop
wait_equal vol
same /dev/ram0 /dev/ram1
leg_holds /dev/ram1
counts_ok vol

# Nobody else: a write does not wait for top.
swap_dm top "0 $(sectors /dev/ram1) delay /dev/ram1 0 0 /dev/ram1 0 30000"
t=$(now_ms)
dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 seek=9 oflag=direct conv=notrunc status=none
le $(($(now_ms) - t)) 20000 "ms of a write with a top that hangs, in background mode"
swap_dm top "0 $(sectors /dev/ram1) delay /dev/ram1 0 0"
wait_equal vol
same /dev/ram0 /dev/ram1
pass
