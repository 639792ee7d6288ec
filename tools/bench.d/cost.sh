#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Instructions per 4 KiB I/O of each target over RAM disks, in a guest where an
# instruction is a nanosecond: fio's run time over its I/O count. The smaller of
# two runs: the kernel's housekeeping falls into one now and then.
# shellcheck source=tools/bench.d/guest.sh
source "$(dirname "$0")/guest.sh"

IOS=16000

# one_run DEVICE PATTERN DEPTH FIELD: milliseconds.
one_run() {
	fio --name=cost --filename="$1" --direct=1 --ioengine=libaio --bs=4k --rw="$2" \
		--iodepth="$3" --number_ios=$IOS --size=64M --output-format=terse --terse-version=3 |
		cut -d';' -f"$4"
}

# measure ROW DEVICE PATTERN DEPTH
measure() {
	local ms least=0 field=9 run
	[[ -b $2 ]]
	[[ $3 == randread ]] || field=50
	for run in 1 2; do
		settle
		ms=$(one_run "$2" "$3" "$4" $field)
		((ms > 0))
		((run > 1 && ms > least)) || least=$ms
	done
	row cost "$1" pattern "\"$3 qd$4\"" instructions $((least * 1000000 / IOS))
}

all_patterns() {
	measure "$1" "$2" randread 32
	measure "$1" "$2" randwrite 32
	measure "$1" "$2" randwrite 1
	say "$1"
}

# cold ROW TABLE [BESIDE]: the first 4 KiB write to each block, twice from anew;
# then what the same costs when every block has moved. BESIDE is the table of a
# device that has to be there as well.
cold() {
	local ms least=0 run
	for run in 1 2; do
		dd if=/dev/zero of=$META bs=1M count=1 oflag=direct status=none
		dd if=/dev/zero of=$B bs=1M count=1 oflag=direct status=none
		[[ $2 != *blkcopy*$META* ]] || "$BLKCTL_BIN" format $META --size 64M --block-size 4k --force >/dev/null
		[[ -z ${3:-} ]] || make_dm beside "$3"
		make_dm peer "$2"
		settle
		ms=$(one_run /dev/mapper/peer randwrite 32 50)
		((ms > 0))
		((run > 1 && ms > least)) || least=$ms
		((run > 1)) || remove_cold "$@"
	done
	row cost "$1, first writes" pattern '"randwrite qd32"' instructions $((least * 1000000 / IOS))
	all_patterns "$1, settled" /dev/mapper/peer
	remove_cold "$@"
}

remove_cold() {
	remove_dm peer
	[[ -z ${3:-} ]] || remove_dm beside
}

# tracked ROW NUMBER: writes over a clean device with so many bitmaps of 64 KiB, in
# memory, twice from anew; then what they cost when all is marked.
tracked() {
	local ms least=0 run i
	make_dm peer "0 $LEN blkcopy track $A 0 - 0 - 128"
	for ((i = 0; i < $2; i++)); do dmsetup message peer 0 bitmap add "b$i"; done
	for run in 1 2; do
		for ((i = 0; i < $2; i++)); do dmsetup message peer 0 bitmap clear "b$i"; done
		settle
		ms=$(one_run /dev/mapper/peer randwrite 32 50)
		((ms > 0))
		((run > 1 && ms > least)) || least=$ms
	done
	row cost "$1, clean" pattern '"randwrite qd32"' instructions $((least * 1000000 / IOS))
	all_patterns "$1, marked" /dev/mapper/peer
	remove_dm peer
}

# The same of dm-era: with its metadata made anew it knows of no write.
era() {
	local ms least=0 run
	for run in 1 2; do
		dd if=/dev/zero of=$META bs=1M count=1 oflag=direct status=none
		make_dm peer "0 $LEN era $META $A 128"
		settle
		ms=$(one_run /dev/mapper/peer randwrite 32 50)
		((ms > 0))
		((run > 1 && ms > least)) || least=$ms
		((run > 1)) || remove_dm peer
	done
	row cost "dm-era, 64 KiB, clean" pattern '"randwrite qd32"' instructions $((least * 1000000 / IOS))
	all_patterns "dm-era, 64 KiB, marked" /dev/mapper/peer
	remove_dm peer
}

load_modules
modprobe dm-snapshot
modprobe dm-era
# Of 80 MiB: dm-snapshot has its metadata where its data is.
ram_disks 3 80
A=/dev/ram0 B=/dev/ram1 META=/dev/ram2 LEN=$((64 * 2048))

all_patterns bare $A

make_dm peer "0 $LEN linear $A 0"
all_patterns dm-linear /dev/mapper/peer
remove_dm peer

make_dm peer "0 $LEN blkcopy track $A 0 - 0 - 128"
all_patterns "blkcopy track" /dev/mapper/peer
switch_to peer "0 $LEN blkcopy mirror $A 0 $B 0 - 128"
wait_until 60 phase_is peer synced
all_patterns "blkcopy mirror, in sync" /dev/mapper/peer
phase_is peer synced
remove_dm peer

make_dm peer "0 $LEN mirror core 1 1024 2 $A 0 $B 0"
wait_until 60 mirror_in_sync peer
all_patterns "dm-mirror, core log, in sync" /dev/mapper/peer
remove_dm peer

make_dm peer "0 $LEN raid raid1 2 0 nosync 2 - $A - $B"
all_patterns "md-raid1 (dm-raid), in sync" /dev/mapper/peer
remove_dm peer

dd if=/dev/zero of=$META bs=1M count=1 status=none
make_dm peer "0 $LEN clone $META $B $A 128"
wait_until 60 clone_hydrated peer
all_patterns "dm-clone, hydrated" /dev/mapper/peer
remove_dm peer

tracked "blkcopy track, one bitmap" 1
tracked "blkcopy track, ten bitmaps" 10
era

cold "blkcopy overlay, 4 KiB blocks" "0 $LEN blkcopy overlay $A 0 $B 0 $META 8"
cold "blkcopy backup, 4 KiB blocks" "0 $LEN blkcopy backup $A 0 $B 0 - 8 1 paused"
cold "dm-snapshot-origin, 4 KiB chunks" "0 $LEN snapshot-origin $A" "0 $LEN snapshot $A $B N 8"
cold "dm-snapshot, 4 KiB chunks" "0 $LEN snapshot $A $B P 8"
cold "dm-clone, 4 KiB regions" "0 $LEN clone $META $B $A 8 1 no_hydration"

make_dm peer "0 $LEN floor $A $B"
all_patterns "the floor" /dev/mapper/peer
remove_dm peer
