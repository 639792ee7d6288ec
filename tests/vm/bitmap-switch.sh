#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=90
# A power cut between the suspend and the resume of a switch of ours costs no bitmap
# and no mirror: the disk says that writes may have gone past only once the device
# may get somebody else's table.
# guards: bkc_past_goes_on, bkc_past_looked_for, past_flag.
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-bitmap.sh"
load_module
mk_loops 8
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 seek=$(($1 * 16)) oflag=direct conv=notrunc status=none; } # BLOCK
come_back() { dmsetup create vol --table "$line"; }
clean=1 top_stale=4 unsealed=16

# says FLAG: 1 if the newer superblock has it.
says() {
	local newer=0
	(($(meta_word $((4096 + 40)) 8) < $(meta_word 40 8))) || newer=4096
	echo $((($(meta_word $((newer + 68)) 4) & $1) != 0))
}

# switches FLAG: what the disk says of a volume that is about to get another table.
switches() {
	local past=$1
	is "$(says $clean) $(says "$past")" "0 0" "a live volume"
	dmsetup load vol --table "$line"
	dmsetup suspend vol
	is "$(says $clean) $(says "$past")" "1 0" "suspended, a table of ours loaded"
	cp "$META_FILE" "$WORK/cut"
	dmsetup resume --noudevsync vol
	is "$(says $clean) $(says "$past")" "0 0" "switched"

	dmsetup load vol --table "$line"
	dmsetup suspend vol
	dmsetup load vol --table "$line"
	is "$(says "$past")" 0 "another one of ours instead"
	dmsetup clear vol
	is "$(says "$past")" 1 "none any more"
	dmsetup resume --noudevsync vol
	is "$(says "$past")" 0 "resumed as it was"

	dmsetup load vol --table "$line"
	dmsetup suspend vol
	dmsetup load vol --table "0 $(sectors "$A") linear $A 0"
	is "$(says "$past")" 1 "somebody else's instead"
	dmsetup clear vol
	dmsetup resume --noudevsync vol

	dmsetup suspend vol
	is "$(says "$past")" 1 "suspended, nothing loaded"
	dmsetup resume --noudevsync vol

	# What is loaded of another device brings nothing back to this one.
	dmsetup create other --notable
	dmsetup load other --table "$line"
	dmsetup suspend vol
	is "$(says "$past")" 1 "suspended, a table loaded elsewhere"
	dmsetup resume --noudevsync vol
	dmsetup remove other
	dmsetup load vol --table "$line"
	dmsetup remove --noudevsync vol
	is "$(says "$past")" 1 "removed, with a table loaded"
}

mk_meta 2 track "$(sectors "$A")" 128 1
fill "$A"
line=$(track_line "$A")
come_back
bitmap add one
put 3
switches $unsealed
put_meta "$WORK/cut"
come_back
is "$(listed one), $(bitmap_is one | cut -d' ' -f2)" "3+1, recording" "a bitmap after a cut in a switch"
remove_dm vol

mk_meta 2 mirror "$(sectors "$A")" 128 1
line=$(mirror_line "$A" "$B")
come_back
wait_phase vol 30 synced
switches $top_stale
put_meta "$WORK/cut"
come_back
wait_phase vol 30 synced
is "$(st vol copied)" 0 "blocks copied again after a cut in a switch"
remove_dm vol
pass
