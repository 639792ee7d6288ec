#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=150
# Bitmaps by the command line: what has changed, as ranges, JSON and raw bits;
# through a snapshot and its commit; a copy that begins from one; and what is
# refused, with nothing changed.
# guards: the verb, and copy --sync bitmap, against the kernel's messages.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
mk_loops 16
exits 0 ctl create data "$A"
undo remove_dm data
put() { dd if=/dev/urandom of=/dev/mapper/data bs=4k count=1 seek=$(($1 * 16)) oflag=direct conv=notrunc status=none; } # BLOCK

before=$(dmsetup status data)
exits 0 ctl bitmap add data nightly --dry-run
is "$(dmsetup status data)" "$before" "after a dry run"
exits 0 ctl bitmap add data nightly
exits 0 ctl bitmap add data weekly --granularity 1M
exits 0 ctl bitmap add data later --disabled
put 3
put 4
put 200
exits 0 ctl bitmap dump data nightly
is "$OUT" "196608 131072
13107200 65536" "the ranges"
is "$(ctl bitmap dump data weekly --format json | jq -c .dirty)" '[{"offset":0,"length":1048576},{"offset":12582912,"length":1048576}]' "as JSON, in pieces of 1 MiB"
is "$(ctl bitmap dump data nightly --format raw | od -An -tx1 -v | tr -d ' \n' | cut -c1-4,51-52)" "180001" "as bits"
is "$(ctl bitmap list data --json | jq -r '.bitmaps[] | [.name, .state, .dirty_blocks] | join(" ")' | paste -sd,)" \
	"nightly recording 3,weekly recording 32,later disabled 0" "the list"
is "$(ctl bitmap list data --json | jq -c '[.bitmaps[].granularity_bytes]')" '[65536,1048576,65536]' "what a bit stands for"
has "$(ctl bitmap list data)" 'weekly +recording +2[.]00 MiB changed at most, a bit for 1[.]00 MiB' "the same as text"
is "$(ctl list -o bitmaps --noheadings | xargs)" "nightly=64k,weekly=1M,later=64k" "the same in a report"
is "$(json data '[.volume.bitmaps[].granularity_bytes] | max')" 1048576 "the same in show"

exits 3 ctl bitmap dump data no
exits 3 ctl bitmap clear data no
exits 3 ctl bitmap dump nothing nightly
exits 5 ctl bitmap add data nightly
exits 2 ctl bitmap add data 'a b'
exits 2 ctl bitmap add data x --granularity 5k
exits 2 ctl bitmap add data x --granularity 4k
exits 2 ctl bitmap add data
exits 2 ctl bitmap shuffle data nightly
is "$(dmsetup status data | awk '{ print $21 }')" 3 "bitmaps after refusals"

exits 0 ctl bitmap merge data later nightly
exits 0 ctl bitmap clear data nightly
exits 0 ctl snapshot data="$B" --no-boot
put 7
exits 0 ctl commit data --wait
put 8
exits 0 ctl bitmap dump data nightly
is "$OUT" "458752 131072" "through a snapshot and its commit"
is "$(ctl list -o bitmaps --noheadings | xargs)" "nightly=64k,weekly=1M,later=64k" "what a bit stands for, after both"
exits 0 ctl bitmap dump data later
is "$OUT" "196608 131072
13107200 65536" "what was merged"
note "frozen: what changes meanwhile is apart"
exits 0 ctl bitmap freeze data nightly
exits 4 ctl bitmap freeze data nightly
put 11
exits 0 ctl bitmap dump data nightly
is "$OUT" "458752 131072" "what was kept"
exits 0 ctl bitmap thaw data nightly
exits 4 ctl bitmap thaw data nightly
exits 0 ctl bitmap dump data nightly
is "$OUT" "458752 131072
720896 65536" "after a backup that failed"
exits 0 ctl bitmap freeze data nightly
put 13
exits 0 ctl bitmap clear data nightly
exits 0 ctl bitmap dump data nightly
is "$OUT" "851968 65536" "after one that did not"
exits 0 ctl bitmap remove data weekly
exits 0 ctl bitmap disable data later
has "$(ctl bitmap list data)" 'later +disabled' "disabled"

note "back to the device it was on, with what has changed since"
exits 0 ctl bitmap add data moved
exits 0 ctl copy data "$B" --pivot --force
is "$(dmsetup table data | awk '{ print $5 }')" "$(stat -L -c %Hr:%Lr "$B")" "the device after the pivot"
for block in 5 6 200; do put $block; done
back=("$A" --sync bitmap=moved)
before="$(dmsetup table data) $(dmsetup status data)"
exits 3 ctl copy data "$A" --sync bitmap=nothing
has "$OUT" 'no bitmap "nothing"' "a bitmap that there is not"
exits 4 ctl copy data "$A" --sync bitmap=later
has "$OUT" '"later" is disabled' "a disabled one"
exits 2 ctl copy data "${back[@]}" --metadata /var/lib/blkctl/data.copy
[[ ! -e /var/lib/blkctl/data.copy ]] || fail "a refusal has made metadata"
exits 0 ctl copy data "${back[@]}" --dry-run
has "$OUT" 'blkcopy mirror .* 0 2 sync moved' "the plan"
has "$OUT" 'data: 192.00 KiB would have to be copied' "how much"
is "$(dmsetup table data) $(dmsetup status data)" "$before" "after refusals and a dry run"
exits 0 ctl bitmap freeze data moved
exits 4 ctl copy data "${back[@]}"
has "$OUT" '"moved" is frozen.*blkctl bitmap thaw data moved' "a frozen one"
exits 0 ctl bitmap thaw data moved
exits 0 ctl copy data "${back[@]}" --rate 64k --no-wait
has "$OUT" '192.00 KiB have to be copied' "how much, of one that runs"
exits 0 ctl copy data "${back[@]}" --rate none --wait
is "$(st data phase copied)" "synced 192" "the same once more goes on, to its end"
same "$A" "$B"
exits 0 ctl pivot data
put 9
exits 0 ctl bitmap dump data moved
is "$OUT" "327680 131072
589824 65536
13107200 65536" "the bitmap goes on"

note "a bitmap that was disabled for a while"
exits 0 ctl bitmap disable data moved
put 77
exits 0 ctl bitmap enable data moved
exits 0 ctl copy data "$B" --sync bitmap=moved --wait
has "$OUT" 'bitmap moved may not have all that has changed.*everything is copied' "what is said"
is "$(st data phase copied)" "synced 16384" "everything is copied"
same "$A" "$B"
pass
