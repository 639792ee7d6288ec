#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=300
# Backups that fail, by their store, their target or their comparison, lose
# nothing: the next incremental has it all. Of several volumes all keep their
# bits, and their instant is one. What is refused changes nothing.
# guards: what becomes of a bitmap; all or none; refusals.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-image.sh"
cli_setup
modprobe loop
mk_brd 4 16
SPARE=/dev/ram3 VOLUME_BYTES=$((16 << 20))
images=$RESULTS/images
mkdir -p "$images" "$WORK/small"
mount -t tmpfs -o size=6m tmpfs "$WORK/small"
undo umount "$WORK/small"
exits 0 ctl create data /dev/ram0
undo remove_dm data
fill /dev/ram0 3
put() { dd if=/dev/urandom of=/dev/mapper/"${2:-data}" bs=4k count=1 seek=$(($1 * 16)) oflag=direct conv=notrunc status=none; } # BLOCK
exits 0 ctl bitmap add data b
exits 0 ctl backup data "$images/data.img" --bitmap b --full
is "$(bits_of data b)" 0 "bits after a full one"

note "the target is full"
put 3
put 4
exits 5 ctl backup data "$WORK/small/full.img"
has "$OUT" 'No space' "why"
cp --sparse=always "$images/data.img" "$WORK/data.img"
truncate -s 16M "$WORK/small/data.img"
dd if=/dev/urandom of=/dev/mapper/data bs=1M count=8 seek=4 oflag=direct conv=notrunc status=none
exits 4 ctl backup data "$WORK/small/data.img" --bitmap b
has "$OUT" 'no backup that was made with bitmap b' "what it would overwrite"
exits 5 ctl backup data "$WORK/small/data.img" --bitmap b --force
plain data
is "$(bits_of data b), $(bits_state data b)" "130, recording" "bits after a target that was full"
exits 0 ctl backup data "$images/data.img" --bitmap b
is "$(sum_of "$images/data.img")" "$(sum /dev/mapper/data)" "the next one has it all"
rm -f "$WORK"/small/*

note "the store fails"
store_fails() { # OPTION...
	local backup=(backup data "$images/data.img" --bitmap b --store /dev/mapper/store "$@")
	mk_dm store "$(linear_line /dev/ram1)"
	put 5
	run_bg "$WORK/backup" "$BLKCTL" "${backup[@]}" --rate 64k
	until_true 20 "no view" test -b /dev/mapper/data-backup
	kill -INT "$BG"
	wait "$BG" && fail "it was not interrupted"
	swap_dm store "$(error_line /dev/ram1)"
	put 5
	put 6
	until_true 10 "not broken" phase_is data broken
	exits 5 ctl "${backup[@]}"
	has "$OUT" 'store has failed' "why"
	plain data
	is "$(bits_of data b)" 2 "bits after a store that failed"
	remove_dm store
}
store_fails
exits 0 ctl backup data "$images/data.img" --bitmap b --bitmap-mode never
is "$(sum_of "$images/data.img")" "$(sum /dev/mapper/data)" "the next one"
is "$(bits_of data b)" 2 "bits that are never forgotten"

note "what is forgotten for one image is missing in all"
put 7
store_fails --bitmap-mode always
exits 5 ctl restore "$SPARE" --image "$images/data.img" --force
has "$OUT" 'not finished' "the image that was written to"
exits 0 ctl backup data "$images/over.qcow2" --bitmap b --backing "$images/data.img"
has "$OUT" 'was forgotten: this is a full backup' "what it says"
image_holds "$images/over.qcow2" "$(sum /dev/mapper/data)" "it has all"
put 5
put 6

note "several, at one instant"
fill /dev/ram1 4
exits 0 ctl create log /dev/ram1
undo remove_dm log
exits 0 ctl bitmap add log b
put 9 log
exits 5 ctl backup data="$images/data.img" log="$WORK/small/log.img" --full --bitmap b --force
is "$(bits_of data b), $(bits_of log b)" "2, 1" "bits after one of two has failed"
plain data
plain log
exits 0 ctl backup data="$images/data.img" log="$images/log.img" --full --bitmap b --force
is "$(bits_of data b), $(bits_of log b)" "0, 0" "bits after both were right"
is "$(sum_of "$images/log.img")" "$(sum /dev/mapper/log)" "the second one"

note "the second one's image is an older one by its turn"
cp --sparse=always "$images/log.img" "$WORK/older"
for block in {10..17}; do
	put "$block"
	put "$block" log
done
before=$(bits_of data b),$(bits_of log b)
run_bg "$WORK/backup" "$BLKCTL" backup data="$images/data.img" log="$images/log.img" --bitmap b --rate 64k
until_true 20 "no view" test -b /dev/mapper/log-backup
kill -INT "$BG"
wait "$BG" && fail "it was not interrupted"
mv "$images/log.img" "$images/away"
mv "$WORK/older" "$images/log.img"
older=$(sum_of "$images/log.img")
exits 5 ctl backup data="$images/data.img" log="$images/log.img" --bitmap b
has "$OUT" 'log[.]img: it is not the image any more' "why"
is "$(sum_of "$images/log.img")" "$older" "what is no image of the bitmap"
is "$(bits_of data b),$(bits_of log b)" "$before" "bits after the refusal"
plain data
plain log
mv "$images/away" "$images/log.img"
exits 0 ctl backup data="$images/data.img" log="$images/log.img" --bitmap b
is "$(grep -c 'incremental backup' <<<"$OUT")" 2 "incrementals, with that image back"
is "$(sum_of "$images/data.img")" "$(sum /dev/mapper/data)" "the first one"
is "$(sum_of "$images/log.img")" "$(sum /dev/mapper/log)" "the second one"
is "$(bits_of data b), $(bits_of log b)" "0, 0" "bits after both"
exits 0 ctl view data=d-now=/dev/ram2 log=l-now=/dev/ram3 --force --bitmap b
put 1
put 1 log
is "$(bits_of data b), $(bits_state log b)" "0, frozen" "bitmaps of the instant"
exits 4 ctl bitmap freeze data b
exits 0 ctl remove d-now
exits 0 ctl remove l-now
exits 0 ctl bitmap thaw data b
exits 0 ctl bitmap thaw log b
is "$(bits_of data b), $(bits_of log b)" "1, 1" "bits of both sides"

note "a backup on a device that was used for something else since"
exits 0 ctl bitmap add data d
exits 0 ctl backup data "$SPARE" --bitmap d --full --force
put 1
exits 0 ctl backup data "$SPARE" --bitmap d
has "$OUT" 'incremental backup' "what it says"
# Its first and last 64 KiB stay as they are.
exits 0 ctl view log l-now --store "$SPARE" --force --dry-run
has "$OUT" "forget which backup $SPARE holds" "the plan"
exits 0 ctl view log l-now --store "$SPARE" --force
put 5 log
exits 0 ctl remove l-now
put 1
exits 4 ctl backup data "$SPARE" --bitmap d
has "$OUT" 'no backup that was made with bitmap d' "what it would overwrite"
exits 0 ctl backup data "$SPARE" --bitmap d --force
has "$OUT" 'full backup' "what it says"
is "$(sum "$SPARE")" "$(sum /dev/mapper/data)" "it has all"

note "bad input"
before=$(dmsetup table)
exits 2 ctl backup data
exits 0 ctl backup data "$images/x.img" --full --dry-run
exits 2 ctl backup data "$images/x.img" --whole-view
exits 2 ctl backup data "$images/x.img" --on-store-error ignore
exits 2 ctl backup data "$images/x.qcow2" --bitmap b
exits 2 ctl backup data /dev/mapper/data
exits 2 ctl backup data /dev/ram0
exits 2 ctl backup data "$images/x.img" --bitmap-mode never
exits 2 ctl backup data=/a=b data2
exits 2 ctl backup data="$images/x.img" log="$images/x.img"
exits 2 ctl backup data "$images/x.img" --store "$images/x.img"
exits 2 ctl backup data "$images/log.img" log "$images/data.img"
exits 3 ctl backup data "$images/x.img" --bitmap nothing
exits 3 ctl backup data "$images/x.img" --bitmap b
exits 3 ctl backup nothing "$images/x.img"
exits 3 ctl backup data /nowhere/x.img
exits 3 ctl backup data relative.img
exits 4 ctl backup data "$images/log.img"
truncate -s 8M "$images/short.img"
exits 2 ctl backup data "$images/short.img" --bitmap b
ctl bitmap disable data b
exits 4 ctl backup data "$images/data.img" --bitmap b
ctl bitmap enable data b
exits 4 ctl backup data "$images/data.img" --bitmap b --dry-run
exits 0 ctl backup data "$images/data.img" --bitmap b --dry-run --force
has "$OUT" 'no backup is known' "a bitmap that did not record"
mkfs.ext4 -q -F /dev/ram2
exits 4 ctl backup data /dev/ram2
exits 4 ctl backup data /dev/ram2 --bitmap b
truncate -s 16M "$WORK/disk"
disk=$(losetup -f --show "$WORK/disk")
exits 4 ctl backup data "$WORK/disk" --force
has "$OUT" "behind $disk" "the file behind a loop device"
losetup -d "$disk"
exits 4 ctl restore /dev/ram2 --image "$images/data.img"
exits 4 ctl restore /dev/ram0 --image "$images/data.img" --force
exits 2 ctl restore /dev/ram2 --image "$images/data.img" extra
exits 3 ctl restore /dev/ram2 --image "$images/nothing.img" --force
is "$(dmsetup table)" "$before" "tables after refusals"
[[ ! -e $images/x.img && ! -e $images/x.img.part && ! -e $images/x.qcow2 ]] || fail "a refusal has made an image"
pass
