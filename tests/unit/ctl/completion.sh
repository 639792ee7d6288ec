#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The generated bash completion, asked as the shell asks it. $1: blkctl.
set -euo pipefail

# shellcheck source=/dev/null
source <("$1" __completion bash)

offered() {
	COMP_WORDS=("$@")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	_blkctl
	echo "${COMPREPLY[*]}"
}

expect() {
	local want=$1 got
	shift
	got=$(offered "$@")
	[[ " $got " == *" $want "* ]] || {
		echo "completing \"$*\": wanted $want, got: $got" >&2
		exit 1
	}
}

expect copy blkctl co
expect --version blkctl ""
expect --pivot blkctl copy data /dev/vdc --p
expect background blkctl copy --mode ""
expect stop blkctl copy data /dev/vdc --on-top-error s
expect mode=dual blkctl set data mode=
expect events blkctl help ev
[[ -z $(offered blkctl create "") ]] || {
	echo "a name that is free to choose was offered words" >&2
	exit 1
}
