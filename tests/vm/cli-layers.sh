#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=300 mem=1200
# Eight snapshots, each of the one before, under a writer that verifies: every
# frozen layer stays as it was; a middle one and the lowest are merged down with
# the top in use; a commit and a stream of the top; deactivated and brought back,
# between a merge and its end too.
# guards: layers that share their state, tables that move from one device to another, the tab of a chain.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 10 8
mkdir -p /var/lib/blkctl
loops_before=$(losetup -l --noheadings | wc -l)
layer() { ctl show vol --json | jq -r ".volume.layers[] | select(.number == $1) | .$2"; }
layers() { ctl show vol --json | jq -r '[.volume.layers[].number] | join(" ")'; }

note "eight layers"
ctl create vol /dev/ram0
hammer_start /dev/mapper/vol --threads 2 --max 64k --discard 0 --think-us 3000
for n in 1 2 3 4 5 6 7 8; do
	sleep 0.7
	hammer_alive
	ctl snapshot vol=/dev/ram$n >/dev/null
done
exits 4 ctl snapshot vol=/dev/ram9
has "$OUT" '8 layers already' "a ninth layer"
is "$(layers)" "1 2 3 4 5 6 7" "the layers"
has "$(ctl show vol)" $'layer 7 +overlay on .*layer 1 +overlay on /dev/ram0' "show"
has "$(ctl list --noheadings -o name)" '^ *vol *$' "list: layers are no volumes"
exits 2 ctl stream vol-blk2
has "$OUT" 'layer 2 of the volume vol' "a layer, named as a volume"
hammer_alive
declare -A frozen
frozen[0]=$(sum /dev/ram0)
for n in 1 2 3 4 5 6 7; do frozen[$n]=$(sum /dev/mapper/vol-blk$n); done
sleep 1
for n in 1 2 3 4 5 6 7; do is "$(sum /dev/mapper/vol-blk$n)" "${frozen[$n]}" "layer $n, while the volume is written to"; done
is "$(sum /dev/ram0)" "${frozen[0]}" "the base, while the volume is written to"

note "a middle layer is merged into the one below, with the top in use"
ctl commit vol --layer 4 --wait
hammer_alive
is "$(layers)" "1 2 4 5 6 7" "the layers"
for n in 1 2 4 5 6 7; do is "$(sum /dev/mapper/vol-blk$n)" "${frozen[$n]}" "layer $n, after that"; done
exits 3 ctl commit vol --layer 3
has "$OUT" 'no layer 3' "a layer that is gone"

note "the lowest layer is merged into the base"
ctl commit vol --layer 1 --wait
hammer_alive
is "$(layer 1 mode)" track "what is left of the lowest layer"
is "$(sum /dev/ram0)" "${frozen[1]}" "the base, with layer 1 merged"
is "$(sum /dev/mapper/vol-blk1)" "${frozen[1]}" "layer 1"
is "$(sum /dev/mapper/vol-blk7)" "${frozen[7]}" "layer 7"

note "the top is merged, and there is a new one"
ctl commit vol --wait
is "$(layers)" "1 2 4 5 6" "the layers"
ctl snapshot vol=/dev/ram9 --force
is "$(layers)" "1 2 4 5 6 7" "the layers"
hammer_stop

note "away and back"
want=$(sum /dev/mapper/vol)
ctl deactivate vol
is "$(dmsetup ls 2>/dev/null | grep -v '^No devices' || true)" "" "devices after deactivate"
is "$(losetup -l --noheadings | wc -l)" "$loops_before" "loop devices after deactivate"
ctl activate vol
is "$(sum /dev/mapper/vol)" "$want" "the volume, back again"
is "$(sum /dev/mapper/vol-blk6)" "${frozen[6]}" "layer 6, back again"
is "$(sum /dev/mapper/vol-blk2)" "${frozen[2]}" "layer 2, back again"
leg_holds /dev/mapper/vol

note "away and back between a merge and its end"
away_and_back() { # WHAT
	ctl deactivate vol
	ctl activate vol
	is "$(sum /dev/mapper/vol)" "$want" "$1: the volume, back again"
}
merged_away_and_back() { # DEVICE [OPTION...]
	ctl commit vol "${@:2}" --no-wait
	wait_phase "$1" 60 merged
	away_and_back "$1, merged"
	is "$(st "$1" mode phase)" "commit merged" "$1, back again"
	ctl commit vol "${@:2}" --wait
	is "$(st "$1" mode)" overlay "$1, after its end"
	is "$(sum /dev/mapper/vol)" "$want" "$1, after its end: the volume"
	away_and_back "$1, after its end"
	is "$(st "$1" mode)" overlay "$1, after its end, back again"
}
merged_away_and_back vol
is "$(layers)" "1 2 4 5 6" "the layers, without the top"
ctl snapshot vol=/dev/ram9 --force
is "$(layers)" "1 2 4 5 6 7" "the layers"
merged_away_and_back vol-blk5 --layer 5
is "$(layers)" "1 2 5 6 7" "the layers, without one in the middle"
is "$(sum /dev/mapper/vol-blk5)" "${frozen[5]}" "layer 5, after that"
is "$(find /var/lib/blkctl -name '*meta*' | wc -l)" 6 "metadata files: of the layers and the volume"
leg_holds /dev/mapper/vol

note "the top is filled from all below"
hammer_start /dev/mapper/vol --threads 2 --max 64k --discard 0 --think-us 3000 --load-model "$WORK/model"
ctl stream vol --wait
is "$(st vol mode)" track "after the stream"
is "$(dmsetup ls | grep -c -- -blk || true)" 0 "layers left"
for n in 0 1 2 3 4 5 6 7 8; do garbage /dev/ram$n; done
hammer_stop
leg_holds /dev/ram9
is "$(losetup -l --noheadings | wc -l)" "$loops_before" "loop devices left"
is "$(find /var/lib/blkctl -name '*meta*' | wc -l)" 0 "metadata files left"
has "$(cat /etc/blkctltab)" 'vol name:ram9 - ' "the tab"
ctl remove vol
rm -f /etc/blkctltab
pass
