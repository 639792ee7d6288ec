#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first life: the tree is installed, a root filesystem is put on a volume
# that has a snapshot, and an initramfs is made by Debian's own tool.
# usage: initramfs-first.sh TREE BUILD
# shellcheck source=tests/boot/lib.sh
source "$(dirname "$0")/lib.sh"
release=$(uname -r)

install_tree "$2"
udevadm control --reload
mkdir -p $MNT
udevadm settle
systemd-analyze verify --man=no /lib/systemd/system/blkctl-activate{,-late}.service

blkctl create root "$(id 0)"
mkfs.ext4 -q /dev/mapper/root
mount /dev/mapper/root $MNT
mkdir -p $MNT/{bin,dev,proc,sys,run,tmp,etc}
cp "$(command -v busybox)" $MNT/bin/
ln -s busybox $MNT/bin/sh
dd if=/dev/urandom of=$MNT/before bs=64k count=20 status=none
blkctl snapshot root="$(id 1)" --metadata "$(id 2)"
dd if=/dev/urandom of=$MNT/after bs=64k count=20 status=none
(cd $MNT && sha256sum before after >sums)
cat >$MNT/init <<'INIT'
#!/bin/sh
/bin/busybox mount -t proc proc /proc
cd / && /bin/busybox sha256sum -c sums && /bin/busybox grep ' / ' /proc/mounts && echo "ROOT: all is there"
/bin/busybox sync
/bin/busybox mount -o remount,ro /
echo b >/proc/sysrq-trigger
INIT
chmod 755 $MNT/init
sync -f $MNT
sed -i 's/^root .*/& initramfs/; s/ \(stamp=[0-9a-f]*\) initramfs/ \1,initramfs/' /etc/blkctltab
cat /etc/blkctltab

# Debian's hooks, for a machine with nothing but virtio disks.
conf=/run/initramfs-tools
mkdir -p $conf/{conf.d,hooks,scripts}
cp /etc/initramfs-tools/initramfs.conf $conf/
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=gzip/' $conf/initramfs.conf
printf '%s\n' virtio_pci virtio_blk ext4 >$conf/modules
mkinitramfs -d $conf -o "$RESULTS/initrd" "$release"
lsinitramfs "$RESULTS/initrd" >"$RESULTS/initrd.list"
for file in usr/sbin/blkctl etc/blkctltab scripts/local-top/blkctl scripts/local-block/blkctl dm-blkcopy.ko \
	-dm-blkctl.rules; do
	grep -q -- "$file\$" "$RESULTS/initrd.list" || { echo "not in the initramfs: $file" && exit 1; }
done
umount $MNT
blkctl deactivate root
echo "made"
