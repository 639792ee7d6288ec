#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=300
# One instant for two volumes: a writer that writes a number to the one and then
# to the other is found, in the frozen bases, with the first at most one ahead
# of the second. Killed at any point of it, the command leaves nothing suspended
# or frozen, and run again it is done; a filesystem that spans both is whole. One
# whose store or metadata is in a file on the other is refused.
# guards: the window, its guard, all or none, and that none waits for another.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_brd 4 32
mkdir -p /var/lib/blkctl "$WORK/mnt"

# Numbers into sector 0 of each, in this order. In the place of its shell, which is what is killed.
write_numbers() {
	exec python3 - "$1" "$2" <<'PY'
import mmap, os, sys
fds = [os.open(path, os.O_WRONLY | os.O_DIRECT) for path in sys.argv[1:3]]
buffer = mmap.mmap(-1, 4096)
n = 0
while True:
    n += 1
    buffer[:8] = n.to_bytes(8, "little")
    for fd in fds:
        os.pwrite(fd, buffer, 0)
PY
}
# Its start takes seconds: from when this returns both are being written to.
numbers_begin() {
	dd if=/dev/zero of=/dev/mapper/a bs=4k count=1 oflag=direct status=none
	dd if=/dev/zero of=/dev/mapper/b bs=4k count=1 oflag=direct status=none
	write_numbers /dev/mapper/a /dev/mapper/b &
	JOBS+=($!)
	until_true 30 "no numbers are written" has_numbers
}
has_numbers() { (($(number_on /dev/mapper/b) > 0)); }
number_on() { direct_read "$1" | head -c 8 | od -An -tu8 | tr -d ' '; }
frozen_together() { # WHEN [A B]
	local a b
	a=$(number_on "${2:-/dev/ram0}")
	b=$(number_on "${3:-/dev/ram1}")
	ge "$b" 1 "$1: the second number"
	ge "$a" "$b" "$1: the first number against the second"
	le "$((a - b))" 1 "$1: how far the first is ahead"
}
fresh() {
	local n
	for n in a b; do remove_dm $n; done
	for n in $(dmsetup ls 2>/dev/null | awk '!/^No/ && /-blk/ { print $1 }'); do remove_dm "$n"; done
	losetup -D
	rm -rf /run/blkctl /var/lib/blkctl/* /etc/blkctltab
	wipefs -qa /dev/ram2 /dev/ram3
}
both_overlays() { [[ $(dmsetup table a) == *' overlay 1:0 '* && $(dmsetup table b) == *' overlay 1:1 '* ]]; }
volumes() { ctl create a /dev/ram0 >/dev/null && ctl create b /dev/ram1 >/dev/null; }

note "one instant"
volumes
for ((i = 0; i < 5; i++)); do
	numbers_begin
	exits 0 ctl snapshot a=/dev/ram2 b=/dev/ram3 --json
	stop_jobs
	stall=$(grep '^{' <<<"$OUT" | jq -r 'select(.type == "outcome") | .stall_ms')
	[[ $stall =~ ^[0-9.]+$ ]] || fail "no stall_ms: $OUT"
	note "the window: $stall ms"
	both_overlays || fail "not both are overlays: $(dmsetup table)"
	frozen_together "snapshot $i"
	is "$(dmsetup ls | grep -c -- -blk || true)" 0 "hidden devices left"
	ctl commit a --wait >/dev/null
	ctl commit b --wait >/dev/null
done

note "one instant of views"
for ((i = 0; i < 3; i++)); do
	numbers_begin
	exits 0 ctl view a=a-now=/dev/ram2 b=b-now=/dev/ram3 --force
	sleep 0.5
	stop_jobs
	frozen_together "view $i" /dev/mapper/a-now /dev/mapper/b-now
	ge "$(number_on /dev/ram0)" "$(($(number_on /dev/mapper/a-now) + 1))" "what was written since"
	ctl remove a-now >/dev/null
	ctl remove b-now >/dev/null
done

note "refusals: nothing of either is changed"
before=$(dmsetup table)
exits 2 ctl snapshot a=/dev/ram2 b=/dev/ram2
exits 2 ctl snapshot a=/dev/ram2 a=/dev/ram3
exits 3 ctl snapshot a=/dev/ram2 b=/dev/nothing
exits 3 ctl snapshot a=/dev/ram2 c=/dev/ram3
exits 2 ctl snapshot a=/dev/ram2 b=/dev/ram3 --metadata /dev/ram3
mk_linear held /dev/ram3
exits 4 ctl snapshot a=/dev/ram2 b=/dev/ram3
remove_dm held
is "$(dmsetup table)" "$before" "tables after refusals"
is "$(losetup -l --noheadings | wc -l)" 0 "loop devices after refusals"

note "one that is on the other: each would wait for the other, for ever"
fresh
before=$(dmsetup table)
ctl create b /dev/ram1 >/dev/null
mkfs.ext4 -q -F /dev/mapper/b
mount_fs /dev/mapper/b
a_down() {
	remove_dm a
	losetup -D
	rm -rf /run/blkctl /var/lib/blkctl/* /etc/blkctltab
}
apart() { # WHAT VERB ARGS...
	local what=$1 tables
	shift
	tables=$(dmsetup table)
	exits 2 ctl "$@" --force
	has "$OUT" "$what is on b, and both cannot change at one instant" "$*"
	is "$(dmsetup table)" "$tables" "tables after '$*'"
	nothing_stuck "'$*'"
}
bits=$WORK/mnt/a.bitmaps store=$WORK/mnt/a.store
exits 0 ctl create a /dev/ram0 --metadata "$bits"
apart "its metadata $bits" snapshot a=/dev/ram2 b=/dev/ram3
apart "its metadata $bits" snapshot b=/dev/ram3 a=/dev/ram2 --no-freeze
apart "its metadata $bits" view a=a-now=/dev/ram2 b=b-now=/dev/ram3
apart "its metadata $bits" backup a=/dev/ram2 b=/dev/ram3
a_down
exits 0 ctl create a /dev/ram0
apart "the file $store" snapshot a="$store" b=/dev/ram3
apart "the file $store" view a=a-now="$store" b=b-now=/dev/ram3
[[ ! -e $store ]] || fail "a refusal has made $store"
exits 0 ctl snapshot a="$store"
apart "its store $store" snapshot a=/dev/ram2 b=/dev/ram3
apart "its store $store" view a=a-now=/dev/ram2 b=b-now=/dev/ram3
a_down
limited 20 touch "$WORK/mnt/alive" || fail "the filesystem is frozen"
umount "$WORK/mnt"
fresh
is "$(dmsetup table)" "$before" "tables at the end"

note "killed at every point, under a mounted filesystem that spans both"
fresh
for d in /dev/ram0 /dev/ram1; do dd if=/dev/zero of=$d bs=1M count=32 oflag=direct status=none; done
still_right() { :; }
prepare() {
	volumes
	dmsetup create span <<-TABLE
		0 65536 linear /dev/mapper/a 0
		65536 65536 linear /dev/mapper/b 0
	TABLE
	mkfs.ext4 -q -F /dev/mapper/span
	mount /dev/mapper/span "$WORK/mnt"
	cp -r /usr/share/common-licenses "$WORK/mnt/"
	sync -f "$WORK/mnt"
}
undo bash -c "umount $WORK/mnt 2>/dev/null; dmsetup remove span 2>/dev/null; true"
span_down() {
	umount "$WORK/mnt"
	remove_dm span
}
points=0
for ((n = 1; n < 60; n++)); do
	fresh
	prepare
	status=0
	BLKCTL_KILL_AT_STEP=$n timeout 60 "$BLKCTL" snapshot a=/dev/ram2 b=/dev/ram3 --force >"$WORK/out" 2>&1 || status=$?
	((status == 0)) && break
	is "$status" 137 "killed at $n: $(cat "$WORK/out")"
	((++points))
	# The guard takes a moment.
	until_true 10 "suspended, killed at $n" [ -z "$(suspended_devices)" ]
	timeout 20 touch "$WORK/mnt/alive" || fail "the filesystem is frozen, killed at $n"
	one=$(dmsetup table a) two=$(dmsetup table b)
	[[ $one == *overlay* ]] && [[ $two != *overlay* ]] && fail "only one is an overlay, killed at $n"
	[[ $one != *overlay* && $two == *overlay* ]] && fail "only the other is an overlay, killed at $n"
	exits 0 ctl snapshot a=/dev/ram2 b=/dev/ram3 --force
	both_overlays || fail "run again after it was killed at $n: $(dmsetup table)"
	touch "$WORK/mnt/again"
	nothing_stuck "again after $n"
	is "$(inactive_tables)" "" "again after $n: inactive tables"
	span_down
	((n % 5)) || {
		mk_linear look-a /dev/ram0
		dmsetup create look <<-TABLE
			0 65536 linear /dev/ram0 0
			65536 65536 linear /dev/ram1 0
		TABLE
		e2fsck -fn /dev/mapper/look >"$WORK/fsck" 2>&1 || grep -q 'recovering journal' "$WORK/fsck" ||
			fail "the frozen filesystem: $(cat "$WORK/fsck")"
		remove_dm look
		remove_dm look-a
	}
done
((points > 10)) || fail "killed at $points points only"
note "killed at $points points"
both_overlays || fail "not killed, and not done"
has "$(cat "$WORK/out")" 'filesystems were frozen for [0-9.]+ ms' "what it says"
span_down
ctl deactivate a
ctl deactivate b
ctl activate --all
both_overlays || fail "after activate: $(dmsetup table)"
fresh
pass
