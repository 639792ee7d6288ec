#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=60
# "map list" says block by block what the counts sum up, in as many answers as
# the buffer makes necessary.
# guards: runs that are found whole; the block to go on from.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 16
list() { dmsetup message vol 0 map list "$@"; }
put() { dd if=/dev/zero of=/dev/mapper/vol bs=64k seek="$1" count="$2" oflag=direct conv=notrunc status=none; }
mk_volume vol /dev/ram0
start_copy vol /dev/ram0 /dev/ram1 2 paused nosync 2 copy_mode background
is "$(list base 0)" end "base-only blocks to begin with"
is "$(list both 0)" "0+256 end" "blocks in both"
put 5 3
put 100 1
put 31 2
put 255 1
is "$(list base 0)" "5+3 31+2 100+1 255+1 end" "base-only blocks"
is "$(list both 0)" "0+5 8+23 33+67 101+154 end" "blocks in both"
is "$(list both 9)" "9+22 33+67 101+154 end" "blocks in both from 9 on"
is "$(list base 32)" "32+1 100+1 255+1 end" "base-only blocks from 32 on"
is "$(list base 256)" end "from the end on"
is "$(list base 0 gaps)" "5+3 23+2 67 154 end" "base-only blocks, by their gaps"
is "$(list base 32 gaps)" "0 67 154 end" "base-only blocks from 32 on, by their gaps"
is "$(list top 0 gaps)" end "no blocks, by their gaps"
is "$(list top 0)" end "blocks in top only"
is "$(list zero 0)" end "blocks of zeros"
is "$(st vol base_only both)" "7 249" "the counts"
for bad in "base" "base 257" "base x" "base -1" "bose 0" "base 0 0" "base 18446744073709551616"; do
	# shellcheck disable=SC2086
	msg_refused vol "$EINVAL" map list $bad
done
remove_dm vol

BLOCK=8 mk_volume vol /dev/ram0
BLOCK=8 start_copy vol /dev/ram0 /dev/ram1 2 paused nosync 2 copy_mode background
fio --name=w --filename=/dev/mapper/vol --direct=1 --rw=write:4k --bs=4k --size=16M --output=/dev/null
read -r base both < <(st vol base_only both)
is "$base $both" "2048 2048" "every other block"
for which in base both; do
	next=0 sum=0 answers=0
	while [[ $next != end ]]; do
		out=$(list $which "$next")
		for word in $out; do [[ $word != *+* ]] || sum=$((sum + ${word#*+})); done
		[[ ${out##* } != "$next" ]] || fail "map list goes nowhere from $next"
		next=${out##* }
		((++answers))
	done
	is "$sum" 2048 "blocks listed as $which, in $answers answers"
	# The first is block 0 or 1, and then every other.
	next=0 by_gaps=()
	while [[ $next != end ]]; do
		read -r -a words < <(list $which "$next" gaps)
		at=$next next=${words[-1]#@}
		unset 'words[-1]'
		for word in "${words[@]}"; do by_gaps+=($((at += word))) && ((++at)); done
	done
	is "${by_gaps[*]}" "$(seq -s ' ' "${by_gaps[0]}" 2 4095)" "blocks listed as $which, by their gaps"
done
msg vol phase abort
wait_phase vol 10 aborted
is "$(list base 0)" "0+4096 end" "everything is in base after an abort"
pass
