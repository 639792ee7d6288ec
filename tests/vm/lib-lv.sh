# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The LV vg0/data, as LVM sees it. Sourced after lib-cli.sh.

skip() { lvs --noheadings -o lv_skip_activation vg0/data | tr -d ' '; }
# What a boot is to LVM: nothing of us is there, and it activates what it may.
lvm_boots() {
	for how in -aay -ay; do vgchange -qq $how; done
	udevadm settle
}
