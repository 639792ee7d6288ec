#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=120
# copy_on_read: what is read once from base is in top then, also while the fill
# is paused, and base is not read for it twice; under a writer too.
# guards: one read for the user and the copy.
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
pass
