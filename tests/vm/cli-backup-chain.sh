#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=300
# A full backup and ten incrementals of a volume in use, as qcow2 files and into
# a raw image: each, restored, is the volume at its instant, byte for byte.
# guards: the view and the bitmap of one instant; what is copied.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
source "$VM_DIR/lib-image.sh"
cli_setup
mk_loops 8
mk_loop 8 && SPARE=$REPLY
VOLUME_BYTES=$((8 << 20))
images=$RESULTS/images
mkdir -p "$images"
exits 0 ctl create data "$A"
undo remove_dm data
fill "$A" 8
hammer_start /dev/mapper/data --threads 2 --min 4k --max 64k --discard 4 --zero 6 --think-us 60000

chain 10
pass
