#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: timeout=90
# fio's own verification through a copy and a pivot, by io_uring with many
# I/Os in flight.
# guards: as loop-pivot, with a second, independent judge.
source "$(dirname "$0")/lib.sh"
load_module
mk_brd 2 8
mk_volume vol /dev/ram0
fio_start --filename=/dev/mapper/vol --direct=1 --ioengine=io_uring --rw=randwrite --bsrange=512-16k --iodepth=16 --size=8M \
	--verify_backlog=64 --randseed=3 --rate_iops=300
sleep 1
start_copy vol /dev/ram0 /dev/ram1
pivot vol 40
garbage /dev/ram0
sleep 1
finish_pivot vol /dev/ram1
sleep 1
fio_stop
is "$(st vol base_errors top_errors)" "0 0" "errors counted"
pass
