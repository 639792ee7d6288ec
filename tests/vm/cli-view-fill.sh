#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=240
# A view whose store fails breaks, or holds until that is tried again, as it was asked
# for, while the volume goes on; so does a backup. One that is filled is all in its store
# in the end: begun late, paused, slowed down, brought back with its volume. What a volume
# that has a view cannot be told is refused by name, with what to run next.
# guards: --on-store-error and --fill; set, pause and resume of a volume with a view.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-fails.sh"
volume_on_base
mkdir -p /var/lib/blkctl
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=64k seek="$1" count="${2:-1}" oflag=direct conv=notrunc status=none; }
held() { [[ $(json vol .volume.state) == needs-attention ]]; }
nothing_held() { [[ $(st vol inflight) == 0 ]]; }
filled() { [[ $(st vol base_only inflight) == "0 0" ]]; }
view() { # OPTION...: a new one
	instant=$(sum /dev/ram0)
	exits 0 ctl view vol now --store $top --force "$@"
}
holds() { is "$(sum /dev/mapper/now)" "$instant" "the view, $1"; }
over() {
	exits 0 ctl remove now
	on base
	healthy top
}

note "it breaks"
view --on-store-error break-snapshot
has "$(ctl show vol)" 'it breaks if the store fails' "what show says"
becomes top "$(bad_writes /dev/ram1)"
put 0
until_true 10 "not broken" phase_is vol broken
refused 'Input/output error' dd if=/dev/mapper/now of=/dev/null bs=4k count=1 iflag=direct
fails 5 'set vol: its view is broken .try: blkctl abort vol' set vol on-top-error=stop
over

note "it holds"
view --on-store-error stop
has "$(ctl show vol)" 'it holds if the store fails' "what show says"
becomes top "$(bad_writes /dev/ram1)"
put 0 2
until_true 10 "not held" held
holds "with its store failing"
put 2
has "$(ctl show vol)" 'next +blkctl resume vol, or blkctl abort vol' "what to do"
fails 8 'pause vol: its store has failed, and is held: .*blkctl resume vol' pause vol
fails 8 'view now: it is there, and its store has failed: .*blkctl resume vol' view vol now --store $top --fill
healthy top
exits 0 ctl resume vol
until_true 10 "what it had not taken" nothing_held
is "$(json vol .volume.state)" preserving "its state after that"
holds "with its store well again"
paused vol || fail "to try the store again has begun a fill"
ge "$(st vol base_only)" 1 "blocks that nobody has overwritten"

note "what it cannot be told"
before=$(dmsetup table vol)
fails 3 'resume vol: nothing is copied in the background.*same blkctl view again, with --fill' resume vol
fails 3 'pause vol: nothing is copied in the background.*same blkctl view again, with --fill' pause vol
fails 3 'set vol: rate is of what is copied in the background.*--fill' set vol rate=1M
fails 3 'set vol: run is of what is copied in the background.*--fill' set vol inflight=1M run=64k
fails 2 'set vol: mode means nothing to its view.*blkctl help set' set vol mode=dual
fails 2 'set vol: on-base-error means nothing to its view' set vol on-base-error=stop
fails 2 'set vol: on-top-error=ignore means nothing to its view' set vol on-top-error=ignore
fails 2 'view: --on-store-error "ignore": none of' view vol now --store $top --on-store-error ignore
fails 4 'view now: it is there, with --on-store-error stop .*blkctl set vol on-top-error=enospc' \
	view vol now --store $top --on-store-error enospc
is "$(dmsetup table vol)" "$before" "the table after refusals"
exits 0 ctl set vol inflight=1M on-top-error=enospc
has "$(dmsetup table vol)" 'inflight_kib 1024 on_top_error enospc' "the table after what it can be told"
exits 0 ctl view vol now --store $top --on-store-error enospc
has "$OUT" 'nothing to do' "the same view again"

note "begun late"
exits 0 ctl view vol now --store $top --fill
until_true 20 "all is in its store" filled
holds "all of it in its store"
has "$(ctl show vol)" 'kept +all of it' "what show says"
is "$(sum /dev/ram1)" "$instant" "the store"
over

note "paused, and slowed down"
becomes top "0 $(sectors /dev/ram1) delay /dev/ram1 0 0 /dev/ram1 0 1000"
view --fill
exits 0 ctl pause vol
until_true 20 "what was on its way" nothing_held
left=$(st vol base_only)
ge "$left" 1 "blocks left when it was paused"
sleep 1
is "$(st vol base_only)" "$left" "blocks left while it was paused"
exits 0 ctl set vol rate=32M
healthy top
put 100
holds "paused"
exits 0 ctl resume vol
until_true 30 "all is in its store" filled
has "$(ctl show vol)" 'at most 32.0 MiB/s' "what show says"
holds "all of it in its store"
over

note "only what has changed, all of it"
exits 0 ctl bitmap add vol b
put 10 3
view --bitmap b --only-changed --fill
until_true 20 "all that is kept is in its store" filled
is "$(st vol both zero)" "3 253" "what is in the store, and what was given up"
over
exits 0 ctl bitmap remove vol b

note "back with its volume"
view --persistent --fill --on-store-error stop
has "$(cat /etc/blkctltab)" 'vol - [^ ]* fill,on_top_error=stop' "the tab"
exits 0 ctl deactivate vol
exits 0 ctl activate vol
! paused vol || fail "the fill does not come back with its volume"
has "$(dmsetup table vol)" 'on_top_error stop' "the line"
until_true 20 "all is in its store" filled
exits 0 ctl view vol now --store $top --persistent --fill
put 0 4
holds "back again"
over

note "a backup holds"
instant=$(sum /dev/ram0)
run_bg "$WORK/backup" "$BLKCTL" backup vol "$RESULTS/vol.img" --store $top --force --on-store-error stop --rate 1M
until_true 20 "no view: $(cat "$WORK/backup")" test -b /dev/mapper/vol-backup
becomes top "$(bad_writes /dev/ram1)"
put 200
until_true 10 "not held" held
healthy top
exits 0 ctl resume vol
wait "$BG" || fail "the backup failed: $(cat "$WORK/backup")"
is "$(sha256sum <"$RESULTS/vol.img" | cut -d' ' -f1)" "$instant" "the image"
on base
exits 0 ctl remove vol
pass
