# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Volumes in mode backup, and their views.

# backup_line BASE TOP [features and params...]: of META, BLOCK.
backup_line() {
	local base=$1 top=$2
	shift 2
	echo "0 ${LEN:-$(sectors "$base")} blkcopy backup $base 0 $top 0 ${META:--} ${BLOCK:-128}${*:+ $*}"
}

# arm NAME BASE TOP [features and params...]: under load. What base holds at the
# instant goes to $WORK/instant, read while nothing is in flight.
arm() {
	local name=$1 base=$2
	shift
	note "$name: backup $*"
	dmsetup load "$name" --table "$(backup_line "$@")"
	dmsetup suspend --noflush --nolockfs "$name"
	direct_read "$base" >"$WORK/instant"
	dmsetup resume --noudevsync "$name"
	is "$(st "$name" mode phase)" "backup preserving" "$name when it is armed"
}

# mk_view NAME LIVE
mk_view() { mk_dm "$1" "0 $(sectors "/dev/mapper/$2") blkcopy-view /dev/mapper/$2"; }

# view_holds VIEW [BYTES]: the content at the instant, read in pieces of BYTES.
view_holds() {
	local bytes=${2:-1M}
	cmp <(dd if="/dev/mapper/$1" bs="$bytes" iflag=direct status=none) "$WORK/instant" >"$WORK/cmp" 2>&1 ||
		fail "$1 does not read as at the instant (in pieces of $bytes): $(cat "$WORK/cmp"), $(dmsetup status --noflush "$1")"
}

# all_st NAME VALUES FIELD...: for until_true.
all_st() { [[ $(st "$1" "${@:3}") == "$2" ]]; }

view_status() { dmsetup status --noflush "$1" | cut -d' ' -f"4${2:+-$2}"; }

# Every read of it fails: at the start, in the middle, at the end.
view_fails() {
	local at last
	last=$(($(sectors "/dev/mapper/$1") / 8 - 1))
	is "$(view_status "$1")" broken "the status of $1"
	for at in 0 $((last / 2)) $last; do
		refused 'Input/output error' dd if="/dev/mapper/$1" of=/dev/null bs=4k skip=$at count=1 iflag=direct
	done
}
disarm() { reload "$1" "$(track_line "$2" 0 "${BLOCK:-128}")"; }

# slow_backup: base in A, top in B and slow to write; slow_base and fast_base
# change how base is read. With backup_load, windows for every race are wide.
slow_backup() { # MIB
	mk_loops "$1"
	modprobe dm-delay
	mk_linear base "$A"
	mk_delay top "$B" 0 150
}
slow_base() { swap_dm base "0 $(sectors "$A") delay $A 0 10 $A 0 0"; }
fast_base() { swap_dm base "$(linear_line "$A")"; }
backup_load() { hammer_start /dev/mapper/vol --threads 6 --min 4k --max 48k --discard 4 --zero 6 --flush 3 --fua 5 --think-us 15000; }
backup_load_stop() {
	hammer_alive
	fast_base
	hammer_stop
	leg_holds /dev/mapper/base
	is "$(st vol base_errors top_errors)" "0 0" "errors counted"
}
