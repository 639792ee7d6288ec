# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2153 # MODE, HOW, LIVES, DIR, BIN are of the file that sources it
# Where the cuts have met the volumes: a run that never meets a merge in its middle has
# shown nothing of it, however many cuts it has. Sourced by machines.
#
# What is known: the phase that the life has seen last, and the superblock, where it tells
# of an end that came after that. "inactive": the machine had not brought it back yet;
# "orderly": it was gone, in good order.

# Phases that a mode is about.
declare -A PHASES_OF=([stream]=streaming [commit]=merging [flatten]=streaming [mirror]="copying pivoted aborted")
# From how many lives of a mode on they must have been met, if a volume has so many that
# it can come to them.
ENOUGH=8 ENOUGH_OF_ONE=5
SEEN_ENDS=''

# After a cut: one more line in the tally; SEEN_ENDS: what this volume's metadata told of.
note_phase() {
	local met disk
	met=$(tail -n 1 "$DIR/results/phases")
	met=${met##* }
	disk=$("$BIN/show" "$DIR/meta.img" | sed -n 's/.* phase=\([a-z]*\) .*/\1/p')
	if [[ $disk =~ ^(streamed|merged|pivoted|aborted|broken)$ ]]; then
		[[ -z $met ]] || met=$disk
		[[ $SEEN_ENDS == *$disk* ]] || SEEN_ENDS+=", $disk"
	fi
	[[ $HOW != orderly ]] || met=orderly
	echo "$MODE ${met:-inactive}" >>"$DIR/tally"
}

# A line for each mode. False if one was never met in a phase that it is about.
tell_phases() { # MODE...
	local mode phase lives met_all=1
	for mode; do
		lives=$(grep -c "^$mode " "$DIR/tally")
		((lives > 0)) || continue
		echo "$mode, when it was cut: $(grep "^$mode " "$DIR/tally" | sort | uniq -c |
			awk '{ printf "%s%s %d", (NR > 1 ? ", " : ""), $3, $1 }')"
		((lives >= ENOUGH && LIVES >= ENOUGH_OF_ONE)) || continue
		for phase in ${PHASES_OF[$mode]:-}; do
			grep -qx "$mode $phase" "$DIR/tally" && continue
			echo "NOT MET: $mode: of $lives lives none was cut while $phase, so this run shows nothing of that"
			met_all=0
		done
	done
	((met_all))
}
