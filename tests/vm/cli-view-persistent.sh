#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=200
# A view that outlives its volume's being there, by the command line tool: kept
# over deactivate and activate with the data of its instant, after an end that was
# not clean as well; ended, it leaves nothing.
# guards: view --persistent and --metadata, the tab, what comes back.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 3 64
mkdir -p /var/lib/blkctl
loops_before=$(losetup -l --noheadings | wc -l)
nothing_left() {
	is "$(st vol mode)" track "$1: the volume"
	is "$(losetup -l --noheadings | wc -l)" "$loops_before" "$1: loop devices"
	[[ ! -e /var/lib/blkctl/vol.meta ]] || fail "$1: the metadata file is left"
	has "$(cat /etc/blkctltab)" '^vol name:ram0 - |'$'\n''vol name:ram0 - ' "$1: the tab"
}
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=64k count="$2" seek="$1" oflag=direct conv=notrunc status=none; }
exits 0 ctl create vol /dev/ram0
undo bash -c '[[ ! -e /dev/mapper/vol ]] || remove_dm vol'
mkfs.ext4 -q -F /dev/mapper/vol
put 700 20
sum_then=$(sum /dev/mapper/vol)

for store in /dev/ram1 "$RESULTS/store"; do
	note "persistent, on $store"
	before=$(dmsetup table vol)
	exits 0 ctl view vol now --store "$store" --persistent --dry-run
	is "$(dmsetup table vol)" "$before" "after a dry run"
	exits 0 ctl view vol now --store "$store" --persistent
	has "$(dmsetup table vol)" 'backup_persistent' "the line"
	has "$(cat /etc/blkctltab)" 'vol - /var/lib/blkctl/vol.meta' "the tab"
	put 0 40
	is "$(sum /dev/mapper/now)" "$sum_then" "the view"
	exec {reader}</dev/mapper/now
	exits 4 ctl deactivate vol
	exec {reader}<&-
	exits 0 ctl deactivate vol
	[[ ! -e /dev/mapper/now ]] || fail "the view's device is left"
	exits 0 ctl check /var/lib/blkctl/vol.meta
	has "$OUT" 'backup, preserving, stopped in good order' "check"
	exits 0 ctl activate --all
	put 40 40
	exits 0 ctl view vol now --store "$store" --persistent
	is "$(sum /dev/mapper/now)" "$sum_then" "the view, back again"
	# The disk as a crash now would leave it.
	cp /var/lib/blkctl/vol.meta "$WORK/meta"
	exits 0 ctl deactivate vol
	cp "$WORK/meta" /var/lib/blkctl/vol.meta
	exits 0 ctl activate vol
	exits 0 ctl view vol now --store "$store" --persistent
	put 80 10
	is "$(sum /dev/mapper/now)" "$sum_then" "the view, after an end that was not clean"
	exits 0 ctl remove now
	nothing_left "removed"
	sum_then=$(sum /dev/mapper/vol)
done

note "kept in good order alone"
meta=$RESULTS/view.meta
exits 0 ctl view vol now --store /dev/ram1 --force --metadata "$meta"
put 0 40
exits 0 ctl deactivate vol
exits 0 ctl activate vol
exits 0 ctl view vol now --store /dev/ram1 --metadata "$meta"
is "$(sum /dev/mapper/now)" "$sum_then" "the view, back again"
cp "$meta" "$WORK/meta"
exits 0 ctl deactivate vol
cp "$WORK/meta" "$meta"
exits 0 ctl activate vol
is "$(st vol phase)" broken "after an end that was not clean"
exits 0 ctl abort vol
nothing_left "aborted"

note "its store is lost"
mk_linear gone /dev/ram2
exits 0 ctl view vol now --store /dev/mapper/gone --force --persistent
put 0 10
exits 0 ctl deactivate vol
remove_dm gone
sum_then=$(sum /dev/ram0)
exits 3 ctl activate vol
has "$OUT" 'store of its view.*--break-view' "what it says"
exits 0 ctl activate vol --break-view
is "$(st vol mode)" track "without it"
is "$(sum /dev/mapper/vol)" "$sum_then" "the volume"
exits 4 ctl activate vol --break-view
put 20 10
exits 0 ctl deactivate vol
exits 0 ctl check /var/lib/blkctl/vol.meta
has "$OUT" 'backup, broken' "check"
exits 0 ctl activate vol
exits 0 ctl view vol now --store /dev/ram1 --force --persistent
exits 0 ctl remove now
nothing_left "after that"

note "bad input"
exits 2 ctl activate --all --break-view
before=$(dmsetup table)
exits 2 ctl view vol=now=/dev/ram1 --metadata "$meta"
exits 3 ctl view vol now --store /dev/ram1 --force --persistent --metadata /dev/nothing
exits 2 ctl view vol now --store /dev/ram1 --force --metadata /dev/ram1
dd if=/dev/urandom of="$WORK/other" bs=1M count=1 status=none
exits 4 ctl view vol now --store /dev/ram1 --force --metadata "$WORK/other"
mk_linear lv /dev/ram2
exits 0 ctl attach lv
exits 2 ctl view lv now --store /dev/ram1 --force --persistent
exits 0 ctl detach lv
remove_dm lv
is "$(dmsetup table)" "$before" "after refusals"
ctl remove vol
pass
