# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the files that source one another
# Mode verbs: bitmaps that are added, removed, cleared, frozen, thawed, enabled,
# disabled and merged while the volume is written to, and a model of what each must
# have by then. Sourced by guest.sh.
#
# The model of a bitmap is pairs of contents: where the two differ it must be set.
# The second of a pair may be what is there in the end. A content is read from the
# device behind a verb that begins something, or before one that ends something:
# what changes while it is read is not asked for, or is in what comes later.
# What a cut has interrupted may be done or not: then less is asked for.

declare -A THERE=() FROZEN=() FROM=() PAIRS=() KEPT=() UNSURE=()
SHOTS=0

no_bitmaps() {
	THERE=() FROZEN=() FROM=() PAIRS=() KEPT=() UNSURE=()
	SHOTS=0
	rm -f "$DIR"/shot.*
}

# What the volume holds, in a file; none when the power went meanwhile.
shot() {
	REPLY=''
	read_content "shot.$((SHOTS + 1))" || return 1
	SHOTS=$((SHOTS + 1))
	REPLY=$DIR/shot.$SHOTS
}

# ask BITMAP WORDS...: false when the power went: what came of it is not known.
ask() {
	local name=$1
	shift
	"$BIN/dm" message crash "bitmap $*" >"$DIR/dm.out" 2>&1 && return
	! power || bad "bitmap $*: $(<"$DIR/dm.out")"
	UNSURE[$name]=1
	return 1
}

verb_add() {
	ask "$1" add "$1" || return 0
	THERE[$1]=recording PAIRS[$1]='' FROM[$1]=''
	shot && FROM[$1]=$REPLY
}

verb_remove() {
	FROM[$1]='' PAIRS[$1]=''
	ask "$1" remove "$1" || return 0
	unset "THERE[$1]" "FROZEN[$1]"
}

# Of a frozen one what came since stays.
verb_clear() {
	local since=${FROZEN[$1]:+${KEPT[$1]}} was_frozen=${FROZEN[$1]:-}
	FROM[$1]='' PAIRS[$1]=''
	ask "$1" clear "$1" || return 0
	FROZEN[$1]=''
	[[ ${THERE[$1]} == recording ]] || return 0
	[[ -n $was_frozen ]] || { shot && since=$REPLY; }
	FROM[$1]=$since
}

verb_freeze() {
	ask "$1" freeze "$1" || return 0
	FROZEN[$1]=1 KEPT[$1]=''
	[[ ${THERE[$1]} != recording ]] || { shot && KEPT[$1]=$REPLY; }
}

verb_thaw() {
	ask "$1" thaw "$1" || return 0
	FROZEN[$1]=''
}

verb_disable() {
	shot || return 0
	[[ -z ${FROM[$1]} ]] || PAIRS[$1]+=" ${FROM[$1]}:$REPLY"
	FROM[$1]=''
	ask "$1" disable "$1" || return 0
	THERE[$1]=disabled
}

verb_enable() {
	ask "$1" enable "$1" || return 0
	THERE[$1]=recording
	shot && FROM[$1]=$REPLY
}

verb_merge() { # BITMAP FROM-BITMAP
	shot || return 0
	ask "$1" merge "$1" "$2" || return 0
	PAIRS[$1]+=" ${PAIRS[$2]} ${FROM[$2]:+${FROM[$2]}:$REPLY}"
}

# Those that make sense of it now, one of them.
one_verb() {
	local name other
	pick b0 b1 b2 && name=$REPLY
	pick b0 b1 b2 && other=$REPLY
	[[ -z ${UNSURE[$name]:-}${UNSURE[$other]:-} ]] || return 0
	if [[ -z ${THERE[$name]:-} ]]; then
		verb_add "$name"
	elif [[ -n ${FROZEN[$name]:-} ]]; then
		pick thaw clear && "verb_$REPLY" "$name"
	elif [[ ${THERE[$name]} == disabled ]]; then
		pick enable enable clear && "verb_$REPLY" "$name"
	else
		pick clear freeze freeze disable remove merge merge
		if [[ $REPLY != merge ]]; then
			"verb_$REPLY" "$name"
		elif [[ $name != "$other" && -n ${THERE[$other]:-} ]]; then
			verb_merge "$name" "$other"
		fi
	fi
	return 0
}

verbs() {
	local i
	for ((i = 0; i < 8; i++)); do
		power || return 0
		one_verb
		pick 0 0.02 0.1 && nap "$REPLY"
	done
}

# Of a volume that is back: none is frozen any more, and what a cut has interrupted
# begins anew.
begin_verbs() {
	local name
	FROZEN=()
	for name in "${!UNSURE[@]}"; do
		"$BIN/dm" message crash "bitmap remove $name" >/dev/null 2>&1 || power || return 0
		unset "UNSURE[$name]" "THERE[$name]"
	done
}

# After a cut: the metadata and the content are what the disks have.
verbs_missed() {
	local name pair
	for name in "${!THERE[@]}"; do
		for pair in ${PAIRS[$name]} ${FROM[$name]:+${FROM[$name]}:$DIR/base.img}; do
			has_all "$DIR/meta.img" "${pair%%:*}" "${pair#*:}" "$name" ||
				bad "bitmap $name: $(<"$DIR/missed.out") (${pair//"$DIR/"/})"
			MISSED="$name $(<"$DIR/missed.out")"
		done
		# One that is removed and whose removal a cut has met may be there or not.
		[[ -z ${UNSURE[$name]:-} ]] || { FROM[$name]='' && PAIRS[$name]=''; }
	done
}
