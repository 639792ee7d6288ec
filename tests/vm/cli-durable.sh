#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.1,6.12 timeout=200
# snapshot, commit, stream and create --from, by the command line tool, on a
# mounted file system in use: data as written, the old base as it was, nothing
# left behind.
# guards: the verbs of volumes on two devices, their metadata files and loop devices;
# what is on top flushes.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 3 64
mkdir -p /var/lib/blkctl "$WORK/mnt"
loops_before=$(losetup -l --noheadings | wc -l)

note "a snapshot, merged back"
ctl create vol /dev/ram0
mkfs.ext4 -q -F /dev/mapper/vol
mount /dev/mapper/vol "$WORK/mnt"
fs_load_start "$WORK/mnt"
sync -f "$WORK/mnt"
ctl snapshot vol=/dev/ram1
is "$(st vol mode phase health)" "overlay idle rw" "after the snapshot"
frozen=$(sum_of /dev/ram0)
sleep 3
is "$(sum_of /dev/ram0)" "$frozen" "base under a snapshot"
has "$(ctl show vol)" "written to +/dev/ram1" "show of an overlay"
exits 4 ctl copy vol /dev/ram2
ctl commit vol --wait
is "$(st vol mode)" track "after the commit"
fs_load_stop "$WORK/mnt"
umount "$WORK/mnt"
fs_check /dev/mapper/vol
is "$(losetup -l --noheadings | wc -l)" "$loops_before" "loop devices after the commit"
is "$(find /var/lib/blkctl -name '*meta*' | wc -l)" 0 "metadata files after the commit"

note "a snapshot, pulled up"
mount /dev/mapper/vol "$WORK/mnt"
fs_load_start "$WORK/mnt"
ctl snapshot vol=/dev/ram1 --force
sleep 2
ctl stream vol --wait
is "$(st vol mode)" track "after the stream"
garbage /dev/ram0
fs_load_stop "$WORK/mnt"
umount "$WORK/mnt"
fs_check /dev/mapper/vol
ctl remove vol

note "a volume whose data is elsewhere"
before=$(sum_of /dev/ram1)
ctl create new /dev/ram2 --from /dev/ram1
mount /dev/mapper/new "$WORK/mnt"
(cd "$WORK/mnt" && sha256sum --quiet -c "$WORK/sums") || fail "files differ on a volume that streams"
ctl wait new --timeout 60
umount "$WORK/mnt"
ctl stream new || true
is "$(st new mode)" track "after the stream of a new volume"
is "$(sum_of /dev/ram1)" "$before" "the base of a stream"
fs_check /dev/mapper/new
ctl remove new

note "something on top that passes no flush on"
mk_linear low /dev/ram0
mk_linear above /dev/mapper/low
exits 0 ctl attach low
exits 4 ctl snapshot low=/dev/ram1 --force
has "$OUT" 'above, which is on it, passes no flush on' "the refusal"
swap_dm above "$(linear_line /dev/mapper/low)"
exits 0 ctl snapshot low=/dev/ram1 --force
exits 0 ctl commit low --wait
remove_dm above
exits 0 ctl detach low
remove_dm low
is "$(losetup -l --noheadings | wc -l)" "$loops_before" "loop devices left"
pass
