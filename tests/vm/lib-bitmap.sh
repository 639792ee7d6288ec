# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Bitmaps of changed blocks, by messages.

# bitmap VERB WORD...: of the volume VOL, or vol.
bitmap() { msg "${VOL:-vol}" bitmap "$@"; }

# listed NAME: its runs, "first+count", all on one line.
listed() {
	local from=0 out=() words said
	while [[ $from != end ]]; do
		said=$(dmsetup message "${VOL:-vol}" 0 bitmap list "$1" "$from") || return 1
		read -r -a words <<<"$said"
		((${#words[@]})) || return 1
		from=${words[-1]}
		unset 'words[-1]'
		out+=("${words[@]}")
	done
	echo "${out[*]}"
}

# bitmap_is NAME: "dirty state" of the status line.
bitmap_is() {
	dmsetup status --noflush "${VOL:-vol}" | awk -v n="$1" '{ for (i = 21; i < NF; i++) if ($i == n) print $(i + 1), $(i + 2) }'
}

# blocks_of RUNS...: one number a line.
blocks_of() {
	local run
	for run; do seq "${run%+*}" $((${run%+*} + ${run#*+} - 1)); done
}

# covers NAME OLD NEW: no block that differs is missing from the bitmap.
covers() {
	local missing runs
	runs=$(listed "$1") || fail "bitmap $1 cannot be listed"
	missing=$(comm -23 <("$(tool changed)" "$2" "$3" $((${BLOCK:-128} * 512)) | sort) <(blocks_of $runs | sort) | head -n 3 | paste -sd' ')
	[[ -z $missing ]] || fail "bitmap $1 misses changed blocks: $missing"
}
