#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=600
# view, the removal of a view, and a backup, killed (-9) at every step: nothing is
# stuck, and the same command again finishes, without a word of what it has not done.
# guards: the order of the steps of each, and what each takes for its own.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 2 16
exits 0 ctl create vol /dev/ram0
undo remove_dm vol
fill /dev/mapper/vol
sum=$(sum_of /dev/mapper/vol)
fresh() { [[ ! -e /dev/mapper/now ]] || ctl remove now >/dev/null; [[ $(st vol mode) == track ]] || ctl abort vol >/dev/null; }
still_right() { is "$(sum_of /dev/mapper/vol)" "$sum" "the volume after $1"; }
is_there() { [[ $(st vol mode phase) == "backup preserving" && $(sum_of /dev/mapper/now) == "$sum" ]]; }
is_gone() { [[ $(st vol mode) == track && ! -e /dev/mapper/now ]]; }
kill_sweep true is_there 0 view vol now --store /dev/ram1 --force
have_view() { ctl view vol now --store /dev/ram1 --force >/dev/null; }
kill_sweep have_view is_gone "0 3" remove now
note "a backup, and its end"
exits 0 ctl bitmap add vol b
no_image() { rm -f "$WORK"/image*; }
is_whole() { [[ $OUT != *'keeps its bits'* && $(ctl bitmap list vol --json | jq -r '.bitmaps[0] | "\(.state) \(.dirty_blocks)"') == "recording 0" ]]; }
is_backed_up() { is_gone && [[ $(sum_of "$WORK/image") == "$sum" ]] && is_whole; }
kill_sweep no_image is_backed_up 0 backup vol "$WORK/image" --bitmap b --full --store /dev/ram1 --force
exits 0 ctl bitmap remove vol b
note "a view, persistent"
persistent=(view vol now --store /dev/ram1 --force --persistent)
is_kept() { is_there && [[ $(dmsetup table vol) == *backup_persistent* && $(cat /etc/blkctltab) == *'vol - /var/lib/blkctl/vol.meta'* ]]; }
is_plain() { is_gone && [[ $(cat /etc/blkctltab) == *'vol name:ram0 - '* ]]; }
kill_sweep true is_kept 0 "${persistent[@]}"
have_view() { ctl "${persistent[@]}" >/dev/null; }
kill_sweep have_view is_plain "0 3" remove now
fresh
ctl deactivate vol
is "$(losetup -l --noheadings)" "" "loop devices, of what was killed"
ctl activate vol
pass
