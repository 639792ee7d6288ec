#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.1,6.12 quick=6.12 timeout=270
# Backups of a volume in use: a full one; a chain (cli-backup-chain has a longer
# one); one that is interrupted, and one that is killed, go on as of their instant.
# guards: the view and the bitmap of one instant; what is copied; what is resumed.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-image.sh"
volume_in_use

note "full, raw"
before=$(dmsetup table data)
exits 0 ctl backup data "$images/one.img" --dry-run
has "$OUT" 'copy 8.00 MiB' "the size beforehand"
is "$(dmsetup table data)" "$before" "after a dry run"
[[ ! -e $images/one.img ]] || fail "a dry run has made the image"
backup_begins data "$images/one.img" --rate 4M --verify
backup_ends
is "$(sum_of "$images/one.img")" "$INSTANT" "the image"
plain data
note "$(tail -n 1 "$WORK/backup")"

note "a name that is taken meanwhile"
backup_begins data "$images/taken.img" --rate 1M
echo "of somebody else" >"$images/taken.img"
backup_ends 4
has "$(cat "$WORK/backup")" 'taken[.]img: there is a file of this name by now' "why"
exits 4 ctl backup data "$images/taken.img"
is "$(cat "$images/taken.img")" "of somebody else" "what has the name"
rm "$images/taken.img"
exits 0 ctl backup data "$images/taken.img"
has "$OUT" 'went on with one' "what it says"
is "$(sum_of "$images/taken.img")" "$INSTANT" "the image that has got its name"
[[ ! -e $images/taken.img.part ]] || fail "the part is still there"
plain data

note "a chain under load"
chain 2

note "nothing to copy, and holes"
exits 0 ctl backup data "$images/none.qcow2" --bitmap qcow2 --backing "$images/last.qcow2"
has "$OUT" '0 B looked at' "what it says"
exits 0 ctl backup data "$images/fork.qcow2" --bitmap qcow2 --backing "$images/0.qcow2"
has "$OUT" "does not go on from [^ ]*/0[.]qcow2" "over one that the bits are not since"
image_holds "$images/fork.qcow2" "$(sum /dev/mapper/data)" "over an older one"
dd if=/dev/zero of=/dev/mapper/data bs=1M seek=2 count=4 oflag=direct status=none
exits 0 ctl backup data "$images/holes.img"
is "$(sum_of "$images/holes.img")" "$(sum /dev/mapper/data)" "with holes"
le "$(holds_kib "$images/holes.img")" $((4 * 1024 + 64)) "KiB of an image that is half zeroes"
exits 0 ctl backup data "$SPARE" --force --verify
is "$(sum "$SPARE")" "$(sum /dev/mapper/data)" "onto a device"

note "interrupted, and killed"
fill "$A" 9
instant=$(sum /dev/mapper/data)
hammer_start /dev/mapper/data --threads 2 --min 4k --max 64k --think-us 60000
exits 0 ctl bitmap clear data raw
for signal in INT KILL; do
	rm -f "$images/cut.img"
	sync_point=$(date +%s%N)
	run_bg "$WORK/backup" "$BLKCTL" backup data "$images/cut.img" --rate 1M --bitmap raw --full
	until_true 20 "no view" test -b /dev/mapper/data-backup
	instant=$(sum /dev/mapper/data-backup)
	kept=$(bits_of data raw)
	has "$(ctl show data)" "full, with bitmap raw, to $images/cut[.]img: at work.*next +blkctl abort data" "show at work"
	sleep 2
	kill -$signal "$BG"
	wait "$BG" && fail "it was not interrupted"
	is "$(st data mode)" backup "after $signal"
	has "$(ctl show data)" 'interrupted, the first .* are safe.*next +the same blkctl backup again, .*blkctl abort data' "show after $signal"
	is "$(json data '.volume.backup | [.full, .runs, .copied, .bitmap] | join(" ")')" "true false false raw" "the same for programs"
	exits 4 ctl backup data "$images/other.img" --force
	is "$(bits_state data raw)" frozen "the bitmap after $signal"
	exits 4 ctl bitmap thaw data raw
	mv "$images/cut.img.part" "$images/moved"
	touch "$images/cut.img"
	exits 4 ctl backup data "$images/cut.img" --bitmap raw --full
	rm "$images/cut.img"
	mv "$images/moved" "$images/cut.img.part"
	exits 0 ctl backup data "$images/cut.img" --bitmap raw --full
	has "$OUT" 'went on with one' "what it says after $signal"
	is "$(sum_of "$images/cut.img")" "$instant" "after $signal, as of its instant"
	plain data
	note "$signal: $kept blocks kept, $((($(date +%s%N) - sync_point) / 1000000)) ms"
done

note "given up"
exits 0 ctl backup data "$images/over.qcow2" --bitmap raw --backing "$images/cut.img" --bitmap-mode never
ln -s cut.img "$images/link.img"
put_bits=$(bits_of data raw)
run_bg "$WORK/backup" "$BLKCTL" backup data "$images/cut.img" --rate 300k --bitmap raw
until_true 20 "no view" test -b /dev/mapper/data-backup
sleep 1
kill -INT "$BG"
wait "$BG" && fail "it was not interrupted"
for image in link.img over.qcow2; do
	exits 5 ctl restore "$SPARE" --image "$images/$image" --force
	has "$OUT" 'not finished' "what is over, or is, one that is not"
done
is "$(json data .volume.backup.full)" false "what it was"
exits 0 ctl abort data
is "$(json data .volume.backup)" null "a backup that was given up"
exits 5 ctl backup data "$images/more.qcow2" --bitmap raw --backing "$images/over.qcow2"
plain data
is "$(bits_state data raw)" recording "the bitmap of a backup that was given up"
ge "$(bits_of data raw)" "$put_bits" "its bits"
hammer_stop
exits 0 ctl backup data "$images/cut.img" --bitmap raw
has "$OUT" 'incremental backup' "what it says"
is "$(sum_of "$images/cut.img")" "$(sum /dev/mapper/data)" "the next one"

note "a bitmap that is added anew goes on from nothing"
exits 0 ctl bitmap remove data raw
dd if=/dev/urandom of=/dev/mapper/data bs=64k seek=40 count=2 oflag=direct conv=notrunc status=none
exits 0 ctl bitmap add data raw
exits 4 ctl backup data "$images/cut.img" --bitmap raw
has "$OUT" 'no backup that was made with bitmap raw' "what it would overwrite"
for kind in full incremental; do
	exits 0 ctl backup data "$images/cut.img" --bitmap raw --force
	has "$OUT" "$kind backup in" "what it says"
	is "$(sum_of "$images/cut.img")" "$(sum /dev/mapper/data)" "the $kind one"
done
pass
