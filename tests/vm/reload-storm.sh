#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=200
# Two hundred reloads of the table under load while it copies: each finds the
# state it left, so the copy ends, and no write is lost.
# guards: state kept across tables, not rebuilt; per-bio data of bios mapped by
# the old table and ended under the new one; the copier stopped and started.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_delay top /dev/ram1 0 3
mk_volume vol /dev/ram0
hammer_start /dev/mapper/vol --threads 4 --max 64k --think-us 5000 --hot 1m:64k --hot-pct 30 --flush 2
watch_counts vol
start_copy vol /dev/ram0 /dev/mapper/top 0 2 rate_kib 512
last=0
plain=$(mirror_line /dev/ram0 /dev/mapper/top 0 2 rate_kib 512)
short=$(mirror_line /dev/ram0 /dev/mapper/top 0 4 rate_kib 512 run_kib 64)
zeroes=$(mirror_line /dev/ram0 /dev/mapper/top 1 detect_zeroes 2 rate_kib 512)
for i in {1..200}; do
	case $((i % 4)) in
	0) line=$plain ;;
	1) line=$(dmsetup table vol) ;;
	2) line=$short ;;
	3) line=$zeroes ;;
	esac
	reload vol "$line"
	((i % 20)) || {
		hammer_alive
		copied=$(st vol copied)
		ge "$copied" "$last" "KiB copied, which a reload must not lose"
		last=$copied
	}
done
ge "$last" 2048 "KiB copied by the end of 200 reloads"
reload vol "$(mirror_line /dev/ram0 /dev/mapper/top)"
wait_phase vol 30 synced
counts_ok vol
hammer_stop
wait_equal vol
same /dev/ram0 /dev/ram1
leg_holds /dev/ram1
pivot vol
finish_pivot vol /dev/mapper/top
pass
