#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.12 timeout=300
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
data_right() { is "$(sum /dev/mapper/data)" "$want" "$1: the sum of the volume's data"; }

fresh() { # whatever is left goes
	local n
	for n in $(dmsetup ls --target blkcopy 2>/dev/null | awk '!/^No/ { print $1 }') data; do remove_dm "$n"; done
	dd if=/dev/zero of=/dev/ram1 bs=1M count=4 oflag=direct status=none
	rm -rf /run/blkctl
}
volume() { ctl create data /dev/ram0 >/dev/null; }
copying() { volume && ctl copy data /dev/ram1 --rate 100k --no-wait >/dev/null; }
ready() { volume && ctl copy data /dev/ram1 --wait --timeout 30 >/dev/null 2>&1; }

sweep() { # PREPARE CHECK VERB ARGS...
	local prepare=$1 check=$2 n status total=0
	shift 2
	for ((n = 1; n < 20; n++)); do
		fresh
		$prepare
		status=0
		BLKCTL_KILL_AT_STEP=$n timeout 60 "$BLKCTL" "$@" >"$WORK/out" 2>&1 || status=$?
		((status == 0)) && break
		((status == 137)) || fail "'$*' to be killed at step $n exited with $status: $(cat "$WORK/out")"
		((++total))
		nothing_stuck "'$*' killed at step $n"
		[[ ! -b /dev/mapper/data || $(dmsetup info -c --noheadings -o attr data) != L* ]] || data_right "'$*' killed at step $n"
		exits_any "${DONE:-0}" ctl "$@"
		nothing_stuck "'$*' again after step $n"
		$check || fail "'$*', run again after it was killed at step $n, did not do its work: $(dmsetup table)"
		[[ ! -b /dev/mapper/data ]] || data_right "'$*' again after step $n"
		is "$(dmsetup table --inactive 2>/dev/null | grep -v '^No' | sed 's/.*: *$//' | xargs)" "" "'$*' again after step $n: inactive tables"
	done
	((total > 0)) || fail "'$*' was never killed: it has no steps"
	note "'$*': killed at $total points"
}
tracks() { [[ $(dmsetup table data) == *" blkcopy track $1 0 "* ]]; }
on_base() { tracks 1:0; }
on_top() { tracks 1:1; }
mirrors() { [[ $(dmsetup table data) == *" blkcopy mirror 1:0 0 1:1 0 "* ]]; }
is_paused() { paused data; }
not_paused() { ! paused data; }
gone() { ! dmsetup info data >/dev/null 2>&1; }
slower() { [[ $(dmsetup table data) == *"rate_kib 50 "*"copy_mode background"* ]]; }
held() { copying && ctl pause data >/dev/null; }

sweep true on_base create data /dev/ram0
sweep volume mirrors copy data /dev/ram1 --no-wait
sweep volume on_top copy data /dev/ram1 --pivot --wait --rate 100M
# 3: "it has no copy" when it was killed after the last step.
DONE="0 3" sweep ready on_top pivot data
sweep copying is_paused pause data
sweep held not_paused resume data
sweep copying slower set data rate=50k mode=background
# A copy killed between its load and its switch can be taken back.
fresh
volume
BLKCTL_KILL_AT_STEP=2 "$BLKCTL" copy data /dev/ram1 --no-wait >/dev/null 2>&1 || true
has "$(dmsetup table --inactive data)" 'blkcopy mirror' "the loaded table of a copy killed at step 2"
has "$(ctl show data)" 'loaded' "show, with a loaded table"
exits 0 ctl abort data
is "$(dmsetup table --inactive data)" "" "the loaded table after abort"
on_base || fail "abort of a killed copy: $(dmsetup table)"
# An abort killed at its end leaves nothing to abort: that is said, and all.
for ((n = 1; n < 10; n++)); do
	fresh
	copying
	status=0
	BLKCTL_KILL_AT_STEP=$n timeout 60 "$BLKCTL" abort data >/dev/null 2>&1 || status=$?
	((status == 0)) && break
	nothing_stuck "abort killed at step $n"
	exits_any "0 3" ctl abort data
	on_base || fail "abort, again after step $n: $(dmsetup table)"
	data_right "abort killed at step $n"
	nothing_stuck "abort again after step $n"
done
((n > 1)) || fail "abort was never killed"
for ((n = 1; n < 10; n++)); do
	fresh
	volume
	status=0
	BLKCTL_KILL_AT_STEP=$n timeout 60 "$BLKCTL" remove data >/dev/null 2>&1 || status=$?
	((status == 0)) && break
	nothing_stuck "remove killed at step $n"
	exits_any "0 3" ctl remove data
	gone || fail "remove, again after step $n: $(dmsetup table)"
	nothing_stuck "remove again after step $n"
done
((n > 1)) || fail "remove was never killed"
fresh
is "$(sum /dev/ram0)" "$want" "the device, after all that"
pass
