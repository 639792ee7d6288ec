#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=200
# Volumes go in good order and come back from what is written down of them, in
# every stage of a job, with their data; what is not as recorded is refused by
# name, with nothing changed.
# guards: activate and deactivate, the tab, the stamp of a frozen base, loop devices that are ours.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 3 64
mkdir -p /var/lib/blkctl "$WORK/mnt"
loops_before=$(losetup -l --noheadings | wc -l)
loops_now() { losetup -l --noheadings | wc -l; }
gone() {
	is "$(dmsetup ls 2>/dev/null | grep -v '^No devices' || true)" "" "$1: dm devices"
	is "$(loops_now)" "$loops_before" "$1: loop devices"
}

note "an overlay"
ctl create vol /dev/ram0
mkfs.ext4 -q -F /dev/mapper/vol
mount /dev/mapper/vol "$WORK/mnt"
fs_load_start "$WORK/mnt"
sync -f "$WORK/mnt"
ctl snapshot vol=/dev/ram1
has "$(cat /etc/blkctltab)" 'vol - /var/lib/blkctl/vol.meta stamp=' "the tab after a snapshot"
exits 4 ctl deactivate vol
sleep 2
fs_load_stop "$WORK/mnt"
umount "$WORK/mnt"
want=$(sum /dev/mapper/vol)
differ /dev/mapper/vol /dev/ram0
uuid=$(dmsetup info -c --noheadings -o uuid vol)
ctl deactivate vol
gone "after deactivate"
exits 0 ctl check /var/lib/blkctl/vol.meta --base /dev/ram0 --top /dev/ram1
has "$OUT" 'stopped in good order' "check after deactivate"
exits 0 ctl activate vol --dry-run
gone "after a dry run"
ctl activate --all
is "$(sum /dev/mapper/vol)" "$want" "the overlay, back again"
is "$(dmsetup info -c --noheadings -o uuid vol)" "$uuid" "its UUID"
exits 0 ctl activate vol
has "$OUT" 'so already' "activate, again"
ctl deactivate vol

note "from the metadata alone, and a base that has changed"
mv /etc/blkctltab "$WORK/tab"
ctl activate /var/lib/blkctl/vol.meta
is "$(sum /dev/mapper/vol)" "$want" "from the metadata alone"
ctl deactivate vol
dd if=/dev/ram0 of="$WORK/first" bs=4k count=1 iflag=direct status=none
dd if=/dev/urandom of=/dev/ram0 bs=4k count=1 oflag=direct status=none
exits 8 ctl activate vol
has "$OUT" '/dev/ram0.*it was written to' "a base that has changed"
gone "after a refusal"
dd if="$WORK/first" of=/dev/ram0 bs=4k count=1 oflag=direct status=none
mk_linear holder /dev/ram0
exits 4 ctl activate vol
has "$OUT" 'holder' "a base that is held"
remove_dm holder
cp /var/lib/blkctl/vol.meta "$WORK/meta"
for at in 0 4096; do
	printf x | dd of=/var/lib/blkctl/vol.meta bs=1 seek=$((at + 100)) conv=notrunc status=none
done
exits 8 ctl activate vol
gone "after damaged metadata"
cp "$WORK/meta" /var/lib/blkctl/vol.meta
mv "$WORK/tab" /etc/blkctltab

note "a commit goes on where it was"
ctl activate vol
dmsetup reload vol --table "$(dmsetup table vol | sed 's/overlay/commit/') 0 2 rate_kib 256"
dmsetup resume vol
is "$(st vol mode phase)" "commit merging" "a slow commit"
sleep 1
ctl deactivate vol
gone "after a commit was cut off"
ctl activate vol
is "$(st vol mode)" commit "after activate"
is "$(sum /dev/mapper/vol)" "$want" "in the middle of a commit"
ctl commit vol --wait
is "$(st vol mode)" track "after the commit"
is "$(sum /dev/ram0)" "$want" "the base, with all merged"
is "$(loops_now)" "$loops_before" "loop devices after the commit"
[[ ! -e /var/lib/blkctl/vol.meta ]] || fail "the metadata file is left"
has "$(cat /etc/blkctltab)" 'vol name:ram0 - uuid=' "the tab after a commit"
ctl deactivate vol
ctl activate --all
is "$(sum /dev/mapper/vol)" "$want" "on one device, back again"
fs_check /dev/mapper/vol

note "a stream, over a store in a file that is somebody's loop device"
truncate -s 64M "$WORK/store"
mine=$(losetup -f --show "$WORK/store")
undo losetup -d "$mine"
ctl snapshot vol="$mine"
dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=20 seek=5 oflag=direct status=none
want=$(sum /dev/mapper/vol)
ctl commit vol --wait
losetup "$mine" >/dev/null || fail "the commit took away a loop device that is not its own"
is "$(sum /dev/ram0)" "$want" "the base after the second commit"
ctl remove vol
! grep -q '^vol ' /etc/blkctltab || fail "the tab names a volume that was removed"

ctl create new /dev/ram2 --from /dev/ram0 --copy-on-read --no-hydrate
dd if=/dev/urandom of=/dev/mapper/new bs=64k count=9 seek=100 oflag=direct status=none
ctl deactivate new
gone_but() { is "$(loops_now)" $((loops_before + 1)) "$1: loop devices"; }
gone_but "after a stream was cut off"
ctl activate new
has "$(dmsetup table new)" 'paused copy_on_read' "its options"
same /dev/mapper/new /dev/ram0 1048576
le "$(st new both)" 100 "blocks that were read are kept, and no others"
ctl resume new
ctl wait new --timeout 60
want=$(sum /dev/mapper/new)
same /dev/mapper/new /dev/ram0 6553600
garbage /dev/ram0
ctl deactivate new
ctl activate new
is "$(st new mode)" track "a stream that was through"
is "$(sum /dev/mapper/new)" "$want" "the filled device"
ctl remove new

note "what nothing would bring back"
ctl create plain /dev/ram2
exits 2 ctl deactivate plain
has "$OUT" 'blkctl remove plain' "what it says instead"
# At a shutdown that is no failure.
exits 0 ctl deactivate --all
has "$OUT" 'plain: stays' "deactivate --all of it"
is "$(st plain mode)" track "it"
ctl remove plain

note "missing and wrong devices"
ctl create file /dev/ram0
ctl snapshot file="$WORK/file.store" --force
ctl deactivate file
mv "$WORK/file.store" "$WORK/elsewhere"
exits 3 ctl activate file
has "$OUT" "its top file:$WORK/file.store is not there" "a store that is gone"
truncate -s 1M "$WORK/file.store"
exits 8 ctl activate file
has "$OUT" 'too small' "a store that is too small"
mv -f "$WORK/elsewhere" "$WORK/file.store"
echo "nonsense" >>/etc/blkctltab
exits 5 ctl activate --all
has "$OUT" 'line [0-9]+: it is not NAME DEVICE METADATA' "a line that makes no sense"
is "$(st file mode)" overlay "and the volume all the same"
exits 0 ctl deactivate file
exits 3 ctl activate nothing
exits 2 ctl activate
exits 2 ctl activate file --all
rm -f /var/lib/blkctl/* /etc/blkctltab
pass
