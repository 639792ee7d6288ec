#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=240
# Several volumes at one instant while others do not answer. Udev is silent about nine of
# them: no cookie is left. The freeze of one filesystem hangs, so that the command
# cannot be killed: the one that was frozen before it is thawed all the same, and
# when the device answers nothing is frozen, suspended or switched.
# guards: the end of a cookie with many devices on it; what the guard does for a
# command that does not die.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 18 16
mkdir -p /var/lib/blkctl "$WORK/a" "$WORK/b"

note "udev does not answer"
views=()
for ((i = 0; i < 9; i++)); do
	exits 0 ctl create "v$i" "/dev/ram$i"
	undo remove_dm "v$i"
	views+=("v$i=now$i=/dev/ram$((i + 9))")
done
udevadm settle --timeout=20
undo bash -c 'udevadm control --start-exec-queue; dmsetup remove now0 2>/dev/null; true'
udevadm control --stop-exec-queue
run_bg "$WORK/views" "$BLKCTL" view "${views[@]}"
has_switched() { [[ $(st v8 mode) == backup ]]; }
# It is made once the wait for udev about the volumes is over, and is waited for itself.
has_first_view() { dmsetup table now0 2>/dev/null | grep -q blkcopy-view; }
until_true 30 "the volumes do not switch" has_switched
is "$(new_cookies | wc -l)" 1 "cookies while udev is waited for"
until_true 60 "the wait for udev does not end" has_first_view
sleep 1
is "$(new_cookies | wc -l)" 1 "cookies: that of the view, and none of the volumes"
kill -KILL "$BG"
wait "$BG" || true
udevadm control --start-exec-queue
udevadm settle --timeout=20
for ((i = 0; i < 9; i++)); do exits 0 ctl abort "v$i"; done
remove_dm now0
for ((i = 0; i < 9; i++)); do remove_dm "v$i"; done
nothing_stuck "with udev back"

note "a freeze that hangs"
# It is over a minute.
hung=/proc/sys/kernel/hung_task_timeout_secs
undo bash -c "echo $(<$hung) >$hung"
echo 0 >$hung
# Frozen in the order of their numbers.
mk_linear low /dev/ram1
exits 0 ctl create a /dev/ram0
undo remove_dm a
exits 0 ctl create b /dev/mapper/low
undo remove_dm b
mkfs.ext4 -q -F /dev/mapper/a
mkfs.ext4 -q -F /dev/mapper/b
for n in a b; do
	mount "/dev/mapper/$n" "$WORK/$n"
	undo bash -c "! mountpoint -q $WORK/$n || umount $WORK/$n"
done
before=$(dmsetup table)
snapshot=(snapshot a=/dev/ram2 b=/dev/ram3 --force)
udevadm settle --timeout=20
dd if=/dev/urandom of="$WORK/b/dirty" bs=64k count=8 status=none
dmsetup suspend --noflush --nolockfs low
undo dmsetup resume low
run_bg "$WORK/out" "$BLKCTL" "${snapshot[@]}"
stuck=$BG
is_freezing() { grep -q freeze_super "/proc/$stuck/stack" 2>/dev/null; }
until_true 30 "no freeze hangs" is_freezing
sleep 1
# Who writes to a frozen filesystem cannot be killed.
touch "$WORK/a/alive" &
JOBS+=($!)
sleep 2
[[ ! -e $WORK/a/alive ]] || fail "the filesystem on a is not frozen: nothing was tested"
until_true 90 "the filesystem on a stays frozen" test -e "$WORK/a/alive"
is_freezing || fail "the freeze has ended: nothing was tested"
dmsetup resume low
status=0
wait "$stuck" || status=$?
is "$status" 137 "the command that hung: $(cat "$WORK/out")"
touch "$WORK/b/alive" &
JOBS+=($!)
until_true 20 "the filesystem on b stays frozen" test -e "$WORK/b/alive"
is "$(suspended_devices)" "" "suspended devices"
is "$(dmsetup table a; dmsetup table b)" "$(grep -E '^[ab]: ' <<<"$before" | sed 's/^.: //')" "the tables"
is "$(inactive_tables)" "" "inactive tables"
exits 0 ctl "${snapshot[@]}"
nothing_stuck "the same again"
[[ $(dmsetup table a) == *overlay* && $(dmsetup table b) == *overlay* ]] || fail "the same again: $(dmsetup table)"
umount "$WORK/a"
umount "$WORK/b"
exits 0 ctl deactivate a
exits 0 ctl deactivate b
rm -rf /run/blkctl /var/lib/blkctl/* /etc/blkctltab
pass
