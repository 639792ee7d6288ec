# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the guest's parts of tools/bench share. Results are JSON lines in
# $RESULTS/rows.
set -euo pipefail

say() { echo "bench: $*" >&2; }

sectors() { blockdev --getsz "$1"; }

settle() {
	udevadm settle
	sleep "${1:-1}"
}

# row PART ROW KEY VALUE...: one result.
row() {
	local part=$1 row=$2 line
	shift 2
	line=$(printf '"part": "%s", "row": "%s"' "$part" "$row")
	while (($#)); do
		line+=$(printf ', "%s": %s' "$1" "$2")
		shift 2
	done
	echo "{$line}" >>"$RESULTS/rows"
}

load_modules() {
	insmod "$BLKCTL_MODULE_DIR/dm-blkcopy.ko"
	modprobe -a dm-persistent-data dm-mirror dm-raid dm-delay
	modprobe raid1
	insmod "$BLKCTL_BENCH_DIR/floor.ko"
	insmod "$BLKCTL_BENCH_DIR/dm-clone.ko"
}

# ram_disks NUMBER MIB: written full, because a page that is not there yet costs
# more to write.
ram_disks() {
	local i
	modprobe brd rd_nr="$1" rd_size=$(($2 * 1024))
	for ((i = 0; i < $1; i++)); do
		dd if=/dev/zero of="/dev/ram$i" bs=1M oflag=direct status=none 2>/dev/null || true
		[[ -b /dev/ram$i ]]
	done
}

# make_dm NAME TABLE: and sees that it is a block device.
make_dm() {
	dmsetup create "$1" --table "$2"
	udevadm settle
	[[ -b /dev/mapper/$1 ]]
}

remove_dm() {
	udevadm settle
	dmsetup remove --retry "$1"
}

# switch_to NAME TABLE: what a switch costs a user of dmsetup.
switch_to() {
	dmsetup load "$1" --table "$2"
	dmsetup resume --noudevsync "$1"
}

status_word() { dmsetup status --noflush "$1" | cut -d' ' -f"$2"; }

# wait_until SECONDS COMMAND...
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < deadline)) || { say "never: $*" && return 1; }
		sleep 0.05
	done
}

phase_is() { [[ $(status_word "$1" 5) == "$2" ]]; }

# dm-mirror: "0 N mirror 2 A B IN/ALL ..."
mirror_in_sync() {
	local ratio
	ratio=$(status_word "$1" 7)
	[[ ${ratio%/*} == "${ratio#*/}" ]]
}

# dm-clone: "0 N clone SECTORS U/T REGION HYDRATED/ALL HYDRATING ..."
clone_hydrated() {
	local ratio
	ratio=$(status_word "$1" 7)
	[[ ${ratio%/*} == "${ratio#*/}" && $(status_word "$1" 8) == 0 ]]
}

# null_disk NAME MIB
null_disk() {
	local dir=/sys/kernel/config/nullb/$1
	mkdir "$dir"
	echo "$2" >"$dir/size"
	echo 0 >"$dir/memory_backed"
	echo 0 >"$dir/irqmode"
	echo 1 >"$dir/power"
	udevadm settle
	[[ -b /dev/$1 ]]
}

# timed ROW COMMAND...
timed() {
	local name=$1 begin=${EPOCHREALTIME/./} end
	shift
	"$@" >/dev/null
	end=${EPOCHREALTIME/./}
	row speed "$name" ms $(((end - begin) / 1000))
	say "$name: $(((end - begin) / 1000)) ms"
}
