# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Volumes by raw tables and messages: no scenario of the kernel side needs the
# command line tool.

# The module that fits the running kernel: BLKCTL_MODULE_DIR, or the tree.
module_path() {
	local ko
	for ko in "${BLKCTL_MODULE_DIR:-/nonexistent}/dm-blkcopy.ko" "$ROOT/kernel/dm-blkcopy.ko" \
		"$ROOT"/kernel/build-"$(uname -r)"/dm-blkcopy.ko; do
		[[ -e $ko && $(modinfo -F vermagic "$ko") == "$(uname -r) "* ]] && echo "$ko" && return 0
	done
	fail "no dm-blkcopy.ko for $(uname -r): make -C kernel KVER=$(uname -r)"
}

load_module() {
	modprobe dm-mod
	! grep -q '^dm_blkcopy ' /proc/modules || unload dm-blkcopy
	insmod "$(module_path)"
	undo bash -c 'unload dm-blkcopy'
}

track_line() { echo "0 ${4:-$(sectors "$1")} blkcopy track $1 ${2:-0} - 0 ${META:--} ${3:-128}"; } # BASE [OFF [BLOCK [LEN]]]

# mirror_line BASE TOP [features and params...]. BLOCK, META, LEN, BASE_OFF and
# TOP_OFF change the rest of it.
mirror_line() {
	local base=$1 top=$2
	shift 2
	echo "0 ${LEN:-$(sectors "$base")} blkcopy mirror $base ${BASE_OFF:-0} $top ${TOP_OFF:-0} ${META:--} ${BLOCK:-128}${*:+ $*}"
}

# mk_volume NAME BASE: in track mode.
mk_volume() {
	mk_dm "$1" "0 ${LEN:-$(sectors "$2")} blkcopy track $2 ${BASE_OFF:-0} - 0 ${META:--} ${BLOCK:-128}"
	VOLUMES+=("$1")
}

# reload NAME LINE: loads and switches; the same ioctl blkctl uses.
reload() {
	dmsetup load "$1" --table "$2"
	dmsetup resume --noudevsync "$1"
}

# start_copy NAME BASE TOP [features and params...]
start_copy() {
	local name=$1
	shift
	note "$name: copy $*"
	reload "$name" "$(mirror_line "$@")"
}

STATUS_FIELDS=(start len target mode phase health base_only both top_only zero total block
	copied inflight rate segments base_errors top_errors commits torn bitmaps)

declare -A STATUS_INDEX
for _i in "${!STATUS_FIELDS[@]}"; do STATUS_INDEX[${STATUS_FIELDS[_i]}]=$_i; done

# st NAME FIELD...: fields of the status line.
st() {
	local name=$1 line field words out=()
	shift
	line=$(dmsetup status --noflush "$name") || return 1
	read -r -a words <<<"$line"
	for field; do out+=("${words[STATUS_INDEX[$field]]-}"); done
	echo "${out[*]}"
}

phase_is() { [[ " ${*:2} " == *" $(st "$1" phase) "* ]]; }

# wait_phase NAME SECONDS PHASE...
wait_phase() {
	local name=$1 deadline=$((SECONDS + $2)) phase
	shift 2
	while :; do
		phase=$(st "$name" phase)
		[[ " $* " == *" $phase "* ]] && return 0
		((SECONDS < deadline)) || fail "$name: phase is '$phase' after waiting, expected $*: $(dmsetup status --noflush "$name")"
		sleep 0.05
	done
}

# Everything is in both, and stays so: nobody writes any more.
wait_equal() {
	local deadline=$((SECONDS + ${2:-30}))
	until [[ $(st "$1" phase base_only inflight) == "synced 0 0" ]]; do
		((SECONDS < deadline)) || fail "$1: not everything is in both: $(dmsetup status --noflush "$1")"
		sleep 0.1
	done
}
paused() { [[ $(dmsetup table "$1") =~ \ [1-9]\ (.*\ )?paused ]]; }

check_counts() {
	local mode phase both base top zero total
	read -r mode phase base both top zero total < <(st "$1" mode phase base_only both top_only zero total)
	[[ $((base + both + top + zero)) == "$total" ]] ||
		fail "$1: $mode $phase: $base + $both + $top + $zero is not the total $total"
}

# A background poll of the sum; stop_jobs ends it, counts_ok judges it.
watch_counts() {
	local name=$1
	(
		trap - ERR EXIT
		set +e
		while sleep 0.7; do
			line=$(check_counts "$name" 2>/dev/null) || [[ -z $line ]] || echo "$line" >>"$WORK/counts-$name"
		done
	) &
	JOBS+=($!)
}
counts_ok() { [[ ! -s $WORK/counts-$1 ]] || fail "$(head -n 1 "$WORK/counts-$1")"; }

# POSIXLY_CORRECT: "-1" is a word of the message, no option.
msg() { POSIXLY_CORRECT=1 dmsetup message "$1" 0 "${@:2}"; }

# msg_refused NAME ERROR WORDS...: ERROR as strerror has it.
msg_refused() { refused "$2" env POSIXLY_CORRECT=1 dmsetup message "$1" 0 "${@:3}"; }

EINVAL='Invalid argument'
EBUSY='Device or resource busy'
EALREADY='Operation already in progress'

# pivot NAME: the message, tried until every block is in both, and its phase.
pivot() {
	local deadline=$((SECONDS + ${2:-20})) out
	until out=$(msg "$1" phase pivot 2>&1); do
		[[ $out == *"$EBUSY"* ]] || fail "$1: phase pivot: $out"
		((SECONDS < deadline)) || fail "$1: pivot was refused as busy all the time: $(dmsetup status --noflush "$1")"
		sleep 0.05
	done
	wait_phase "$1" 20 pivoted
}

# finish_pivot NAME TOP: drops the old leg from the table.
finish_pivot() {
	reload "$1" "0 ${LEN:-$(sectors "$2")} blkcopy track $2 ${TOP_OFF:-0} - 0 ${META:--} ${BLOCK:-128}"
	is "$(st "$1" mode phase)" "track idle" "$1 after the pivot's reload"
}

abort_copy() { # NAME BASE
	msg "$1" phase abort
	wait_phase "$1" 10 aborted
	reload "$1" "0 ${LEN:-$(sectors "$2")} blkcopy track $2 ${BASE_OFF:-0} - 0 ${META:--} ${BLOCK:-128}"
}

event_nr() { dmsetup info -c --noheadings -o events "$1"; }
