#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first life: a volume in this mode is written to, and the machine is reset
# between two writes. What was acknowledged is summed before.
# usage: killed-first.sh overlay|stream|commit|layers|bitmaps|lv|lv-pieces|lv-pivot
# shellcheck source=tests/boot/lib.sh
source "$(dirname "$0")/lib.sh"
setup
name_volume "$1"

# write_files PREFIX: each is durable before its sum is written down.
write_files() {
	local i
	for i in {1..15}; do
		dd if=/dev/urandom of="$MNT/$1$i" bs=64k count=$((i % 5 + 1)) conv=fsync status=none
		(cd $MNT && sha256sum "$1$i") >>"$RESULTS/sums"
	done
	sync -f $MNT
}

begin_lv() { # an LV that is mounted before it is attached
	vgcreate -qq vg0 "$(id 0)" "$(id 1)"
	"$@"
	udevadm settle
	mkfs.ext4 -q /dev/vg0/data
	mount /dev/vg0/data $MNT
	write_files old
	ctl attach /dev/vg0/data
}

begin() { # DISK [OPTION...]: a volume with a filesystem
	ctl create data "$(id "$1")" "${@:2}"
	mkfs.ext4 -q /dev/mapper/data
	mount /dev/mapper/data $MNT
	write_files old
}

case $1 in
overlay)
	begin 0
	ctl snapshot data="$(id 2)" --metadata "$(id 3)"
	;;
layers)
	begin 0
	ctl snapshot data="$(id 2)" --metadata "$(id 3)"
	write_files between
	ctl snapshot data="$(id 1)" --metadata "$(id 4)"
	;;
commit)
	begin 0
	ctl snapshot data="$(id 2)" --metadata "$(id 3)"
	write_files between
	dmsetup reload data --table "$(dmsetup table data | sed 's/overlay/commit/') 0 2 rate_kib 64"
	dmsetup resume data
	;;
bitmaps)
	begin 0 --metadata "$(id 3)"
	ctl bitmap add data nightly
	ctl backup data "$(id 2)" --bitmap nightly --full --force
	;;
lv)
	begin_lv lvcreate -qq -y -n data -L 48M vg0
	ctl snapshot $VOL="$(id 2)" --metadata "$(id 3)"
	;;
lv-pieces)
	two_pieces() { lvcreate -qq -y -n data -i 2 -I 64k -L 16M vg0 && lvextend -qq -i 1 -L 40M vg0/data; }
	begin_lv two_pieces
	ctl snapshot $VOL="$(id 2)" --metadata "$(id 3)"
	;;
lv-pivot)
	begin_lv lvcreate -qq -y -n data -L 48M vg0
	ctl copy $VOL "$(id 2)" --pivot --persist --force
	;;
stream)
	begin 0
	umount $MNT
	ctl remove data
	ctl create data "$(id 1)" --from "$(id 0)" --metadata "$(id 3)" --no-hydrate
	mount /dev/mapper/data $MNT
	dmsetup message data 0 set rate_kib 64
	ctl resume data
	;;
esac
write_files new
ctl show $VOL
cp /etc/blkctltab "$RESULTS/"
[[ $1 != bitmaps ]] || cp /var/lib/blkctl/data.nightly.note /var/lib/blkctl/unfinished-* "$RESULTS/"
cat /etc/blkctltab
sync -f "$RESULTS/sums"
# What comes from here on need not be there.
(for i in {1..1000}; do dd if=/dev/urandom of="$MNT/late$i" bs=16k count=4 status=none; done) &
sleep 1.5
echo b >/proc/sysrq-trigger
sleep 60
