# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Block devices to copy between, slow ones, shuffled ones and broken ones.

settle() { [[ -n ${DM_DISABLE_UDEV:-} ]] || udevadm settle --timeout=10; }
export -f settle
sectors() { blockdev --getsz "$1"; }

unload() { # a module just released may still be busy for a moment
	local i
	for ((i = 0; i < 50; i++)); do
		rmmod "$1" 2>/dev/null && return 0
		grep -q "^${1//-/_} " /proc/modules || return 0
		sleep 0.1
	done
	rmmod "$1"
}
export -f unload

# mk_brd COUNT MIB: /dev/ram0 and on, freshly empty.
mk_brd() {
	! grep -q '^brd ' /proc/modules || unload brd
	modprobe brd rd_nr="$1" rd_size=$(($2 * 1024))
	undo bash -c 'unload brd'
	settle
	require_block /dev/ram0
}

# mk_loop MIB [losetup options]: a file on tmpfs; it knows holes.
mk_loop() {
	local file size=$1
	shift
	modprobe loop
	file=$(mktemp -p /dev/shm loop.XXXXXX)
	truncate -s "${size}M" "$file"
	undo rm -f "$file"
	REPLY=$(losetup -f --show "$@" "$file")
	undo losetup -d "$REPLY"
	LOOP_FILE=$file
	require_block "$REPLY"
}

# The RAM disks of 6.1 cannot.
can_discard() { (($(lsblk --nodeps --noheadings --bytes --output DISC-MAX "$1") > 0)); }

holds_kib() { du -k "$1" | cut -f1; }

# mk_dm NAME TABLE...: each TABLE is one line.
mk_dm() {
	local name=$1
	shift
	printf '%s\n' "$@" | dmsetup create "$name"
	undo remove_dm "$name"
	REPLY=/dev/mapper/$name
	require_block "$REPLY"
}

# A prober may hold it for a moment.
remove_dm() {
	local i
	for ((i = 0; i < 30; i++)); do
		dmsetup info "$1" >/dev/null 2>&1 || return 0
		dmsetup remove "$1" 2>/dev/null && return 0
		settle
		sleep 0.1
	done
	dmsetup remove "$1"
}
export -f remove_dm

# swap_dm NAME TABLE...: exchanges the table under load.
swap_dm() {
	local name=$1
	shift
	printf '%s\n' "$@" | dmsetup load "$name"
	dmsetup suspend --noflush --nolockfs "$name"
	dmsetup resume --noudevsync "$name"
}

mk_linear() { mk_dm "$1" "0 ${3:-$(sectors "$2")} linear $2 ${4:-0}"; } # NAME DEV [LEN [OFF]]

# mk_delay NAME DEV READ_MS WRITE_MS [FLUSH_MS]
mk_delay() {
	local n
	modprobe dm-delay
	n=$(sectors "$2")
	mk_dm "$1" "0 $n delay $2 0 $3 $2 0 $4${5:+ $2 0 $5}"
}

# mk_shuffle NAME DEV MS1 MS2: every other bio takes the slower way, so bios in
# flight at once arrive in another order than they were sent.
mk_shuffle() {
	local n
	modprobe -a dm-delay dm-multipath dm-round-robin
	n=$(sectors "$2")
	mk_dm "$1-p1" "0 $n delay $2 0 $3"
	mk_dm "$1-p2" "0 $n delay $2 0 $4"
	mk_dm "$1" "0 $n multipath 2 queue_mode bio 0 1 1 round-robin 0 2 1 /dev/mapper/$1-p1 1 /dev/mapper/$1-p2 1"
}

linear_line() { echo "0 $(sectors "$1") linear $1 0"; }
error_line() { echo "0 $(sectors "$1") error"; }

# error_range DEV FIRST COUNT: linear lines with an error hole, one a line.
error_range() {
	local n
	n=$(sectors "$1")
	(($2 == 0)) || echo "0 $2 linear $1 0"
	echo "$2 $3 error"
	(($2 + $3 >= n)) || echo "$(($2 + $3)) $((n - $2 - $3)) linear $1 $(($2 + $3))"
}

# bad_reads DEV | bad_writes DEV: lines with which only that direction fails.
# They need mk_error_dev once.
# On flakey over a loop device, which has a write cache: on its way to a device
# without one a flush ends well before any target sees it.
mk_error_dev() {
	modprobe -a dm-flakey dm-delay
	mk_loop 1024
	mk_dm error-dev "0 2097152 flakey $REPLY 0 0 100000"
}
bad_reads() { echo "0 $(sectors "$1") delay /dev/mapper/error-dev 0 0 $1 0 0"; }
bad_writes() { echo "0 $(sectors "$1") delay $1 0 0 /dev/mapper/error-dev 0 0"; }

# mk_scsi_debug PARAMETER...: one disk.
mk_scsi_debug() {
	local i
	modprobe sd_mod
	modprobe scsi_debug "$@"
	undo bash -c 'unload scsi_debug'
	for ((i = 0; i < 100; i++)); do
		REPLY=$(grep -ls scsi_debug /sys/block/sd*/device/model | head -n 1 | cut -d/ -f4) || true
		REPLY=/dev/${REPLY:-no-scsi_debug}
		[[ -b $REPLY ]] && break
		sleep 0.1
	done
	settle
	require_block "$REPLY"
}

# mk_null_blk NAME SIZE_MIB ATTRIBUTE=VALUE...: by configfs.
mk_null_blk() {
	local dir=/sys/kernel/config/nullb/$1 size=$2 pair
	if ! grep -q '^null_blk ' /proc/modules; then
		modprobe null_blk nr_devices=0
		undo unload null_blk
	fi
	mkdir "$dir"
	undo bash -c "echo 0 >$dir/power; rmdir $dir"
	shift 2
	echo "$size" >"$dir/size"
	for pair; do
		echo "${pair#*=}" >"$dir/${pair%%=*}"
	done
	echo 1 >"$dir/power"
	REPLY=/dev/$(basename "$dir")
	[[ -b $REPLY ]] || REPLY=/dev/nullb$(cat "$dir/index")
	settle
	require_block "$REPLY"
}

dm_node() { dmsetup info -c --noheadings -o blkdevname "$1"; }
sysfs_of() { echo "/sys/dev/block/$(stat -L -c %Hr:%Lr "$1")"; }
# Done so far by a device: reads, sectors read, writes, sectors written.
disk_stat() { awk '{ print $1, $3, $5, $7 }' "$(sysfs_of "$1")/stat"; }
# wait_write DEV: until a write is in flight, which may be for a few seconds only: few
# processes are started for it.
wait_write() {
	local file deadline=$((SECONDS + 20)) writes=0
	file=$(sysfs_of "$1")/inflight
	until read -r _ writes <"$file" && ((writes > 0)); do
		((SECONDS < deadline)) || fail "no write is in flight to $1"
		sleep 0.1
	done
}
# garbage DEV [MIB]: every byte of it becomes something else
garbage() {
	local n i files=()
	n=${2:-$((($(blockdev --getsize64 "$1") + 1048575) / 1048576))}
	dd if=/dev/urandom bs=1M count=1 status=none >"$WORK/garbage"
	for ((i = 0; i < n; i++)); do files+=("$WORK/garbage"); done
	cat "${files[@]}" | dd of="$1" bs=1M iflag=fullblock oflag=direct status=none 2>/dev/null || true
}
