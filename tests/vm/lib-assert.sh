# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Assertions; each says what was expected and what was there.

fail() {
	trap - ERR
	echo "FAIL $ME: $*"
	exit 1
}

is() { # is GOT WANTED WHAT
	[[ $1 == "$2" ]] || fail "$3: got '$1', expected '$2'"
}

has() { # has TEXT REGEX WHAT
	[[ $1 =~ $2 ]] || fail "$3: got '$1', expected a match of '$2'"
}

le() { # le A B WHAT
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }' || fail "$3: $1 is more than $2"
}

ge() { # ge A B WHAT
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }' || fail "$3: $1 is less than $2"
}

# refused REGEX COMMAND...: it fails, and what it prints matches.
refused() {
	local regex=$1 out status=0
	shift
	out=$(timeout 20 "$@" 2>&1) || status=$?
	((status != 0)) || fail "'$*' was accepted, expected a refusal matching '$regex'"
	((status != 124)) || fail "'$*' hung, expected a refusal matching '$regex'"
	[[ $out =~ $regex ]] || fail "'$*' was refused with '$out', expected a match of '$regex'"
}

# timeout runs no functions: "ctl" is the command line tool.
limited() {
	local seconds=$1
	shift
	[[ $1 != ctl ]] || set -- "$BLKCTL" "${@:2}"
	timeout "$seconds" "$@"
}

# exits STATUS COMMAND...: exactly that exit status; the output is in OUT.
exits() {
	local want=$1 status=0
	shift
	OUT=$(limited "${EXITS_TIMEOUT:-60}" "$@" 2>&1) || status=$?
	((status == want)) || fail "'$*' exited with $status, expected $want; it said: $OUT"
}

# until_true SECONDS WHAT COMMAND...
until_true() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		((SECONDS < deadline)) || fail "$what: not so in time ($*)"
		sleep 0.1
	done
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# Whole devices, past the page cache. same A B [BYTES [SKIP_A [SKIP_B]]]
same() {
	local bytes=${3:-} a=$1 b=$2
	bytes=${bytes:-$(blockdev --getsize64 "$a")}
	require_block "$a" "$b"
	cmp -n "$bytes" <(direct_read "$a" "${4:-0}") <(direct_read "$b" "${5:-0}") >"$WORK/cmp" 2>&1 ||
		fail "$a and $b differ, expected the same data: $(cat "$WORK/cmp")"
}

differ() {
	! cmp -s -n "${3:-$(blockdev --getsize64 "$1")}" <(direct_read "$1") <(direct_read "$2") ||
		fail "$1 and $2 hold the same data, expected a difference"
}

direct_read() { # DEVICE [SKIP BYTES]
	dd if="$1" bs=1M iflag=direct,skip_bytes skip="${2:-0}" status=none 2>/dev/null || true
}

# zeros DEVICE OFFSET BYTES
zeros() {
	cmp -s -n "$3" <(dd if="$1" bs=1M iflag=direct,skip_bytes,count_bytes skip="$2" count="$3" status=none) /dev/zero ||
		fail "$1: expected $3 zero bytes at $2"
}

sum() { direct_read "$1" | sha256sum | cut -d' ' -f1; }

require_block() {
	local d
	for d; do
		[[ -b $d ]] || fail "$d is no block device"
	done
}

# No line of the kernel log since `log_mark` matches (or does).
log_mark() { LOG_MARK=$(dmesg | wc -l); }
log_since() { dmesg | sed -n "$((LOG_MARK + 1)),\$p"; }

suspended_devices() { dmsetup info -c --noheadings --separator ' ' -o name,attr 2>/dev/null | awk 'NF == 2 && $2 ~ /s/ { print $1 }'; }

# Those of a scenario that was killed in this guest before are not ours.
cookies() { dmsetup udevcookies 2>/dev/null | awk '/^0x/ { print $1 }' | sort; }
new_cookies() { comm -13 <(echo "$COOKIES_BEFORE") <(cookies) | grep . || true; }

# What must hold whenever a command has ended, however it ended.
nothing_stuck() {
	local left
	left=$(suspended_devices)
	[[ -z $left ]] || fail "$1: left suspended: $left"
	left=$(new_cookies)
	[[ -z $left ]] || fail "$1: udev cookies are left: $left"
}

# exits_any "STATUS STATUS" COMMAND...
exits_any() {
	local want=$1 status=0
	shift
	OUT=$(limited "${EXITS_TIMEOUT:-60}" "$@" 2>&1) || status=$?
	[[ " $want " == *" $status "* ]] || fail "'$*' exited with $status, expected one of $want; it said: $OUT"
}
