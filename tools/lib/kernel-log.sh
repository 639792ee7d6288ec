# SPDX-License-Identifier: GPL-2.0-or-later
# What in a kernel log means that the kernel found a fault. Sourced by
# tools/vm and tools/test.

KERNEL_FAULT='WARNING:|BUG:|INFO: (possible|suspicious|inconsistent|task |trying to register|lockdep)|possible (recursive|circular) locking|(suspicious RCU usage|inconsistent lock state|bad unlock balance|held lock freed|still held|invalid wait context)|KASAN|blocked for more than|hung_task:|Oops|general protection|unreferenced object|UBSAN|(rcu|RCU).*(stall|detected stalls)|soft lockup|hard LOCKUP|Kernel panic|list_(add|del) corruption|ODEBUG:|refcount_t:|new suspected memory leaks|scheduling while atomic|sleeping function called'

# Boot lines that only look like it, and messages of targets, which may quote
# anything a test made up.
KERNEL_FAULT_BENIGN='device-mapper: |[Cc]ommand line:|^[^a-z]*kasan: KernelAddressSanitizer|rcu_cpu_stall|RCU CPU stall warnings|hung_task_timeout|sysrq: Show'

# kernel_log_faults FILE [ALLOWED REGEX]...: prints the faulty lines with their
# numbers; true when there are any.
kernel_log_faults() {
	local file=$1 allow=$KERNEL_FAULT_BENIGN regex
	shift
	for regex in "$@"; do
		allow+="|$regex"
	done
	grep -nE "$KERNEL_FAULT" "$file" | grep -vE "$allow"
}
