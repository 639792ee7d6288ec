# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Backups by the command line tool. Sourced after lib-cli.sh.

# volume_in_use: data, of 8 MiB over $A, written to; $SPARE to restore to, and a folder
# for images.
volume_in_use() {
	cli_setup
	mk_loops 8
	mk_loop 8 && SPARE=$REPLY
	VOLUME_BYTES=$((8 << 20))
	images=$RESULTS/images
	mkdir -p "$images"
	exits 0 ctl create data "$A"
	undo remove_dm data
	fill "$A" 8
	hammer_start /dev/mapper/data --threads 2 --min 4k --max 64k --discard 4 --zero 6 --think-us 60000
}

# backup_begins NAME TARGET OPTION...: in the background; $INSTANT is the sum of what the
# volume held at its instant, read from its view while it runs.
backup_begins() {
	local name=$1
	run_bg "$WORK/backup" "$BLKCTL" backup "$@"
	BACKUP_PID=$BG
	until_true 20 "no view of $name: $(cat "$WORK/backup")" test -b "/dev/mapper/$name-backup"
	INSTANT=$(set -o pipefail; dd if="/dev/mapper/$name-backup" bs=1M iflag=direct status=none | sha256sum | cut -d' ' -f1) ||
		fail "the backup ended before its view was read: a lower --rate"
}

backup_ends() {
	local status=0
	wait "$BACKUP_PID" || status=$?
	is "$status" "${1:-0}" "the backup's exit status: $(cat "$WORK/backup")"
}

# image_holds IMAGE SUM WHAT: restored onto $SPARE it has that sum.
image_holds() {
	exits 0 ctl restore "$SPARE" --image "$1" --force
	is "$(direct_read "$SPARE" 0 "$VOLUME_BYTES" | sha256sum | cut -d' ' -f1)" "$2" "$3"
}

bits_of() { ctl bitmap list "$1" --json | jq -r ".bitmaps[] | select(.name == \"$2\") | .dirty_blocks"; }
bits_state() { ctl bitmap list "$1" --json | jq -r ".bitmaps[] | select(.name == \"$2\") | .state"; }

# plain NAME: nothing of a backup is left.
plain() {
	is "$(st "$1" mode)" track "mode of $1 after the backup"
	[[ ! -e /dev/mapper/$1-backup ]] || fail "the view of $1 is still there"
	[[ ! -e /var/lib/blkctl/$1.backup-store ]] || fail "the store of $1 is still there"
}

# chain N: a full one and N incrementals of a volume in use, as qcow2 files and, every
# other time, into a raw image; each restored equals the volume at its instant. Every third
# one keeps only what it copies: it is told of by the next.
chain() {
	local i
	exits 0 ctl bitmap add data qcow2
	exits 0 ctl bitmap add data raw
	exits 0 ctl backup data "$images/0.qcow2" --bitmap qcow2 --full
	exits 0 ctl backup data "$images/raw.img" --bitmap raw --full
	for ((i = 1; i <= $1; i++)); do
		if ((i % 3 == 0)); then
			exits 0 ctl backup data "$images/$i.qcow2" --bitmap qcow2 --backing "$images/$((i - 1)).qcow2"
			continue
		fi
		backup_begins data "$images/$i.qcow2" --bitmap qcow2 --backing "$images/$((i - 1)).qcow2" --rate 4M --whole-view
		backup_ends
		has "$(cat "$WORK/backup")" 'incremental backup' "what it says"
		qemu-img check -q "$images/$i.qcow2" || fail "qemu-img check of $i"
		image_holds "$images/$i.qcow2" "$INSTANT" "restored incremental $i, qcow2"
		((i % 2)) && continue
		backup_begins data "$images/raw.img" --bitmap raw --rate 2M --whole-view
		backup_ends
		is "$(sum_of "$images/raw.img")" "$INSTANT" "the raw image after incremental $i"
		image_holds "$images/raw.img" "$INSTANT" "restored raw $i"
	done
	hammer_stop
	exits 0 ctl backup data "$images/last.qcow2" --bitmap qcow2 --backing "$images/$1.qcow2" --verify
	image_holds "$images/last.qcow2" "$(sum /dev/mapper/data)" "the last one is the volume"
	qemu-img compare -q "$images/last.qcow2" /dev/mapper/data || fail "qemu-img compare"
	is "$(bits_of data qcow2)" 0 "bits after the last"
}
