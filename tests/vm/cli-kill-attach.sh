#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=240
# As cli-kill, for attach and detach: absorbed, stacked, and a pivot away from
# a stack.
# guards: half-made hidden devices are found and used or removed.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
mk_brd 3 4
fresh() {
	remove_dm vol
	remove_dm vol-blkreal
	rm -rf /run/blkctl
}
undo remove_dm vol-blkreal
undo remove_dm vol
make() {
	printf '%s\n' "${LINES_OF[@]}" | dmsetup create vol
	number=$(dmsetup info -c --noheadings -o major,minor vol)
	table=$(dmsetup table vol)
}
attached() { make && ctl attach vol >/dev/null; }
is_volume() { [[ $(dmsetup table vol) == *" blkcopy track "* ]]; }
is_back() { [[ $(dmsetup table vol) == "$table" ]] && ! dmsetup info vol-blkreal >/dev/null 2>&1; }
is_moved() { [[ $(dmsetup table vol) == *" blkcopy track 1:2 0 "* ]] && ! dmsetup info vol-blkreal >/dev/null 2>&1; }

still_right() {
	is "$(sum /dev/mapper/vol)" "$want" "$1: the data"
	is "$(dmsetup info -c --noheadings -o major,minor vol)" "$number" "$1: the number"
}

LINES_OF=("0 8192 linear /dev/ram0 0")
make
fill /dev/mapper/vol
want=$(sum /dev/mapper/vol)
# 4: "it is a volume already" when it was killed after the last step.
kill_sweep make is_volume "0 4" attach vol
# 3: "not a volume" when it was killed after the last step.
kill_sweep attached is_back "0 3" detach vol

LINES_OF=("0 4096 linear /dev/ram0 0" "4096 4096 linear /dev/ram1 0")
fresh
make
fill /dev/mapper/vol
want=$(sum /dev/mapper/vol)
kill_sweep make is_volume "0 4" attach vol
kill_sweep attached is_back "0 3" detach vol
moving() { attached && ctl copy vol /dev/ram2 --force --wait >/dev/null 2>&1; }
# 3: "it has no copy" when it was killed after the last step.
kill_sweep moving is_moved "0 3" pivot vol
kill_sweep moving is_moved "0 3" wait vol --pivot
fresh
pass
