# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Bitmaps of changed blocks, by messages.

# bitmap VERB WORD...: of the volume vol.
bitmap() { msg vol bitmap "$@"; }

# listed NAME: its runs, "first+count", all on one line.
listed() {
	local from=0 out=() words
	while [[ $from != end ]]; do
		read -r -a words <<<"$(dmsetup message vol 0 bitmap list "$1" "$from")"
		((${#words[@]})) || fail "bitmap list $1 $from says nothing"
		from=${words[-1]}
		unset 'words[-1]'
		out+=("${words[@]}")
	done
	echo "${out[*]}"
}

# bitmap_is NAME: "dirty state" of the status line.
bitmap_is() {
	dmsetup status --noflush vol | awk -v n="$1" '{ for (i = 21; i < NF; i++) if ($i == n) print $(i + 1), $(i + 2) }'
}

# blocks_of RUNS...: one number a line.
blocks_of() {
	local run
	for run; do seq "${run%+*}" $((${run%+*} + ${run#*+} - 1)); done
}

# covers NAME OLD NEW: no block that differs is missing from the bitmap.
covers() {
	local missing
	missing=$(comm -23 <("$(tool changed)" "$2" "$3" $((${BLOCK:-128} * 512)) | sort) <(blocks_of $(listed "$1") | sort) | head -n 3 | paste -sd' ')
	[[ -z $missing ]] || fail "bitmap $1 misses changed blocks: $missing"
}
