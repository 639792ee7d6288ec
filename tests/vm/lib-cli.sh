# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scenarios of the command line tool share. Sourced after lib.sh,
# with UDEV=1.

ctl() { "$BLKCTL" "$@"; }

# Our rules, as installed.
install_rules() {
	local to=/run/udev/rules.d/56-dm-blkctl.rules
	mkdir -p /run/udev/rules.d
	sed 's/@BLKCTL_UDEV_PRIO@/56/' "$ROOT/udev/dm-blkctl.rules.in" >$to
	undo rm -f $to
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
