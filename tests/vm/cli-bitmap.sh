#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=120
# Bitmaps by the command line: what has changed, as ranges, JSON and raw bits;
# through a snapshot and its commit; and what is refused, with nothing changed.
# guards: the verb against the kernel's messages.
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
pass
