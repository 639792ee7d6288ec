#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=120
# ext4, mounted and written to, through a copy and a pivot: the old leg is
# overwritten with garbage, files are as they were, fsck is clean.
# guards: everything a file system does through the volume (flush, FUA,
# metadata, discards), across the switch of the table.
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-fs.sh"
fs_pivot ext4
pass
