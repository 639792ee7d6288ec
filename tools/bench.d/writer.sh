# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A writer of 128 MiB at random, and what it feels while something is done to its
# device. Rows are of part $PART.
MIB=128 LEN=$((128 * 2048))

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

writes() { awk '{ print $5 }' "/sys/class/block/$(basename "$(readlink -f "$1")")/stat"; }

writes_at_least() { (($(writes "$1") >= $2)); }

start_writer() {
	[[ -b $1 ]]
	rm -f /run/lat*
	fio --name=w --filename="$1" --size=${MIB}M --direct=1 --ioengine=libaio --bs=4k \
		--rw=randwrite --iodepth=4 --rate_iops=400 --time_based --runtime=600 \
		--norandommap --write_lat_log=/run/lat --log_unix_epoch=1 \
		--output=/run/fio.out >/dev/null 2>&1 &
	WRITER=$!
	wait_until 60 writes_at_least "$(readlink -f "$1")" $(($(writes "$1") + 400))
	sleep 1
}

stop_writer() {
	sleep 1
	kill -INT $WRITER
	wait $WRITER || [[ $? -eq 128 ]]
	! grep -E 'err= *[1-9]' /run/fio.out
}

# Every write that was under way at some time between BEGIN and END.
felt() {
	python3 - "$1" "$2" <<'PY'
import sys
begin, end = int(sys.argv[1]), int(sys.argv[2])
lat = []
for line in open("/run/lat_lat.1.log"):
    at, ns = [int(x) for x in line.split(",")[:2]]
    if at >= begin and at - ns / 1e6 <= end:
        lat.append(ns / 1e6)
lat.sort()
pick = lambda q: lat[min(len(lat) - 1, int(q * len(lat)))]
print("%d %.2f %.2f %.2f" % (len(lat), pick(0.5), pick(0.99), lat[-1]))
PY
}

# move ROW DEVICE COMMAND...: the command returns when the device has moved.
move() {
	local name=$1 device=$2 begin end result ios p50 p99 max
	shift 2
	start_writer "$device"
	begin=$(now_ms)
	"$@"
	end=$(now_ms)
	stop_writer
	result=$(felt "$begin" "$end")
	read -r ios p50 p99 max <<<"$result"
	row "$PART" "$name" seconds "$(printf '%d.%03d' $(((end - begin) / 1000)) $(((end - begin) % 1000)))" \
		ios "$ios" p50 "$p50" p99 "$p99" max "$max"
	say "$name: $((end - begin)) ms, p50 $p50 p99 $p99 max $max"
}

# with_table ROW TABLE COMMAND...: over a device of its own.
with_table() {
	make_dm vol "$2"
	move "$1" /dev/mapper/vol "${@:3}"
	remove_dm vol
}
