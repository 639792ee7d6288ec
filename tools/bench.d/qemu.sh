# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The hypervisor's block layer as a peer: qemu-storage-daemon holds the device and
# exports it, and the kernel's nbd makes a block device of the export again, which
# is how a block device of a host gets at it. What nbd costs is in these rows, and
# in that of the daemon with nothing running.
NBD=/dev/nbd0 QMP=/run/qsd.qmp QSD=

# The first MIB of DEVICE, past the page cache.
qsd_node() { # NODE DEVICE
	echo "driver=raw,node-name=$1,size=$((MIB << 20)),discard=unmap,file.driver=host_device,file.filename=$2,file.aio=native,file.cache.direct=on"
}

# start_qsd EXPORTED OPTION...: $NBD is the node EXPORTED.
start_qsd() {
	local exported=$1
	shift
	rm -f /run/qsd.nbd $QMP
	qemu-storage-daemon "$@" --nbd-server addr.type=unix,addr.path=/run/qsd.nbd \
		--export "type=nbd,id=out,node-name=$exported,name=vol,writable=on" \
		--chardev "socket,id=qmp,path=$QMP,server=on,wait=off" --monitor chardev=qmp &
	QSD=$!
	wait_until 30 test -S $QMP
	wait_until 30 test -S /run/qsd.nbd
	nbd-client -unix /run/qsd.nbd $NBD -N vol >/dev/null
	udevadm settle
	[[ -b $NBD && $(blockdev --getsz $NBD) -eq $LEN ]]
}

stop_qsd() {
	udevadm settle
	nbd-client -d $NBD >/dev/null
	kill $QSD
	wait $QSD || true
}

qmp() { python3 "$(dirname "$0")/qmp.py" $QMP "$@"; }
