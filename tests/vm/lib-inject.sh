# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Allocations that fail, on the debug kernel. Sourced after lib.sh, with the module loaded.

# inject_setup; inject PERCENT N|Y: from here on so many fail, of what is made on the
# module's behalf (N), or of those that may not wait, of anybody (Y); inject_end.
inject_setup() {
	local text text_end
	FAULTS=/sys/kernel/debug
	[[ -d $FAULTS/failslab && -d $FAULTS/fail_page_alloc ]] || fail "this kernel has no fault injection"
	# What has the module in its call chain. Others would fail as well: the shell.
	text=$(cat /sys/module/dm_blkcopy/sections/.text)
	text_end=$(printf '0x%x' $((text + $(awk '/^dm_blkcopy / { print $2 }' /proc/modules))))
	INJECT_RANGE=("$text" "$text_end")
	[[ ! -e $FAULTS/fail_page_alloc/min-order ]] || echo 0 >$FAULTS/fail_page_alloc/min-order
	undo inject_end
}

inject() {
	local f
	for f in failslab fail_page_alloc; do
		if [[ $2 == N ]]; then
			echo "${INJECT_RANGE[0]}" >$FAULTS/$f/require-start
			echo "${INJECT_RANGE[1]}" >$FAULTS/$f/require-end
		else
			echo 0 >$FAULTS/$f/require-start
			echo 0xffffffffffffffff >$FAULTS/$f/require-end
		fi
		echo "$2" >$FAULTS/$f/ignore-gfp-wait
		echo 0 >$FAULTS/$f/verbose
		echo -1 >$FAULTS/$f/times
		echo 32 >$FAULTS/$f/stacktrace-depth
		echo "$1" >$FAULTS/$f/probability
	done
}

inject_end() {
	echo 0 >/sys/kernel/debug/failslab/probability
	echo 0 >/sys/kernel/debug/fail_page_alloc/probability
}
export -f inject_end
