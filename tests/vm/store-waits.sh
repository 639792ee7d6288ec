#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=200
# The store of an overlay, and the target of a stream, fill up, and the writer is to
# wait: it does, while all else goes on; it goes on when there is room, by itself or
# when it is told to; and is refused after a minute, or when the device is suspended.
# guards: a write that waits for room is sent as it came; nothing waits for good.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 8
mk_small_store 8
fill "$A"
dd if=/dev/urandom of="$WORK/new" bs=1M count=8 status=none
cp --sparse=never "$A" "$WORK/wanted"

# put FIRST KIB...: a write of so much to each of the blocks from FIRST on, in the
# background; FAILED has those that are told of no space.
put() {
	local block=$1 kib
	FAILED=$WORK/failed-$block
	shift
	for kib; do
		dd if="$WORK/new" of="$WORK/wanted" bs=1k count="$kib" skip=$((block * 64)) seek=$((block * 64)) conv=notrunc status=none
		dd if="$WORK/new" of=/dev/mapper/vol bs="${kib}k" iflag=skip_bytes oflag=direct,seek_bytes,dsync conv=notrunc \
			count=1 skip=$((block * 65536)) seek=$((block * 65536)) status=none 2>"$WORK/why-$block" || cat "$WORK/why-$block" >>"$FAILED" &
		PUTS+=($!)
		((++block))
	done
}
await() {
	local pid
	for pid in "${PUTS[@]}"; do wait "$pid"; done
	PUTS=()
}
more_than() { (($(event_nr "$2") > $1)); }
waiting() { local pid; for pid in "${PUTS[@]}"; do kill -0 "$pid" 2>/dev/null && return 0; done; return 1; }
reads_go_on() { timeout 10 dd if=/dev/mapper/vol of=/dev/null bs=64k skip=100 count=4 iflag=direct status=none || fail "reads do not go on"; }
PUTS=()

for mode in overlay stream; do
	note "$mode"
	grow_store 2m
	mk_meta 2 $mode "$(sectors "$A")"
	options=() && [[ $mode == overlay ]] || options=(1 paused)
	[[ $mode == overlay ]] || options+=(2 on_top_error enospc)
	mk_dm vol "$(durable_line $mode "$A" "$STORE" "${options[@]}")"
	[[ $mode == stream ]] || msg vol set on_top_error enospc
	has "$(dmsetup table vol)" 'on_top_error enospc' "the table"
	events=$(event_nr vol)
	# Whole blocks and parts of some: 40 are 2.5 MiB.
	put 0 $(for i in {1..20}; do echo 64 12; done)
	until_true 30 "an event" more_than "$events" vol
	sleep 4
	waiting || fail "nobody waits for room"
	reads_go_on
	is "$(st vol health)" rw "health"
	note "$(dmsetup status --noflush vol)"
	grow_store 3m
	await
	[[ ! -e $FAILED ]] || fail "a write was refused: $(<"$FAILED")"
	cmp -n $((40 * 65536)) "$WORK/wanted" /dev/mapper/vol || fail "what was written to a store that was full"

	note "$mode: refused when it is suspended"
	put 64 64 12 64 12 64 12 64 12 64 12 64 12
	sleep 4
	waiting || fail "nobody waits for room"
	before=$SECONDS
	dmsetup suspend --nolockfs vol
	le $((SECONDS - before)) 20 "seconds until it was suspended"
	dmsetup resume vol
	await
	has "$(<"$FAILED")" 'No space left' "what the writer is told"
	grow_store 32m
	rm -f "$WORK"/failed-*
	put 64 64 12 64 12 64 12 64 12 64 12 64 12
	await
	[[ ! -e $FAILED ]] || fail "a write was refused: $(<"$FAILED")"
	cmp "$WORK/wanted" <(direct_read /dev/mapper/vol) || fail "what was written, all of it"
	remove_dm vol
	blkdiscard -f "$STORE"
	cp --sparse=never "$A" "$WORK/wanted"
done

note "after a minute"
grow_store 2m
mk_meta 2 overlay "$(sectors "$A")"
mk_dm vol "$(durable_line overlay "$A" "$STORE" 0 2 on_top_error stop)"
before=$SECONDS
put 0 $(for i in {1..40}; do echo 64; done)
sleep 20
waiting || fail "nobody waits for room"
await
ge $((SECONDS - before)) 55 "seconds until it was refused"
has "$(<"$FAILED")" 'No space left' "what the writer is told"
msg vol set on_top_error report
before=$SECONDS
put 60 64 64 64 64 64 64 64 64
await
le $((SECONDS - before)) 45 "seconds, with the policy to refuse"
has "$(<"$FAILED")" 'No space left' "what the writer is told"
msg_refused vol 'Invalid argument' set rate_kib 1
pass
