# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What every scenario needs: devices, volumes, faults, workloads, assertions
# and a cleanup that checks that nothing is left. Functions that make a thing
# put its path in REPLY (a subshell could not register its removal).
set -Eeuo pipefail

ME=$(basename "$0" .sh)
VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd "$VM_DIR/../.." && pwd -P)
BLKCTL=${BLKCTL_BIN:-$ROOT/build/ctl/blkctl}
UNDO=()
JOBS=()
VOLUMES=()

[[ -n ${BLKCTL_IN_GUEST:-} ]] || {
	echo "$ME: this runs in a guest only: tools/test $ME" >&2
	exit 2
}
WORK=$(mktemp -d "/run/$ME.XXXXXX")

# What needs no udev does without: libdm makes the nodes itself, no prober
# comes between, and it takes a third of the time. UDEV=1 before this file is
# sourced keeps it.
if [[ -z ${UDEV:-} ]]; then
	udevadm settle --timeout=30 || true
	udevadm control --exit || true
	rm -f /run/udev/control
	export DM_DISABLE_UDEV=1
fi

note() { echo "$ME: ($SECONDS s) $*"; }

# shellcheck source=tests/vm/lib-assert.sh
source "$VM_DIR/lib-assert.sh"
COOKIES_BEFORE=$(cookies)
# shellcheck source=tests/vm/lib-devices.sh
source "$VM_DIR/lib-devices.sh"
# shellcheck source=tests/vm/lib-volume.sh
source "$VM_DIR/lib-volume.sh"
# shellcheck source=tests/vm/lib-load.sh
source "$VM_DIR/lib-load.sh"
# shellcheck source=tests/vm/lib-durable.sh
source "$VM_DIR/lib-durable.sh"
# shellcheck source=tests/vm/lib-backup.sh
source "$VM_DIR/lib-backup.sh"

# Runs when the scenario ends, last registered first.
undo() { UNDO+=("$(printf '%q ' "$@")"); }

run_undo() {
	local i what strict=$1
	for ((i = ${#UNDO[@]} - 1; i >= 0; i--)); do
		what=${UNDO[i]}
		UNDO=("${UNDO[@]:0:i}")
		# A bash of its own, so that timeout can run our functions.
		timeout 20 bash -c "$what" >"$WORK/undo.log" 2>&1 && continue
		((strict == 0)) || fail "cleanup: '$what' failed: $(cat "$WORK/undo.log")"
	done
}

stop_jobs() {
	local pid
	for pid in "${JOBS[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${JOBS[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	JOBS=()
}

on_exit() {
	local status=$?
	trap - EXIT ERR
	set +e
	((status == 0)) && [[ -z ${FINISHED:-} ]] && {
		echo "FAIL $ME: it ended before pass was called"
		status=1
	}
	if ((status != 0)); then
		show_state
		local pid
		for pid in "${JOBS[@]}"; do kill -9 "$pid" 2>/dev/null; done
		sleep 1
		unstick
		run_undo 0
	fi
	[[ -n ${UDEV:-} ]] || /lib/systemd/systemd-udevd --daemon --resolve-names=never
	rm -rf --one-file-system "$WORK" 2>/dev/null
	exit $status
}
trap on_exit EXIT
trap 'echo "FAIL $ME: line ${BASH_LINENO[0]} or $LINENO: $BASH_COMMAND"' ERR

# What a failed run left may be suspended or hang: let the cleanup get at it.
unstick() {
	local name
	for name in $(suspended_devices); do
		timeout 5 dmsetup resume --noudevsync "$name" 2>/dev/null
	done
}

show_state() {
	echo "--- state of $ME when it failed ---"
	timeout 5 dmsetup table
	timeout 5 dmsetup status
	timeout 5 dmsetup info -c
	dmesg | grep -v 'vm: ' | tail -n 25
	echo "---"
}

# The end of every scenario: everything comes down in order and nothing is left.
pass() {
	stop_jobs
	run_undo 1
	local left
	left=$(dmsetup ls 2>/dev/null | grep -v '^No devices' || true)
	[[ -z $left ]] || fail "dm devices are left: $left"
	left=$(new_cookies)
	[[ -z $left ]] || fail "udev cookies are left: $left"
	FINISHED=1
	echo "PASS $ME${1:+: $1}"
}
