#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# copy_on_read: what is read once from base is in top then, also while the fill
# is paused, and base is not read for it twice; under a writer too. A discard may
# overtake the read.
# guards: one read for the user and the copy; bkc_reader_serve in zero_run.
source "$(dirname "$0")/lib.sh"
load_module
mk_loops 16
mk_meta 2 stream "$(sectors "$A")"
fill "$A"
refused 'Invalid argument' dmsetup create bad --table "$(durable_line overlay "$A" "$B" 1 copy_on_read)"
mk_dm vol "$(durable_line stream "$A" "$B" 2 paused copy_on_read)"
read_before=$(disk_stat "$A" | cut -d' ' -f2)
dd if=/dev/mapper/vol of=/dev/null bs=64k count=64 iflag=direct status=none
until_true 20 "64 blocks in both" bash -c "[[ \$(dmsetup status --noflush vol | cut -d' ' -f8) == 64 ]]"
read_after=$(disk_stat "$A" | cut -d' ' -f2)
is "$((read_after - read_before))" $((64 * 128)) "sectors read from base"
cmp -n $((64 * 65536)) "$A" "$B" || fail "what was read is not what top has"

# Unaligned, overlapping, with writes in between, and through a failing top.
"$HAMMER" --seed 3 --seconds 10 --threads 6 --max 100k --read 70 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol >"$WORK/out" 2>&1 ||
	fail "hammer: $(cat "$WORK/out")"
leg_holds /dev/mapper/vol
dd if=/dev/mapper/vol of=/dev/null bs=1M iflag=direct status=none
msg vol copy resume
wait_phase vol 60 streamed
leg_holds "$B"
remove_dm vol

# Base takes one I/O at a time: reads wait to be copied, and discards are faster.
mk_scsi_debug dev_size_mb=16 max_queue=1 ndelay=100000000
n=$(sectors "$REPLY")
meta_format "$META" "$n" 128 stream
blockdev --flushbufs "$META"
mk_dm vol "$(durable_line stream "$REPLY" "$B" 2 paused copy_on_read)"
readers=()
for i in {0..23}; do
	dd if=/dev/mapper/vol of=/dev/null bs=64k skip="$i" count=1 iflag=direct status=none &
	readers+=("$!")
done
until_true 10 "the first of them to be copied" eval '(($(st vol both) >= 1))'
blkdiscard -f -o $((8 * 65536)) -l $((16 * 65536)) /dev/mapper/vol
for i in "${readers[@]}"; do
	has_ended 30 "$i" || fail "a read that a discard has overtaken does not end"
	wait "$i" || fail "a read that a discard has overtaken fails"
done
# Read once more as what they are now: zeroes, which go to top.
ge "$(st vol top_only)" 1 "blocks that a discard was faster at"
note "$(st vol top_only) of 16 discards have overtaken a read"
msg vol copy resume
wait_phase vol 60 streamed
pass
