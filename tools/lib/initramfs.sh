# SPDX-License-Identifier: GPL-2.0-or-later
# What a guest boots: the kernel, unpacked, and a small initramfs that gets
# from it to the 9p root. Sourced by tools/vm. Cached by release and content.
# An emulated processor is slow at starting programs and at unpacking, so both
# do here as much as they can.

# Needed before the root is mounted, or by nearly everyone.
INITRAMFS_MODULES=(virtio_pci 9pnet_virtio 9p overlay configfs virtio_blk dm-mod)

# boot_image BZIMAGE: the ELF kernel inside, which QEMU starts directly (PVH).
boot_image() {
	local image=$1 out setup offset length
	out=$BLKCTL_CACHE_ROOT/initramfs/${image##*/}-$(stat -c '%s-%Y' "$image").elf
	if [[ ! -e $out ]]; then
		mkdir -p "${out%/*}"
		setup=$(od -An -tu1 -j 497 -N 1 "$image")
		offset=$(od -An -tu4 -j 584 -N 4 "$image")
		length=$(od -An -tu4 -j 588 -N 4 "$image")
		# Not a pipe: tail may be told that nobody reads the rest.
		head -c $((length)) >"$out.$$.packed" < <(tail -c +$(((setup + 1) * 512 + offset + 1)) "$image")
		case $(od -An -tx1 -N 4 "$out.$$.packed") in
		" fd 37 7a 58") xz --single-stream -dc "$out.$$.packed" >"$out.$$" ;;
		" 28 b5 2f fd") head -c -4 "$out.$$.packed" | zstd -qdc >"$out.$$" ;;
		" 1f 8b "*) head -c -4 "$out.$$.packed" | gzip -dc >"$out.$$" ;;
		*) die "$image is packed in an unknown way" ;;
		esac
		rm "$out.$$.packed"
		mv "$out.$$" "$out"
	fi
	echo "$out"
}

unpacked_module() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -qdc "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

initramfs_init_script() {
	cat <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /lower /rw /new
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
	insmod "/modules/$module" || echo "vm: cannot load $module"
done </modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose vmroot /lower
mount -t tmpfs -o size=90% tmpfs /rw
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work overlay /new
mkdir -p /new/proc /new/sys /new/dev /new/run
mount -t tmpfs tmpfs /new/run
mkdir -p /new/run/vm /new/run/lock /new/run/udev /new/run/lvm /dev/pts /dev/shm
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 vmctl /new/run/vm
results=$(cat /new/run/vm/set/results)
mkdir -p "/new$results"
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 vmresults "/new$results"
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t configfs configfs /sys/kernel/config
ln -sfn /proc/self/fd /dev/fd
ln -sfn /proc/self/fd/0 /dev/stdin
ln -sfn /proc/self/fd/1 /dev/stdout
ln -sfn /proc/self/fd/2 /dev/stderr
if [ -e /new/run/vm/set/modules ]; then
	mkdir -p "/new/lib/modules/$(uname -r)"
	mount -o bind "/new$(cat /new/run/vm/set/modules)" "/new/lib/modules/$(uname -r)"
fi
cat /new/run/vm/set/hung_task >/proc/sys/kernel/hung_task_timeout_secs
echo -1 >/proc/sys/kernel/hung_task_warnings
echo 1 >/proc/sys/kernel/sysrq
hostname guest
ip link set lo up
mount -o move /proc /new/proc
mount -o move /sys /new/sys
mount -o move /dev /new/dev
exec switch_root /new /bin/bash /run/vm/guest.sh
INIT
}

# initramfs_module_files RELEASE MODULES_ROOT: paths in load order. None is well
# when all are built in; that modprobe finds nothing at all is not.
initramfs_module_files() {
	local module found
	command -v modprobe >/dev/null || die "modprobe is missing"
	found=$(for module in "${INITRAMFS_MODULES[@]}"; do
		modprobe -d "$2" -S "$1" --show-depends "$module" 2>/dev/null || true
	done)
	[[ -n $found ]] || die "modprobe finds no module that a guest boots with in $2/lib/modules/$1"
	awk '$1 == "insmod" && !seen[$2]++ { print $2 }' <<<"$found"
}

# initramfs_path RELEASE MODULES_ROOT: builds it if need be, prints its path.
initramfs_path() {
	local release=$1 root=$2 busybox key out dir file files name
	busybox=$(command -v busybox) || die "busybox is missing"
	key=$({ initramfs_init_script; declare -p INITRAMFS_MODULES; stat -c '%s %Y' "$busybox" \
		"$root/lib/modules/$release/modules.dep"; } | sha256sum | cut -c1-12)
	out=$BLKCTL_CACHE_ROOT/initramfs/$release-$key.cpio
	if [[ ! -e $out ]]; then
		files=$(initramfs_module_files "$release" "$root") || exit 1
		mkdir -p "${out%/*}"
		dir=$(mktemp -d "${out%/*}/build.XXXXXX")
		mkdir -p "$dir/root/bin" "$dir/root/modules"
		cp "$busybox" "$dir/root/bin/busybox"
		initramfs_init_script >"$dir/root/init"
		chmod 755 "$dir/root/init"
		: >"$dir/root/modules/order"
		for file in $files; do
			name=${file##*/}
			name=${name%%.ko*}.ko
			unpacked_module "$file" >"$dir/root/modules/$name"
			echo "$name" >>"$dir/root/modules/order"
		done
		(cd "$dir/root" && find . | cpio --quiet -o -H newc -R 0:0) >"$dir/cpio"
		mv "$dir/cpio" "$out"
		rm -rf "$dir"
	fi
	echo "$out"
}
