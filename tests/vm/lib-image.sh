# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Backups by the command line tool. Sourced after lib-cli.sh.

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
