#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=120
# The metadata device fails under a volume in use: what is durable goes on to
# work, what needs a new durable bit gets an error and is not acknowledged as
# flushed; whole again after a suspend and a resume with the device back.
# guards: META_RO; flushes that wait for a commit that fails.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
mk_meta 2 overlay "$(sectors "$A")"
modprobe dm-flakey
n=$(sectors "$META")
real=$META
mk_dm meta "0 $n linear $real 0"
META=/dev/mapper/meta
fill "$A"
mk_dm vol "$(durable_line overlay "$A" "$B")"
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=64k count="$2" seek="$1" oflag=direct conv=notrunc"${3:-}" status=none; }
export -f put
put 0 8 ,fsync
is "$(st vol health top_only)" "rw 8" "with metadata"

dmsetup load meta --table "0 $n error"
dmsetup resume meta
put 8 1
refused 'Input/output error' bash -c 'put 9 1 ,fsync'
is "$(st vol health)" meta_ro "health after a commit that failed"
events=$(event_nr vol)
((events > 0)) || fail "no event was raised"
# Durable: goes on, and its flush needs nothing new... but that of 8 and 9 does.
put 0 8
dd if=/dev/mapper/vol of=/dev/null bs=1M iflag=direct status=none
refused 'Input/output error' bash -c 'put 20 1'
refused 'Input/output error' dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 seek=800 oflag=direct status=none
is "$(st vol base_only)" $((256 - 10)) "blocks that did not move"

dmsetup load meta --table "0 $n linear $real 0"
dmsetup resume meta
dmsetup suspend vol
dmsetup resume vol
is "$(st vol health)" rw "health with the device back"
put 20 1 ,fsync
sum=$(sum_of /dev/mapper/vol)
counts=$(st vol base_only both top_only zero)
remove_dm vol
dmsetup create vol --table "$(durable_line overlay "$A" "$B")"
is "$(st vol base_only both top_only zero)" "$counts" "the map from the disk"
is "$(sum_of /dev/mapper/vol)" "$sum" "the volume from the disk"
pass
