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
volume_in_use

chain 10
pass
