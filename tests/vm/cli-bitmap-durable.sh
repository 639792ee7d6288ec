#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=250
# Bitmaps that survive a crash, by the command line: incremental backups go on after
# a power cut, through every job, and begin anew where writes may have gone past.
# guards: the bitmaps' metadata in every table, the tab, the seal.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-image.sh"
cli_setup
mk_loops 16
mk_loop 16 && SPARE=$REPLY
mkdir -p /var/lib/blkctl
bits=/var/lib/blkctl/data.bitmaps
put() { dd if=/dev/urandom of=/dev/mapper/data bs=4k count=1 seek=$(($1 * 16)) oflag=direct conv=notrunc status=none; } # BLOCK
loops_before=$(losetup -l --noheadings | wc -l)

# A power cut: what is in the file as it is now, and nothing of what was in memory.
power_cut() {
	cp "$bits" "$WORK/cut"
	ctl deactivate data
	cp "$WORK/cut" "$bits"
	ctl activate --all
}
# An incremental onto $SPARE, which then is what the volume is.
incremental() { # WHAT [REGEX [OPTION]]
	exits 0 ctl backup data "$SPARE" --bitmap nightly "${@:3}"
	has "$OUT" "${2:-incremental backup}" "$1"
	note "$1: $(grep -o '[^;]*backup[^;]*' <<<"$OUT" | head -n 1)"
	is "$(sum "$SPARE")" "$(sum /dev/mapper/data)" "the backup $1"
}
# The same onto what is not the bitmap's image any more.
strange() { # WHAT
	exits 4 ctl backup data "$SPARE" --bitmap nightly
	has "$OUT" 'does not go on from' "$1"
	incremental "$1" 'full backup' --force
}

note "made, and refused"
exits 2 ctl create data "$A" --metadata "$A"
exits 2 ctl create data "$A" --no-boot
exits 2 ctl create data "$A" --metadata "$bits" --segment 100k
exits 0 ctl create data "$A" --metadata "$bits" --dry-run
[[ ! -e $bits ]] || fail "a dry run has made $bits"
fill "$A"
exits 0 ctl create data "$A" --metadata "$bits" --segment 1M
exits 0 ctl create data "$A" --metadata "$bits" --segment 1M
has "$OUT" 'so already' "create, again"
undo remove_dm data
has "$(cat /etc/blkctltab)" "bitmaps=$bits" "the tab"
has "$(ctl show data)" "bitmaps.*0, on /dev/loop" "what show says"
ctl bitmap add data nightly
exits 0 ctl backup data "$SPARE" --bitmap nightly --full --force
put 3
exits 0 ctl check "$bits"
incremental "in order"
note "another backup, or whatever else, has been there"
ctl backup data "$SPARE" --force
put 4
strange "after another backup"
dd if=/dev/urandom of="$SPARE" bs=4k count=1 oflag=direct conv=notrunc status=none
strange "after other writes"
ctl backup data "$WORK/other.img"
ctl restore "$SPARE" --image "$WORK/other.img" --force
put 6
strange "after a restore"
put 8
incremental "and then as before"

note "a cut"
put 5
put 200
power_cut
incremental "after a power cut"
ge "$(bits_of data nightly)" 0 "bits after it"
put 7
ctl deactivate data
is "$(losetup -l --noheadings | wc -l)" "$loops_before" "loop devices after deactivate"
exits 0 ctl check "$bits"
has "$OUT" 'nightly' "check says what bitmaps there are"
ctl activate data
is "$(bits_of data nightly)" 1 "bits after an orderly end"
exits 3 ctl activate "$WORK/nothing"

note "a cut in the middle of a backup"
run_bg "$WORK/backup" "$BLKCTL" backup data "$SPARE" --bitmap nightly --rate 16k
until_true 20 "no view" test -b /dev/mapper/data-backup
put 9
kill -KILL "$BG"
wait "$BG" && fail "it was not killed"
cp "$bits" "$WORK/cut"
ctl abort data
ctl deactivate data
cp "$WORK/cut" "$bits"
ctl activate data
# A full one, unless the kill came before the first byte.
incremental "after a cut in a backup" 'backup in' --force

