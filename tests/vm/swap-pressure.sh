#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 mem=400 disk=160M disk=160M timeout=150
# Swap on a volume, memory short, while the volume is copied and pivoted: the
# pages that come back are right and nothing hangs.
# guards: no allocation on the write path that waits for itself; mempools; a
# copy that goes on without memory; WQ_MEM_RECLAIM.
source "$(dirname "$0")/lib.sh"
load_module
ram=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
require_block /dev/vda /dev/vdb
mk_volume vol /dev/vda
mkswap -q /dev/mapper/vol
swapon /dev/mapper/vol
undo bash -c "! grep -q . <(swapon --show --noheadings) || swapoff -a"
start_copy vol /dev/vda /dev/vdb 0 2 rate_kib 30000
run_bg "$WORK/hog" "$(tool hog)" $((ram + 40)) 8
hog=$BG
pivot vol 100
finish_pivot vol /dev/vdb
wait "$hog" || fail "memory came back wrong or was lost: $(cat "$WORK/hog")"
ge "$(awk '/^pswpout/ { print $2 }' /proc/vmstat)" 2000 "pages swapped out"
ge "$(awk '/^pswpin/ { print $2 }' /proc/vmstat)" 1000 "pages swapped in"
is "$(st vol base_errors top_errors)" "0 0" "errors counted"
swapoff -a
pass
