# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by the tools: where the tree and the cache are, how a tool gives up,
# and which kernel a short name means. Sourced, never run.

BLKCTL_TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
BLKCTL_CACHE_ROOT=${BLKCTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/blkctl}

# modprobe, dmsetup and mkfs.* are there, and not everybody looks there.
export PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

note() {
	echo "${0##*/}: $*" >&2
}

# The newest installed kernel of a series ("6.1"), or the release itself.
# "debug" is the cached debug kernel.
kernel_release() {
	local want=$1 image
	case $want in
	debug)
		cat "$("$BLKCTL_TREE/tools/debug-kernel" --path)/include/config/kernel.release"
		return
		;;
	*.*.*)
		echo "$want"
		return
		;;
	esac
	image=$(find /boot -maxdepth 1 -name "vmlinuz-$want.*-amd64" ! -name '*-cloud-*' \
		! -name '*-rt-*' | sort -V | tail -n 1)
	[[ -n $image ]] || die "no kernel $want is installed"
	echo "${image#/boot/vmlinuz-}"
}

# What to build a module for that kernel against.
kernel_build_dir() {
	if [[ $1 == debug ]]; then
		"$BLKCTL_TREE/tools/debug-kernel" --path
	else
		echo "/lib/modules/$(kernel_release "$1")/build"
	fi
}