note "through every job"
put 17
ctl snapshot data="$B"
put 19
has "$(cat /etc/blkctltab)" "bitmaps=$bits" "the tab of an overlay"
power_cut
is "$(st data mode)" overlay "mode after a cut in an overlay"
incremental_of_overlay=$(bits_of data nightly)
ge "$incremental_of_overlay" 2 "bits after a cut in an overlay"
put 33
ctl commit data --wait
incremental "after a snapshot and its commit"
put 35
ctl copy data "$B" --pivot --force --wait
has "$(cat /etc/blkctltab)" "data file:.* - uuid=.*bitmaps=$bits" "the tab after a pivot"
put 37
power_cut
incremental "after a copy, its pivot and a cut"
is "$(bits_of data nightly)" 0 "bits in the end"

note "another tool"
put 49
remove_dm data # udev may be looking at it
ctl activate data
is "$(bits_state data nightly)" inconsistent "after a removal by another tool"
incremental "after that" 'full backup'
put 51
ctl deactivate --all
ctl activate --all
is "$(bits_of data nightly)" 1 "bits after all were taken away"
# In use: sealed alone; and the stamp that was taken at the last end is of no use any more.
put 0
exec 9</dev/mapper/data
exits 0 ctl deactivate --all
has "$OUT" 'in use' "deactivate --all of one that is open"
exec 9<&-
remove_dm data
ctl activate --all
is "$(bits_state data nightly)" recording "after a removal that was sealed"
incremental "in the end"

note "written to while it was away"
put 53
ctl deactivate data
dd if=/dev/urandom of="$B" bs=4k count=1 seek=16 oflag=direct conv=notrunc status=none
exits 0 ctl activate data
has "$OUT" 'written to while it was not active' "what activate says"
is "$(bits_state data nightly)" inconsistent "after a write past it"
incremental "after a write past it" 'full backup'
mkfs.ext4 -q -F /dev/mapper/data
udevadm settle
incremental "of a filesystem"
ctl deactivate data
mount_fs "$B"
head -c 100000 /dev/urandom >"$WORK/mnt/file"
umount "$WORK/mnt"
exits 0 ctl activate data
has "$OUT" 'written to while it was not active' "what activate says of a mount"
incremental "after a mount past it" 'full backup'
put 55
ctl deactivate data
exits 0 ctl activate data
[[ $OUT != *'written to'* ]] || fail "activate says of one that was left alone: $OUT"
is "$(bits_of data nightly)" 1 "bits of one that was left alone"
incremental "of one that was left alone"

note "bitmaps of another time"
ctl deactivate data
ctl dump "$bits" >"$WORK/dump"
ctl activate data
put 57
ctl deactivate data
exits 0 ctl restore "$bits" "$WORK/dump" --force
has "$OUT" 'of the instant of the dump' "what restore says"
ctl activate data
is "$(bits_state data nightly)" inconsistent "after a restore of an old dump"
incremental "after a restore of an old dump" 'full backup'

note "metadata of another volume, and none"
ctl deactivate data
mv "$bits" "$WORK/mine"
exits 3 ctl activate data
truncate -s "$(stat -c %s "$WORK/mine")" "$bits"
exits 3 ctl activate data
rm "$bits"
mv "$WORK/mine" "$bits"
sed -i 's/uuid=../uuid=00/' /etc/blkctltab
exits 8 ctl activate data
is "$(dmsetup ls 2>/dev/null | grep -c '^data' || true)" 0 "devices after refusals"
sed -i "s/uuid=[0-9a-f]*,//" /etc/blkctltab
ctl activate data
ctl remove data
[[ ! -e $bits ]] || fail "$bits is still there"
is "$(losetup -l --noheadings | wc -l)" "$loops_before" "loop devices in the end"
pass
