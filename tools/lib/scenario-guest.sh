#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Inside a guest: runs scenarios one after the other, each with its own
# RESULTS and a mark in the kernel log. Stops early when one leaves anything
# behind, so that the next is not blamed for it.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
scenarios=$(cd "$here/../../tests/vm" && pwd -P)
all=$RESULTS

# Modules that scenarios load with parameters of their own.
unload_modules() {
	local module
	for module in dm_blkcopy scsi_debug null_blk brd; do
		[[ ! -d /sys/module/$module ]] || grep -q "^$module " /proc/modules || continue
		[[ ! -d /sys/module/$module ]] || rmmod "$module" 2>&1 || return 1
	done
}

left_behind() {
	local left
	left=$(dmsetup ls 2>/dev/null | grep -v '^No devices')
	[[ -z $left ]] || { echo "left behind: dm devices: $left" && return 0; }
	left=$(losetup -a)
	[[ -z $left ]] || { echo "left behind: loop devices: $left" && return 0; }
	! unload_modules
}

# Who waits for what, shortly before a scenario's time is up.
watch() { # SECONDS
	sleep "$1" || return # killed: the scenario has ended
	echo "--- nearly out of time; what it is at: ---"
	ps axo pid,stat,wchan:24,etimes,args | awk '!/\[.*\]$/ || $2 ~ /D/'
	timeout 2 dmsetup table
	timeout 2 dmsetup status --noflush
	echo w >/proc/sysrq-trigger
}

for name in "$@"; do
	export RESULTS=$all/$name
	mkdir -p "$RESULTS"
	echo "vm: scenario $name starts" >/dev/kmsg
	start=$SECONDS
	limit=$(cat "$all/$name.timeout")
	watch $((limit - 5)) >"$RESULTS/nearly-out-of-time" 2>&1 &
	watcher=$!
	timeout -k 10 "$limit" "$scenarios/$name.sh" >"$RESULTS/output" 2>&1 </dev/null
	status=$?
	pkill -P $watcher
	kill $watcher 2>/dev/null
	cat "$RESULTS/nearly-out-of-time" >>"$RESULTS/output"
	rm "$RESULTS/nearly-out-of-time"
	echo $((SECONDS - start)) >"$RESULTS/seconds"
	# A scenario that was killed may have left what cannot be seen from here.
	disorder=
	((status != 124 && status != 137)) || disorder=1
	if left_behind >>"$RESULTS/output" 2>&1; then
		disorder=1
		((status != 0)) || status=1
	fi
	echo "$status" >"$RESULTS/status"
	[[ -z $disorder ]] || break
done
exit 0
