#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# A table that is removed or replaced without "seal" may have been written
# past: what other tables of its state called equal is void, and is copied
# again. With it the state stays.
# guards: the seal; top dropped when an unsealed table goes.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
line=$(META=mem:s mirror_line /dev/ram0 /dev/ram1)
mk_dm vol "$line"
fill /dev/mapper/vol
wait_phase vol 20 synced

# Another table holds the state while the live one is replaced.
dmsetup create --notable keeper
undo remove_dm keeper
dmsetup load keeper --table "$line 1 paused"
reload vol "$(linear_line /dev/ram0)"
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=3 seek=7 oflag=direct status=none
dmsetup resume keeper
is "$(st keeper base_only)" 128 "blocks base-only after an unsealed replacement"
msg_refused keeper "$EBUSY" phase pivot
msg keeper copy resume
wait_phase keeper 20 synced
same /dev/ram0 /dev/ram1

# Sealed: nothing is copied again.
copied=$(st keeper copied)
dmsetup load vol --table "$line"
msg keeper seal
dmsetup suspend keeper
remove_dm keeper
dmsetup resume vol
is "$(st vol phase base_only copied)" "synced 0 $copied" "after a sealed removal"

# A seal that is taken back.
mk_dm other "$line"
msg other copy pause
msg other seal
msg other unseal
reload other "$(linear_line /dev/ram0)"
is "$(st vol base_only)" 128 "blocks base-only after a seal that was taken back"
msg vol copy resume
wait_phase vol 20 synced
remove_dm other
copied=$(st vol copied)

# Two live devices: a seal is for the removal of one, and no more.
mk_dm other "$line"
msg other seal
remove_dm other
is "$(st vol phase base_only copied)" "synced 0 $copied" "after the sealed removal of another"
mk_dm other "$line"
msg other copy pause
reload other "$(linear_line /dev/ram0)"
is "$(st vol base_only)" 128 "blocks base-only after the unsealed replacement of another"
dd if=/dev/urandom of=/dev/mapper/other bs=64k count=3 seek=7 oflag=direct status=none
msg_refused vol "$EBUSY" phase pivot
msg vol copy resume
wait_phase vol 20 synced
same /dev/ram0 /dev/ram1
pass
