#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the kernel we build against has, found by compiling a line for each;
# prints -DBKC_HAVE_* words for Kbuild. Arguments: the compiler and its flags.

compiles() {
	header=$1
	line=$2
	shift 2
	printf '#include <linux/%s>\n%s\n' "$header" "$line" |
		"$@" -w -DMODULE -DKBUILD_MODNAME='"probe"' -x c -c -o /dev/null - 2>/dev/null
}

# A probe that must work, or all the answers would be "no".
if ! compiles device-mapper.h 'struct dm_target t;' "$@"; then
	echo '-DBKC_PROBES_DO_NOT_COMPILE'
	exit 0
fi
compiles workqueue.h 'int flag = WQ_PERCPU;' "$@" &&
	printf ' -DBKC_HAVE_WQ_PERCPU'
compiles blkdev.h 'blk_mode_t mode = BLK_OPEN_READ;' "$@" &&
	printf ' -DBKC_HAVE_BLK_MODE'
compiles device-mapper.h \
	'int f(struct dm_target *t) { return t->needs_stable_writes; }' "$@" &&
	printf ' -DBKC_HAVE_TI_STABLE_WRITES'
compiles device-mapper.h \
	'int f(struct dm_target *t) { return t->flush_bypasses_map; }' "$@" &&
	printf ' -DBKC_HAVE_FLUSH_BYPASS'
exit 0
