#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=180 alone=1
# The module loads and unloads a hundred times, every other time with a volume
# that copied, and may have been pivoted, and leaves no memory behind; while a volume exists
# it cannot be unloaded.
# guards: a buffer, map, bio set, workqueue or bdev reference not released in
# dtr or in the last put of the state; a module reference not held by a table.
source "$(dirname "$0")/lib.sh"
mk_brd 2 4
ko=$(module_path)

cycle() {
	insmod "$ko"
	(($1 % 2)) && unload dm-blkcopy && return
	printf '%s\n' "$(mirror_line /dev/ram0 /dev/ram1)" | dmsetup create --noudevsync vol
	wait_phase vol 10 synced
	(($1 % 4)) || pivot vol
	dmsetup remove --noudevsync vol || remove_dm vol
	unload dm-blkcopy
}

# The least of some looks: pages that processors keep for themselves, and what is
# freed later, come and go by megabytes.
in_use_kib() {
	local i
	for i in {1..8}; do
		sync
		echo 3 >/proc/sys/vm/drop_caches
		echo 1 >/proc/sys/vm/compact_memory
		sleep 1
		look
	done | sort -n | head -n 1
}
# Free are the pages as well that a processor keeps, tens of megabytes by now.
look() {
	awk '/^MemTotal/ { t = $2 } /^(MemFree|Buffers|Cached|SReclaimable)/ { t -= $2 }
		/^ +count:/ { t -= $2 * 4 } END { print t }' /proc/meminfo /proc/zoneinfo
}

fill /dev/ram0
for i in {1..10}; do cycle "$i"; done
before=$(in_use_kib)
for i in {1..90}; do cycle "$i"; done
after=$(in_use_kib)
note "memory in use: $before KiB before, $after KiB after 90 cycles"
# Half of them had a volume: 64 KiB each would be 2880.
le "$((after - before))" 2500 "memory lost in 90 cycles, KiB"
! grep -qi 'bkc\|blkcopy' /proc/slabinfo || fail "a slab cache is left: $(grep -i 'bkc\|blkcopy' /proc/slabinfo)"
# Not the shared kworkers: they are named by whom they worked for last.
left=$(ps ax -o comm | grep -i 'bkc\|blkcopy' | grep -vE '^kworker/u?[0-9]' || true)
[[ -z $left ]] || fail "a kernel thread is left: $left"

insmod "$ko"
mk_volume vol /dev/ram0
refused 'in use' rmmod dm-blkcopy
start_copy vol /dev/ram0 /dev/ram1 1 paused
refused 'in use' rmmod dm-blkcopy
remove_dm vol
unload dm-blkcopy
pass
