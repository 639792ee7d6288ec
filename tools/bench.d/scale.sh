#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 16 TiB: bringing a volume back, and saying which of its blocks have changed when
# that is 1%, scattered. 1 TiB: what a bitmap has too much of after a crash. The
# devices are null_blk: they hold nothing and cost nothing.
# shellcheck source=tools/bench.d/guest.sh
source "$(dirname "$0")/guest.sh"

TIB=$((1024 * 1024)) # MiB
CHANGED=${BLKCTL_BENCH_CHANGED:-2700000} # 64 KiB blocks, a little more than 1%
ctl() { "$BLKCTL_BIN" "$@"; }
# Of the volume called NAME, which has one bitmap.
dirty() { dmsetup status --noflush "$1" | awk '{ print $23 }'; }

scattered() { # DEVICE
	fio --name=w --filename="$1" --rw=randwrite --bs=4k --iodepth=32 --ioengine=libaio --direct=1 --norandommap \
		--randrepeat=1 --number_ios="$CHANGED" --size=100% --minimal >/dev/null
}

load_modules
modprobe dm-era
modprobe loop
modprobe null_blk nr_devices=0
for disk in nullb0 nullb1; do null_disk $disk $((16 * TIB)); done
mkdir -p /var/lib/blkctl /run/bench
mount -t tmpfs -o size=3500m bench /run/bench
LEN=$(sectors /dev/nullb0)

ctl create vol /dev/nullb0 >/dev/null
ctl bitmap add vol nightly >/dev/null
say "writing to $CHANGED blocks, at random"
scattered /dev/mapper/vol
ctl bitmap freeze vol nightly >/dev/null
timed "blkctl bitmap dump, 1% changed" ctl bitmap dump vol nightly
ctl remove vol >/dev/null

timed "blkctl create --metadata" ctl create vol /dev/nullb0 --metadata /run/bench/bits
ctl bitmap add vol nightly >/dev/null
timed "blkctl deactivate, with bitmaps" ctl deactivate vol
timed "blkctl activate, with bitmaps" ctl activate vol
ctl remove vol >/dev/null

timed "blkctl create --from" ctl create vol /dev/nullb0 --from /dev/nullb1 --metadata /run/bench/map --no-hydrate --force
timed "blkctl deactivate" ctl deactivate vol
timed "blkctl activate" ctl activate vol
ctl deactivate vol >/dev/null
rm /run/bench/map

# A writer at random over 1 TiB, and a crash: the marks of the last seconds.
null_disk nullb2 "$TIB"
LEN=$(sectors /dev/nullb2)
truncate -s 64M /run/bench/cut
cut=$(losetup -f --show /run/bench/cut)
for segment in 64 4; do
	truncate -s 64M /run/bench/one
	ctl format /run/bench/one --size 1T --mode track --bitmaps 1 --segment ${segment}M --force >/dev/null
	one=$(losetup -f --show /run/bench/one)
	make_dm vol "0 $LEN blkcopy track /dev/nullb2 0 - 0 $one 128"
	dmsetup message vol 0 bitmap add nightly
	fio --name=w --filename=/dev/mapper/vol --rw=randwrite --bs=4k --iodepth=4 --ioengine=libaio --direct=1 \
		--norandommap --rate_iops=200 --runtime=40 --time_based --size=100% --minimal >/dev/null
	dd if=/run/bench/one of=/run/bench/cut bs=1M conv=notrunc,fsync status=none
	changed=$(dirty vol)
	make_dm probe "0 $LEN blkcopy track /dev/nullb2 0 - 0 $cut 128"
	has=$(dirty probe)
	row crash "segments of $segment MiB" changed "$changed" has "$has" marked "$(status_word vol 16 | cut -d/ -f1)"
	say "segments of $segment MiB: $changed blocks have changed, $has are said to have"
	remove_dm probe
	remove_dm vol
	losetup -d "$one"
done
losetup -d "$cut"

# What a thin pool tells between two snapshots, as many blocks differing. It is asked of metadata
# made for it: a pool that has been written to like that takes an hour here.
"$(dirname "$0")/thin.py" "$CHANGED" $((16 * TIB * 16)) >/run/bench/thin.xml
truncate -s 1G /run/bench/thin
thin_restore --quiet -i /run/bench/thin.xml -o /run/bench/thin
rm /run/bench/thin.xml
timed "thin_delta, 1% changed" thin_delta --snap1 1 --snap2 2 /run/bench/thin
rm /run/bench/thin

# The peer that knows what was written to; it tells by a tool of its own. Its metadata of 16 TiB is
# slow to make here: it comes last.
LEN=$(sectors /dev/nullb0)
truncate -s 2G /run/bench/era
era=$(losetup -f --show /run/bench/era)
make_dm era "0 $LEN era $era /dev/nullb0 128"
scattered /dev/mapper/era
dmsetup message era 0 checkpoint
dmsetup message era 0 take_metadata_snap
timed "era_invalidate, 1% changed" era_invalidate --metadata-snapshot --written-since 0 "$era"
remove_dm era
losetup -d "$era"
rm /run/bench/era
