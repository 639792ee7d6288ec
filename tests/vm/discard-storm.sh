#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# Discards during a copy: mixed with writes on the raw device over slow legs
# that know holes; then fstrim of a mounted ext4 and blkdiscard of a range
# while it is copied. The legs end up equal and nothing that was not discarded
# is lost.
# guards: a discard is a write to the range lock: a copy that read the old
# data must not bring it back on top, nor publish it.
source "$(dirname "$0")/lib.sh"
load_module
mk_loop 16 && l0=$REPLY
mk_loop 16 && l1=$REPLY
mk_delay base "$l0" 4 0
mk_delay top "$l1" 0 10
mk_volume vol /dev/mapper/base
hammer_start /dev/mapper/vol --threads 8 --min 4k --max 256k --discard 20 --discard-zeroes --read 15 --hot 4m:1m --hot-pct 50
for i in 1 2 3; do
	start_copy vol /dev/mapper/base /dev/mapper/top 0 4 run_kib 128 inflight_kib 1024
	wait_phase vol 40 synced
	sleep 0.5
	((i == 3)) || abort_copy vol /dev/mapper/base
done
hammer_stop
ge "$(hammer_figure discards)" 20 "discards done"
wait_equal vol
same "$l0" "$l1"
leg_holds "$l1"
is "$(st vol base_errors top_errors)" "0 0" "errors counted"
pivot vol
finish_pivot vol /dev/mapper/top
remove_dm vol

# A file system that trims while it is copied, top to base this time.
mk_volume fs /dev/mapper/top
mkfs.ext4 -q -E nodiscard /dev/mapper/fs
mkdir "$WORK/mnt"
mount /dev/mapper/fs "$WORK/mnt"
undo bash -c "! mountpoint -q $WORK/mnt || umount $WORK/mnt"
for i in {1..20}; do dd if=/dev/urandom of="$WORK/mnt/keep$i" bs=64k count=2 status=none; done
for i in {1..12}; do dd if=/dev/urandom of="$WORK/mnt/drop$i" bs=256k count=1 status=none; done
sync
(cd "$WORK/mnt" && sha256sum keep*) >"$WORK/sums"
start_copy fs /dev/mapper/top /dev/mapper/base 0 4 run_kib 64 inflight_kib 128
for i in {1..12}; do
	rm "$WORK/mnt/drop$i"
	sync
	fstrim "$WORK/mnt"
done
pivot fs 40
finish_pivot fs /dev/mapper/base
garbage "$l1"
echo 3 >/proc/sys/vm/drop_caches
(cd "$WORK/mnt" && sha256sum --quiet -c "$WORK/sums") || fail "files differ after the pivot"
umount "$WORK/mnt"
e2fsck -fn /dev/mapper/fs >"$WORK/fsck" 2>&1 || fail "fsck: $(cat "$WORK/fsck")"
pass
