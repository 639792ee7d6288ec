#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=200
# A copy with --metadata: it is stopped in good order and comes back, its volume is
# gone without a word and comes back, and both times it goes on from what was
# copied, while it is written to; then it pivots, and its metadata are gone.
# guards: copy's metadata, its entry in the tab, the intent map as the CLI makes it.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 2 64
meta=/var/lib/blkctl/vol.copy
mkdir -p "${meta%/*}"
HAMMER=$(tool hammer)
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=64k count=1 seek="$1" oflag=direct conv=notrunc status=none; }
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
sleep 3
put 3
put 900
want=$(sum /dev/mapper/vol)
before=$(copied)
((before > 0)) || fail "nothing is copied"
exits 0 ctl deactivate vol
exits 0 ctl check "$meta"
has "$OUT" 'stopped in good order' "check after deactivate"
exits 0 ctl activate vol
is "$(sum /dev/mapper/vol)" "$want" "the volume, back again"
is "$(st vol mode phase)" "mirror copying" "its job"
(($(copied) >= before)) || fail "$before blocks were copied, $(copied) are"

note "without a word, while it is written to"
sleep 2
run_bg "$WORK/out" "$HAMMER" --seed 9 --seconds 3 --threads 4 --max 128k --flush 3 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
wait "$BG" || fail "hammer: $(cat "$WORK/out")"
before=$(copied)
udevadm settle
dmsetup remove vol
exits 0 ctl check "$meta"
want=$(sum /dev/ram0)
exits 0 ctl activate vol
is "$(sum /dev/mapper/vol)" "$want" "the volume, back again"
(($(copied) > before / 2)) || fail "$before blocks were copied, of which only $(copied) are"
exits 0 ctl set vol --rate 0
exits 0 ctl wait vol
same /dev/ram0 /dev/ram1

note "its end"
put 17
want=$(sum /dev/mapper/vol)
exits 0 ctl pivot vol
is "$(sum /dev/mapper/vol)" "$want" "after the pivot"
is "$(sum /dev/ram1)" "$want" "the new device"
is "$(st vol mode)" track "after the pivot"
[[ ! -e $meta ]] || note "the metadata file named by the user is kept"
ctl remove vol
pass
