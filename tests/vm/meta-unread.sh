#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: kernels=6.12,debug timeout=120
# Slots of an exact sector that cannot be read for a while. One that cannot be is
# not torn: it may be the one that was durable, and what it said is not guessed.
# Neither slot: what is written in their place counts, whatever turns up again.
# guards: is_unread, sum_is_right, bkc_meta_supersede.
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-flakey
mk_loops 16
BLOCK=8
mk_meta 2 overlay "$(sectors "$A")" 8
n=$(sectors "$META")
mk_dm read "0 $n linear $META 0"
fill "$A"
garbage "$B"

# unread [SLOT...]: these of the first sector, for as long as that is so. They can be
# written to, and are not mended by that.
unread() {
	local lines=() at=0 slot first
	for slot; do
		first=$(($(exact_at) / 512 + slot * 8))
		((first == at)) || lines+=("$at $((first - at)) linear $META $at")
		lines+=("$first 8 flakey $META $first 0 60 1 error_reads")
		at=$((first + 8))
	done
	lines+=("$at $((n - at)) linear $META $at")
	swap_dm read "${lines[@]}"
}
activate() { dmsetup create vol --table "$(META=/dev/mapper/read durable_line "$@")"; }
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=4k count=1 seek="$1" oflag=direct conv=notrunc,fsync status=none; }

for block in 0 1 2; do
	activate overlay "$A" "$B"
	put "$block"
	sync "$META_FILE"
	cp "$META_FILE" "$WORK/unclean"
	sum=$(sum_of /dev/mapper/vol)
	remove_dm vol
done
cp "$META_FILE" "$WORK/clean"
for image in unclean clean; do
	for slot in 0 1; do
		put_meta "$WORK/$image"
		health=fail
		[[ $image == unclean || $slot -eq $(newest) ]] || health=rw
		unread "$slot"
		activate overlay "$A" "$B"
		is "$(st vol health)" $health "$image, slot $slot of which $(newest) is the newest"
		[[ $health == rw ]] || refused 'Input/output error' dd if=/dev/mapper/vol of=/dev/null bs=4k count=1 iflag=direct
		remove_dm vol
		unread
		activate overlay "$A" "$B"
		is "$(st vol health) $(sum_of /dev/mapper/vol)" "rw $sum" "$image, slot $slot, once it can be read"
		remove_dm vol
	done
done

# A mirror takes every block for base's, and is cut off when one slot has been written
# anew. What the other says is of the time before, when it was copied.
meta_format "$META" "$(sectors "$A")" 8 mirror 1
sync "$META"
activate mirror "$A" "$B" 0 2 rate_kib 4096
until_true 30 "half of it to be copied" eval '(($(st vol both) >= 2048))'
dmsetup suspend vol
dmsetup resume vol
wait_phase vol 30 synced
msg vol seal
remove_dm vol
unread 0 1
activate mirror "$A" "$B" 1 paused
is "$(st vol base_only)" 4096 "blocks of base alone"
put 40
sync "$META_FILE"
cp "$META_FILE" "$WORK/cut"
remove_dm vol
unread
put_meta "$WORK/cut"
activate mirror "$A" "$B" 1 paused
is "$(st vol base_only)" 4096 "blocks of base alone, after a cut"
msg vol copy resume
wait_phase vol 30 synced
msg vol seal
remove_dm vol
same "$A" "$B"
pass
