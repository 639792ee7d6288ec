# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Volumes by the command line tool whose legs fail. Sourced after lib-cli.sh.

# volume_on_base: vol, over "base", with "top" to copy to, of 16 MiB each; they are
# /dev/ram0 and /dev/ram1, until they become something worse. Sets top.
volume_on_base() {
	cli_setup
	mk_brd 2 16
	mk_error_dev
	mk_linear base /dev/ram0
	mk_linear top /dev/ram1
	top=$REPLY
	fill /dev/ram0
	exits 0 ctl create vol /dev/mapper/base
	undo remove_dm vol
}
becomes() { # base|top LINE...
	swap_dm "$@"
	settle
}
healthy() { # base|top
	local device=/dev/ram0
	[[ $1 == base ]] || device=/dev/ram1
	becomes "$1" "$(linear_line "$device")"
}
# hole DEVICE: its lines with 64 KiB that fail, past what load writes to.
hole() { error_range "$1" 28672 128; }
load() { hammer_start /dev/mapper/vol --threads 4 --max 64k --think-us 3000 --range 0:12m; }

# judge GOT STATUS REGEX WHAT: of one whose stderr is in $WORK/why.
judge() {
	is "$1" "$2" "the status of '$4', which said '$(cat "$WORK/why")'"
	is "$(wc -l <"$WORK/why")" 1 "lines of '$4' on stderr"
	has "$(cat "$WORK/why")" "^blkctl: $3" "what '$4' says"
}

# fails STATUS REGEX ARGUMENT...: blkctl ends so, with one line on stderr.
fails() {
	local want=$1 regex=$2 status=0
	shift 2
	timeout 60 "$BLKCTL" "$@" >"$WORK/said" 2>"$WORK/why" || status=$?
	judge "$status" "$want" "$regex" "$*"
}

# What show says of the copy: state, phase, health, policies of source and target.
shows() {
	local fields='.volume | "\(.state) \(.phase) \(.health) \(.job.on_source_error) \(.job.on_target_error)"'
	is "$(json vol "$fields")" "$1" "what show says"
}
both() { (($(st vol both) >= $1)); }

# on base|top: the volume is on that alone, and of all that was done nothing is left.
on() {
	local number
	number=$(dmsetup info -c --noheadings --separator : -o major,minor "$1")
	is "$(dmsetup table vol)" "0 32768 blkcopy track $number 0 - 0 - 128" "the table of the volume"
	is "$(dmsetup ls | cut -f1 | sort | xargs)" "base error-dev top vol" "devices"
	is "$(inactive_tables)" "" "inactive tables"
	nothing_stuck "the volume on $1"
}

# equal_to DEVICE: the target of a copy that is ready has all that load has written.
equal_to() {
	hammer_stop
	wait_equal vol
	same /dev/ram0 "$1"
	leg_holds "$1"
	exits 0 ctl abort vol
}
