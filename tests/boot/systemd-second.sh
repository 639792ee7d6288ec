#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The second life, as a system boots: the tree is installed, its units are enabled,
# the volume is in /etc/fstab, and PID 1 becomes systemd. systemd-check.sh looks.
# usage: systemd-second.sh MODE BUILD
# shellcheck source=tests/boot/lib.sh
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd -P)
UNITS=/etc/systemd/system
name_volume "$1"

install_tree "$2"
cp "$RESULTS/blkctltab" /etc/
mkdir -p /srv
echo "/dev/mapper/$VOL /srv ext4 defaults,x-systemd.device-timeout=90s 0 2" >/etc/fstab
systemctl enable blkctl-activate.service blkctl-activate-late.service
cat >$UNITS/boot-test.target <<'UNIT'
[Unit]
Requires=basic.target
After=basic.target
Wants=boot-test.service
AllowIsolate=yes
UNIT
# After all of local-fs.target, whether that was reached or not.
cat >$UNITS/boot-test.service <<UNIT
[Unit]
DefaultDependencies=no
After=local-fs.target emergency.service
[Service]
Type=oneshot
Environment=RESULTS=$RESULTS VOL=$VOL
ExecStart=$here/systemd-check.sh
StandardOutput=append:$RESULTS/check.out
StandardError=inherit
UNIT
# What a bare machine has no use for, and takes long.
for unit in apparmor systemd-binfmt systemd-udev-settle systemd-random-seed e2scrub_reap; do
	ln -sfn /dev/null $UNITS/$unit.service
done
udevadm control --exit
cat >/run/vm/init <<'INIT'
#!/bin/sh
exec /lib/systemd/systemd --system --unit=boot-test.target --log-target=kmsg
INIT
chmod 755 /run/vm/init
