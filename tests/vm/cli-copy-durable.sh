#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=240
# A copy with --metadata of a volume in use: it is stopped in good order and comes
# back, and goes on from what was copied; its volume is gone without a word, and it
# takes nothing for copied that it cannot be sure of; then it pivots.
# guards: copy's metadata, its entry in the tab, the intent map as the CLI makes it.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 2 64
meta=/var/lib/blkctl/vol.copy
mkdir -p "${meta%/*}"
# A second or so of writes; the model goes on from the last.
busy() {
	run_bg "$WORK/out" "$HAMMER" --seed "$1" --seconds 2 --threads 4 --max 128k --flush 3 \
		--load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
	wait "$BG" || fail "hammer: $(cat "$WORK/out")"
}
copied() { st vol both; }

ctl create vol /dev/ram0
fill /dev/mapper/vol
exits 2 ctl copy vol /dev/ram1 --metadata /dev/ram1
exits 0 ctl copy vol /dev/ram1 --metadata "$meta" --dry-run
is "$(st vol mode)" track "after a dry run"
[[ ! -e $meta ]] || fail "a dry run has made $meta"
exits 0 ctl copy vol /dev/ram1 --metadata "$meta" --rate 4M --no-wait
has "$(cat /etc/blkctltab)" "vol - $meta" "the tab"

note "in good order"
busy 2
want=$(sum /dev/mapper/vol)
exits 0 ctl pause vol
exits 0 ctl set vol mode=background
before=$(copied)
((before > 0)) || fail "nothing is copied"
exits 0 ctl deactivate vol
exits 0 ctl check "$meta"
has "$OUT" 'stopped in good order' "check after deactivate"
exits 0 ctl activate vol
is "$(sum /dev/mapper/vol)" "$want" "the volume, back again"
has "$(dmsetup table vol)" ' mirror .* 1 paused 4 rate_kib 4096 copy_mode background$' "its job"
(($(copied) >= before)) || fail "$before blocks were copied, $(copied) are"
exits 0 ctl set vol mode=dual
exits 0 ctl resume vol
! grep -q -e paused -e copy_mode /etc/blkctltab || fail "the tab: $(cat /etc/blkctltab)"
busy 3
leg_holds /dev/ram0

note "without a word"
exits 0 ctl set vol rate=4M
udevadm settle
remove_dm vol
dd if=/dev/urandom of=/dev/ram0 bs=64k count=1 seek=100 oflag=direct conv=notrunc status=none
want=$(sum /dev/ram0)
exits 0 ctl activate vol
is "$(sum /dev/mapper/vol)" "$want" "the volume, back again"
exits 0 ctl set vol rate=none
exits 0 ctl wait vol
same /dev/ram0 /dev/ram1

note "its end"
exits 0 ctl pivot vol
is "$(sum /dev/mapper/vol)" "$want" "after the pivot"
is "$(sum /dev/ram1)" "$want" "the new device"
is "$(st vol mode)" track "after the pivot"
exits 0 ctl remove vol
pass
