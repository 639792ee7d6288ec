#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=180
# Every malformed table line and message: a sweep over each argument with
# wrong counts, wrong types, overflows and unknown words. Each one is refused with
# a reason in the kernel log, and nothing changes: not the live table, not the
# inactive one, and a good line loads afterwards.
# guards: the parser of the table line and of messages.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 3 8
good="0 16384 blkcopy mirror /dev/ram0 0 /dev/ram1 0 - 128"
mk_volume vol /dev/ram0
fill /dev/mapper/vol
live=$(dmsetup table vol)
refusals=0
log_mark

# Each try has a mark in the kernel log. without_reason REGEX: the tries since
# log_mark that no line which matches follows.
try() {
	local what=${1:0:200}
	echo "vm: try '${what//$'\n'/ }'" >/dev/kmsg
}
without_reason() {
	log_since | awk -v reason="$1" '
		/vm: try / { if (open) print open; sub(/.*vm: try /, ""); open = $0; next }
		$0 ~ reason && !/Unknown error/ { open = "" }
		END { if (open) print open }'
}

# By a program that loads no library: there are hundreds. It takes lines, not tables.
DM=$(tool dm)
bad_line() { # LINE
	local out load=("$DM" reload vol "$1")
	[[ $1 != *$'\n'* ]] || load=(dmsetup load vol --table "$1")
	try "$1"
	if out=$("${load[@]}" 2>&1); then fail "accepted: $1"; fi
	[[ $out == *"Invalid argument"* || $out == *"No such"* || $out == *"Argument list"* ||
		$out == *"Cannot allocate"* || $out == *"out of range"* || $out == *"Block device required"* || $out == *"busy"* ]] ||
		fail "refused oddly: $1: $out"
	((++refusals))
}

# The line with one word replaced: N counts from the mode (1) on.
with_word() {
	local words
	read -r -a words <<<"$good"
	words[$1 + 2]=$2
	echo "${words[*]}"
}
numbers=(-1 +1 0x10 1.5 1e3 x 18446744073709551616 99999999999999999999999 1k '1,2')
for v in Mirror track mirro mirror2 0 - overlay stream commit; do bad_line "$(with_word 1 "$v")"; done
for n in 2 4; do
	for v in /dev/nothing - 999:999 /dev/null /proc/self/mem 1:0x; do bad_line "$(with_word $n "$v")"; done
done
for n in 3 5; do
	for v in "${numbers[@]}" 16384 1 18446744073709551615 36028797018963968; do bad_line "$(with_word $n "$v")"; done
done
for v in mem mem: MEM:x x "mem:$(printf 'a%.0s' {1..65})" mem:a/b mem:a:b '--'; do bad_line "$(with_word 6 "$v")"; done
for v in "${numbers[@]}" 0 1 7 9 12 4 127 129 4096 2049 4294967296 4294967424; do bad_line "$(with_word 7 "$v")"; done

# Too few words, one by one.
read -r -a words <<<"$good"
for ((i = 3; i < 10; i++)); do bad_line "${words[*]:0:i}"; done

# Features and parameters: counts, words, values.
for tail in "x" "-1" "1" "2 paused" "1 nothing" "1 Paused" "2 paused paused" "5 paused detect_zeroes no_discard_passdown nosync paused" \
	"0 1" "0 1 rate_kib" "0 2 rate_kib" "0 3 rate_kib 1 x" "0 x" "0 -2" "0 2 nothing 1" "0 2 Rate_kib 1" "0 4 rate_kib 1 rate_kib 1" \
	"0 2 rate_kib 1 extra" "0 0 extra" "1 paused 2 rate_kib" "1 paused x" "99 paused" "0 99" "0 1 sync" "0 4 sync a sync a" "1 nosync 2 sync a" \
	"0 16 rate_kib 1 rate_kib 1 rate_kib 1 rate_kib 1 rate_kib 1 rate_kib 1 rate_kib 1 rate_kib 1"; do
	bad_line "$good $tail"
done
for pair in "rate_kib 4294967296" "inflight_kib 63" "inflight_kib 65537" "inflight_kib 0" "run_kib 3" "run_kib 1025" \
	"segment_mib 0" "segment_mib 65537" "copy_mode Dual" "copy_mode 1" "sync a*b" "sync a/b" "sync $(printf 'a%.0s' {1..65})" "on_base_error nothing" "on_top_error Report" "on_top_error 0"; do
	bad_line "$good 0 2 $pair"
done
for v in -1 +1 0x10 1.5 x 18446744073709551616 1k; do
	for key in rate_kib inflight_kib run_kib segment_mib; do bad_line "$good 0 2 $key $v"; done
done
# What belongs to a copy is none of track's; track has no top.
for tail in "1 paused" "1 detect_zeroes" "1 nosync" "0 2 rate_kib 1" "0 2 copy_mode dual" "0 2 on_top_error stop" "0 2 sync a"; do
	bad_line "0 16384 blkcopy track /dev/ram0 0 - 0 - 128 $tail"
