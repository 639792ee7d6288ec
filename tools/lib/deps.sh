# SPDX-License-Identifier: GPL-2.0-or-later
# What a bare Debian 12 lacks. Sourced; need_packages costs one query when
# everything is there.

# What blkctl runs to read and write qcow2 files and to export a view, and the clients of tests.
PACKAGES_NBD=(libnbd0 qemu-utils qemu-system-common libnbd-bin)
PACKAGES_BUILD=(build-essential cmake pkg-config python3 bc flex bison libelf-dev libssl-dev
	linux-headers-amd64 linux-headers-6.12-amd64
	libdevmapper-dev libudev-dev libblkid-dev libisal-dev libnbd-dev libfmt-dev
	libboost1.81-dev libboost-program-options1.81-dev libboost-json1.81-dev
	libgtest-dev libgmock-dev librapidcheck-dev scdoc
	"${PACKAGES_NBD[@]}")
PACKAGES_GUEST=(qemu-system-x86 linux-image-amd64 linux-image-6.12-amd64 busybox-static cpio
	xz-utils zstd kmod udev rsync util-linux
	fio lvm2 dmsetup e2fsprogs xfsprogs cryptsetup-bin thin-provisioning-tools mdadm jq procps
	"${PACKAGES_NBD[@]}")
PACKAGES_CRASH=(nbdkit nbdkit-plugin-dev nbd-client)
PACKAGES_CHECK=(git perl patch linux-source-6.12 sparse clang-format clang-tidy pahole)

missing_packages() {
	local wanted=("$@")
	comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
			awk '$1 == "installed" { print $2 }' | sort -u)
}

# need_packages PACKAGE...: installs what is missing, or says what to install.
need_packages() {
	local missing=() as_root=()
	[[ -e /etc/debian_version ]] || return 0
	mapfile -t missing < <(missing_packages "$@")
	((${#missing[@]} > 0)) || return 0
	if ((EUID != 0)); then
		command -v sudo >/dev/null || die "install these first: ${missing[*]}"
		as_root=(sudo)
	fi
	note "installing ${missing[*]}"
	"${as_root[@]}" apt-get update -q >&2 || true
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}
