# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scenarios of the command line tool share. Sourced after lib.sh,
# with UDEV=1.

ctl() { "$BLKCTL" "$@"; }

# Our rules, as they are installed: name and all.
install_rules() {
	local rules
	rules=$(echo "${BLKCTL%/ctl/blkctl}"/udev/*-dm-blkctl.rules)
	[[ -e $rules ]] || fail "no rules file beside $BLKCTL: configure the build first"
	mkdir -p /run/udev/rules.d
	cp "$rules" /run/udev/rules.d/
	undo rm -f "/run/udev/rules.d/${rules##*/}"
	udevadm control --reload
}

cli_setup() {
	[[ -x $BLKCTL ]] || fail "no $BLKCTL: build it first"
	load_module
	install_rules
	undo udevadm settle --timeout=10
}

# json NAME FIELD: of "show".
json() { ctl show "$1" --json | jq -r "$2"; }

# mk_vg NAME DEVICE...
mk_vg() {
	local vg=$1
	shift
	vgcreate -qq "$vg" "$@"
	undo bash -c "vgchange -qq -an $vg && vgremove -qq -f $vg; wipefs -qa $*"
}

# mount_fs DEVICE: at $WORK/mnt
mount_fs() {
	mkdir -p "$WORK/mnt"
	mount "$1" "$WORK/mnt"
	undo bash -c "! mountpoint -q $WORK/mnt || umount $WORK/mnt"
}

inactive_tables() { dmsetup table --inactive 2>/dev/null | awk '!/^No/ && !/: *$/'; }

# kill_sweep PREPARE CHECK STATUSES VERB ARGS...: kills the verb (-9) before
# each of its steps and after the last, and runs it again: that exits with one of
# STATUSES, CHECK holds, and nothing is stuck at any time. The scenario has
# "fresh", which takes down what is left, and "still_right WHEN" for the data.
kill_sweep() {
	local prepare=$1 check=$2 statuses=$3 n status total=0
	shift 3
	for ((n = 1; n < 60; n++)); do
		fresh
		$prepare
		status=0
		BLKCTL_KILL_AT_STEP=$n timeout 60 "$BLKCTL" "$@" >"$WORK/out" 2>&1 || status=$?
		((status == 0)) && break
		((status == 137)) || fail "'$*' to be killed at step $n exited with $status: $(cat "$WORK/out")"
		((++total))
		nothing_stuck "'$*' killed at step $n"
		still_right "'$*' killed at step $n"
		exits_any "$statuses" ctl "$@"
		nothing_stuck "'$*' again after step $n"
		$check || fail "'$*', run again after it was killed at step $n, did not do its work: $(dmsetup table)"
		still_right "'$*' again after step $n"
		is "$(inactive_tables)" "" "'$*' again after step $n: inactive tables"
	done
	((status == 0)) || fail "'$*' has more steps than were tried"
	((total > 0)) || fail "'$*' was never killed: it has no steps"
	note "'$*': killed at $total points"
}
