# SPDX-License-Identifier: GPL-2.0-or-later
# The small initramfs that gets a guest from its kernel to the 9p root.
# Sourced by tools/vm. Cached by kernel release and content.

# What must be there before the root is mounted; everything else is loaded
# from the root itself.
INITRAMFS_MODULES=(virtio_pci 9pnet_virtio 9p overlay)

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
/bin/busybox mkdir -p /proc /sys /dev /lower /rw /new
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
while read -r module; do
	/bin/busybox insmod "/modules/$module" || echo "vm: cannot load $module"
done </modules/order
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose vmroot /lower
/bin/busybox mount -t tmpfs -o size=90% tmpfs /rw
/bin/busybox mkdir /rw/upper /rw/work
/bin/busybox mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work overlay /new
/bin/busybox mount -t tmpfs tmpfs /new/run
/bin/busybox mkdir /new/run/vm
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 vmctl /new/run/vm
/bin/busybox mount -o move /proc /new/proc
/bin/busybox mount -o move /sys /new/sys
/bin/busybox mount -o move /dev /new/dev
exec /bin/busybox switch_root /new /bin/bash /run/vm/guest.sh
INIT
}

# initramfs_module_files RELEASE MODULES_ROOT: paths in load order.
initramfs_module_files() {
	local module
	for module in "${INITRAMFS_MODULES[@]}"; do
		modprobe -d "$2" -S "$1" --show-depends "$module" 2>/dev/null ||
			[[ -e /sys/module/$module ]] || true
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# initramfs_path RELEASE MODULES_ROOT: builds it if need be, prints its path.
initramfs_path() {
	local release=$1 root=$2 busybox key out dir file name
	busybox=$(command -v busybox) || die "busybox is missing"
	key=$({ initramfs_init_script; declare -p INITRAMFS_MODULES; stat -c '%s %Y' "$busybox" \
		"$root/lib/modules/$release/modules.dep"; } | sha256sum | cut -c1-12)
	out=$BLKCTL_CACHE_ROOT/initramfs/$release-$key.cpio
	if [[ ! -e $out ]]; then
		mkdir -p "${out%/*}"
		dir=$(mktemp -d "${out%/*}/build.XXXXXX")
		mkdir -p "$dir/root/bin" "$dir/root/modules"
		cp "$busybox" "$dir/root/bin/busybox"
		initramfs_init_script >"$dir/root/init"
		chmod 755 "$dir/root/init"
		: >"$dir/root/modules/order"
		while read -r file; do
			name=${file##*/}
			name=${name%%.ko*}.ko
			unpacked_module "$file" >"$dir/root/modules/$name"
			echo "$name" >>"$dir/root/modules/order"
		done < <(initramfs_module_files "$release" "$root")
		(cd "$dir/root" && find . | cpio --quiet -o -H newc -R 0:0) >"$dir/cpio"
		mv "$dir/cpio" "$out"
		rm -rf "$dir"
	fi
	echo "$out"
}
