# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What is asked for on the command line, looked at before anything is built: a run
# that would do nothing at all has no losses either. Sourced by the runners.

bad_usage() {
	echo "${0##*/}: $*; see --help" >&2
	exit 2
}

need_value() { # OPTION and all that comes behind it
	(($# >= 2)) || bad_usage "$1: unknown, or its value is missing"
}

need_number() { # OPTION VALUE LEAST
	[[ $2 =~ ^(0|[1-9][0-9]{0,8})$ ]] && (($2 >= $3)) && return
	bad_usage "$1 \"$2\": not a number from $3 on"
}

# read_seeds A-B|A: sets FIRST and LAST
read_seeds() {
	[[ $1 =~ ^(0|[1-9][0-9]{0,8})(-(0|[1-9][0-9]{0,8}))?$ ]] || bad_usage "--seeds \"$1\": not A-B, two numbers"
	FIRST=${BASH_REMATCH[1]} LAST=${BASH_REMATCH[3]:-${BASH_REMATCH[1]}}
	((FIRST <= LAST)) || bad_usage "--seeds $1: there is none from $FIRST to $LAST"
}

need_modes() { # M,... KNOWN...
	local mode
	[[ $1 == *[^,\ ]* ]] || bad_usage "--mode names none"
	for mode in ${1//,/ }; do
		[[ " ${*:2} " == *" $mode "* ]] || bad_usage "--mode $mode: there is ${*:2}"
	done
}
