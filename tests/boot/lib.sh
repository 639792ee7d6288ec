# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the lives share. Disks of killed and systemd: vda and vdb hold data, vdc is a store, vdd and vde are for metadata.
set -Eeuo pipefail
trap 'echo "FAIL line $LINENO: $BASH_COMMAND"; dmsetup table; dmesg | tail -n 20' ERR

[[ -n ${BLKCTL_IN_GUEST:-} ]] || { echo "this runs in a guest only: tests/boot/run" >&2 && exit 2; }
id() { echo "/dev/disk/by-id/virtio-disk$1"; }
ctl() { "$BLKCTL_BIN" "$@"; }
MNT=/run/mnt
# name_volume MODE: what the volume is called
# shellcheck disable=SC2034 # used by both lives
name_volume() { VOL=data && [[ $1 != lv* ]] || VOL=vg0-data; }

# install_tree BUILD: the programs, units and rules, and the module where modprobe finds it
install_tree() {
	local updates
	updates=/lib/modules/$(uname -r)/updates
	cmake --install "$1" >/dev/null
	mkdir -p "$updates"
	cp "$BLKCTL_MODULE_DIR/dm-blkcopy.ko" "$updates/"
	depmod
}

setup() {
	modprobe -a dm-mod loop libcrc32c
	insmod "$BLKCTL_MODULE_DIR/dm-blkcopy.ko"
	mkdir -p /run/udev/rules.d $MNT
	cp "${BLKCTL_BIN%/ctl/blkctl}"/udev/*-dm-blkctl.rules /run/udev/rules.d/
	udevadm control --reload
	udevadm settle
}