done
bad_line "0 16384 blkcopy track /dev/ram0 0 /dev/ram1 0 - 128"
bad_line "0 16384 blkcopy track /dev/ram0 0 - 8 - 128"
# Legs that overlap, are too small, are the device itself; more than one target.
bad_line "0 16384 blkcopy mirror /dev/ram0 0 /dev/ram0 0 - 128"
bad_line "0 8192 blkcopy mirror /dev/ram0 0 /dev/ram0 4096 - 128"
bad_line "0 16385 blkcopy mirror /dev/ram0 0 /dev/ram1 0 - 128"
bad_line "0 16384 blkcopy mirror /dev/ram0 0 /dev/ram1 1 - 128"
bad_line "0 16384 blkcopy mirror /dev/ram0 8 /dev/ram1 0 - 128"
for own in "mirror /dev/mapper/vol 0 /dev/ram1 0 -" "mirror /dev/ram0 0 /dev/mapper/vol 0 -" "track /dev/mapper/vol 0 - 0 -" \
	"overlay /dev/ram0 0 /dev/ram1 0 /dev/mapper/vol"; do
	bad_line "0 16384 blkcopy $own 128"
done
bad_line "0 16384 blkcopy track /dev/ram0 0 - 0 - 128 0 2 bitmaps /dev/mapper/vol"
bad_line "$(printf '%s\n' "0 8192 blkcopy track /dev/ram0 0 - 0 - 128" "8192 8192 blkcopy track /dev/ram0 8192 - 0 - 128")"
is "$(dmsetup table vol)" "$live" "the live table after $refusals refused lines"
is "$(dmsetup table --inactive vol 2>/dev/null)" "" "the inactive table after refused lines"
silent=$(without_reason 'device-mapper: table: .*: .*[a-z]')
is "$silent" "" "lines of $refusals that were refused without a reason in the kernel log"
note "$refusals lines refused, each with a reason"

reload vol "$good"
wait_phase vol 20 synced
same /dev/ram0 /dev/ram1
line=$(dmsetup table vol)
# dmsetup itself takes no empty one.
if msg vol >/dev/null 2>&1; then fail "accepted an empty message"; fi
log_mark
tries=0
for m in "x" "copy" "copy x" "copy start now" "Copy start" "set" "set rate_kib" "set rate_kib x" "set rate_kib -1" \
	"set rate_kib +1" "set rate_kib 4294967296" "set rate_kib 1 2" "set Rate_kib 1" "set inflight_kib 0" "set run_kib 1025" \
	"set segment_mib 64" "set copy_mode" "set copy_mode x" "set on_top_error x" "set paused 1" "phase" "phase x" "phase finish" \
	"phase pivot now" "Phase pivot" "map" "map list" "map list base" "map list base x" "map list x 0" "map list base 0 0" \
	"map dump base 0" "map list base 0 gap" "map list base 0 gaps x" "map list base 99999" "seal now" "bitmap" "bitmap add" "bitmap add x 7" "bitmap list x 0" "bitmap x y" "verify" "verify stop" "preserve" "preserve x" "preserve x y" \
	"$(printf 'a%.0s' {1..2000})" "$(printf 'a %.0s' {1..500})"; do
	# The kernel writes ten reasons of a kind in five seconds, and no more.
	((++tries % 10 != 0)) || sleep 5.5
	try "$m"
	# shellcheck disable=SC2086
	if out=$(msg vol $m 2>&1); then fail "accepted the message: '$m'"; fi
done
silent=$(without_reason 'device-mapper: .*refused: [a-z]')
is "$silent" "" "messages of $tries that were refused without a reason in the kernel log"
is "$(st vol phase base_errors top_errors)" "synced 0 0" "the volume after refused messages"
is "$(dmsetup table vol)" "$line" "its table after refused messages"

# Messages of a copy mean nothing to track.
reload vol "$(track_line /dev/ram0)"
for m in "copy start" "copy pause" "set rate_kib 1" "phase pivot" "phase abort" "phase finish" "verify start"; do
	# shellcheck disable=SC2086
	msg_refused vol "$EINVAL" $m
done
# And what is printed loads again unchanged, whatever it was made from.
for tail in "" "0" "0 0" "1 paused" "0 2 rate_kib 0" "1 detect_zeroes 4 on_top_error stop rate_kib 7" \
	"3 paused no_discard_passdown detect_zeroes 14 on_top_error enospc on_base_error ignore copy_mode background segment_mib 1 run_kib 4 inflight_kib 64 rate_kib 4294967295"; do
	reload vol "$good${tail:+ $tail}"
	line=$(dmsetup table vol)
	reload vol "$line"
	is "$(dmsetup table vol)" "$line" "the line printed for '$tail', loaded again"
done
is "$line" "0 16384 blkcopy mirror 1:0 0 1:1 0 - 128 3 no_discard_passdown detect_zeroes paused 14 rate_kib 4294967295 inflight_kib 64 run_kib 4 segment_mib 1 copy_mode background on_base_error ignore on_top_error enospc" "the canonical order"
pass
