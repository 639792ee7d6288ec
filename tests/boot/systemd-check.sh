#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In the second life, when systemd has mounted what there is: the volume came back
# before, what was acknowledged is there, and more is written. Then the machine is
# shut down, as machines are.
set -Euo pipefail
end() {
	dmesg >"$RESULTS/dmesg"
	systemctl --no-pager status blkctl-activate.service blkctl-activate-late.service srv.mount
	sync
	echo "$1" >/run/vm/status
	systemctl --no-block poweroff
	exit 0
}
trap 'echo "FAIL line $LINENO: $BASH_COMMAND"; end 1' ERR

[[ $(findmnt -no SOURCE /srv) == "/dev/mapper/$VOL" ]]
[[ $(dmsetup table "$VOL") == *blkcopy* ]]
(cd /srv && sha256sum --quiet -c "$RESULTS/sums")
for unit in blkctl-activate blkctl-activate-late; do
	[[ $(systemctl is-active $unit.service) == active ]]
	[[ $(systemctl show -p Result --value $unit.service) == success ]]
done
# Before the mount, and what is to happen at the end is still to come.
begun() { systemctl show -p "$2" --value "$1"; }
(($(begun blkctl-activate.service ActiveEnterTimestampMonotonic) <= $(begun srv.mount InactiveExitTimestampMonotonic)))
for i in {1..5}; do
	dd if=/dev/urandom of="/srv/booted$i" bs=64k count="$i" conv=fsync status=none
	(cd /srv && sha256sum "booted$i") >>"$RESULTS/sums"
done
echo "mounted, and all is there"
end 0
