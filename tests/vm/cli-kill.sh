#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=300
# blkctl is killed (-9) before each step of each verb on a created volume, and
# after the last: nothing is suspended, no cookie leaks, the same command run
# again finishes it, and the data is right.
# guards: a plan whose every intermediate state is one that works.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
mk_brd 2 4
fill /dev/ram0
want=$(sum /dev/ram0)
still_right() {
	[[ ! -b /dev/mapper/data || $(dmsetup info -c --noheadings -o attr data) != L* ]] ||
		is "$(sum /dev/mapper/data)" "$want" "$1: the sum of the volume's data"
}

fresh() { # whatever is left goes
	local n
	for n in $(dmsetup ls --target blkcopy 2>/dev/null | awk '!/^No/ { print $1 }') data; do remove_dm "$n"; done
	dd if=/dev/zero of=/dev/ram1 bs=1M count=4 oflag=direct status=none
	rm -rf /run/blkctl
}
volume() { ctl create data /dev/ram0 >/dev/null; }
copying() { volume && ctl copy data /dev/ram1 --rate 100k --no-wait >/dev/null; }
ready() { volume && ctl copy data /dev/ram1 --wait --timeout 30 >/dev/null 2>&1; }
nearly() { volume && ctl copy data /dev/ram1 --rate 4M --no-wait "$@" >/dev/null; }
behind() { nearly --mode background; }

tracks() { [[ $(dmsetup table data) == *" blkcopy track $1 0 "* ]]; }
on_base() { tracks 1:0; }
on_top() { tracks 1:1; }
mirrors() { [[ $(dmsetup table data) == *" blkcopy mirror 1:0 0 1:1 0 "* ]]; }
is_paused() { paused data; }
not_paused() { ! paused data; }
gone() { ! dmsetup info data >/dev/null 2>&1; }
slower() { [[ $(dmsetup table data) == *"rate_kib 50 "*"copy_mode background"* ]]; }
held() { copying && ctl pause data >/dev/null; }

kill_sweep true on_base 0 create data /dev/ram0
kill_sweep volume mirrors 0 copy data /dev/ram1 --no-wait
kill_sweep volume on_top 0 copy data /dev/ram1 --pivot --wait --rate 100M
# 3: "it has no copy" when it was killed after the last step.
kill_sweep ready on_top "0 3" pivot data
kill_sweep nearly on_top "0 3" wait data --pivot
kill_sweep behind on_top "0 3" wait data --pivot
kill_sweep copying is_paused 0 pause data
kill_sweep held not_paused 0 resume data
kill_sweep copying slower 0 set data rate=50k mode=background
kill_sweep copying on_base "0 3" abort data
kill_sweep volume gone "0 3" remove data
# A copy killed between its load and its switch can be taken back.
fresh
volume
BLKCTL_KILL_AT_STEP=2 "$BLKCTL" copy data /dev/ram1 --no-wait >/dev/null 2>&1 || true
has "$(dmsetup table --inactive data)" 'blkcopy mirror' "the loaded table of a copy killed at step 2"
has "$(ctl show data)" 'loaded' "show, with a loaded table"
exits 0 ctl abort data
is "$(dmsetup table --inactive data)" "" "the loaded table after abort"
on_base || fail "abort of a killed copy: $(dmsetup table)"
fresh
is "$(sum /dev/ram0)" "$want" "the device, after all that"
pass
