#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# PID 1 of a guest of tools/vm, after its initramfs: runs the command, leaves
# its status where the host looks for it and stops the machine. It must never
# exit by itself: that would be a panic.

VM=/run/vm

setting() {
	cat "$VM/set/$1" 2>/dev/null
}

# Only block devices are triggered: the rest would load modules for hardware
# nobody uses, for seconds.
start_udev() {
	/lib/systemd/systemd-udevd --daemon --resolve-names=never
	udevadm trigger --action=add --subsystem-match=block --subsystem-match=misc
	udevadm settle --timeout=60
}

# Shortly before the host's patience ends, the log gets the blocked tasks.
arm_watchdog() {
	local after
	after=$(setting watchdog)
	[[ -n $after ]] || return 0
	(
		sleep "$after"
		echo w >/proc/sysrq-trigger
	) &
	WATCHDOG=$!
}

# The output goes through pipes, so that a script that opens /dev/stderr does
# not truncate a file. A process left behind may hold a pipe open: its reader
# is not waited for for ever.
run_piped() {
	local out err status i
	coproc OUT { exec cat >"$VM/stdout"; }
	out=$OUT_PID
	exec 7>&"${OUT[1]}"
	exec {OUT[1]}>&-
	if [[ -e $VM/set/one-stream ]]; then
		exec 8>&7
		err=
	else
		mkfifo /run/stderr.fifo
		cat /run/stderr.fifo >"$VM/stderr" &
		err=$!
		exec 8>/run/stderr.fifo
	fi
	(exec "${CMD[@]}") </dev/null >&7 2>&8 7>&- 8>&-
	status=$?
	exec 7>&- 8>&-
	for ((i = 0; i < 30; i++)); do
		kill -0 "$out" $err 2>/dev/null || break
		sleep 0.1
	done
	return $status
}

run_on_terminal() {
	modprobe -q virtio_console
	for ((i = 0; i < 50; i++)); do
		[[ -c /dev/hvc0 ]] && break
		sleep 0.1
	done
	stty -F /dev/hvc0 sane
	[[ -n $(setting stty) ]] && stty -F /dev/hvc0 $(setting stty)
	setsid -c -w "${CMD[@]}" </dev/hvc0 >/dev/hvc0 2>&1
}

run_command() {
	cd "$(setting cwd)" || return 126
	mapfile -d '' -t CMD <"$VM/set/cmd"
	if [[ -e $VM/set/tty ]]; then
		run_on_terminal
	else
		run_piped
	fi
}

# Objects younger than five seconds are not reported, and the first scan only
# finds candidates.
kmemleak() {
	[[ -w /sys/kernel/debug/kmemleak ]] || return 0
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak >"$RESULTS/kmemleak"
}

# A device left suspended makes sync wait for ever; the status must get out
# all the same.
bounded_sync() {
	local i pid
	sync &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		kill -0 $pid 2>/dev/null || return 0
		sleep 0.1
	done
	echo "vm: sync did not end" >/dev/kmsg
}

while IFS= read -r -d '' pair; do
	export "${pair?}"
done <"$VM/set/env"
start_udev
arm_watchdog
: >"$VM/started"
echo "vm: command starts" >/dev/kmsg
run_command
STATUS=$?
[[ -n ${WATCHDOG:-} ]] && kill "$WATCHDOG" 2>/dev/null
# The command may have made a system that boots: that leaves the status.
[[ $STATUS != 0 || ! -x $VM/init ]] || exec "$VM/init"
kmemleak
dmesg >"$RESULTS/dmesg"
bounded_sync
echo "$STATUS" >"$VM/status.new"
mv "$VM/status.new" "$VM/status"
while :; do
	echo b >/proc/sysrq-trigger
	sleep 1
done
