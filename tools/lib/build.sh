# SPDX-License-Identifier: GPL-2.0-or-later
# Builds of the module and of the C++ side, into build*/ of the tree. Sourced.

BUILD=$BLKCTL_TREE/build
BUILD_SANITIZED=$BLKCTL_TREE/build-sanitized
BUILD_JOBS=${JOBS:-$(nproc)}

# Each kernel has its own copy of kernel/, so that modules for several kernels
# exist at once and guests do not see one being rebuilt.
module_dir() {
	echo "$BUILD/kernel-$(kernel_release "$1")"
}

build_module() {
	local kernel=$1 dir
	shift
	dir=$(module_dir "$kernel")
	mkdir -p "$dir"
	rsync -a --delete --exclude='build-*' --exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' \
		--exclude='.*.cmd' --exclude=modules.order --exclude=Module.symvers \
		"$BLKCTL_TREE/kernel/" "$dir/"
	make -s -C "$dir" KVER="$(kernel_release "$kernel")" KDIR="$(kernel_build_dir "$kernel")" \
		-j"$BUILD_JOBS" "$@"
}

# Ten files in one: a compiler, and clang-tidy, reads the headers once for all.
UNITY=(-DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=10)

build_programs() {
	cmake -S "$BLKCTL_TREE" -B "$BUILD" -DCMAKE_BUILD_TYPE=RelWithDebInfo "${UNITY[@]}" >/dev/null &&
		cmake --build "$BUILD" -j"$BUILD_JOBS" "$@"
}

build_sanitized() {
	cmake -S "$BLKCTL_TREE" -B "$BUILD_SANITIZED" -DCMAKE_BUILD_TYPE=Debug \
		-DBLKCTL_SANITIZE=ON "${UNITY[@]}" >/dev/null &&
		cmake --build "$BUILD_SANITIZED" -j"$BUILD_JOBS"
}

build_scenario_programs() {
	[[ ! -x $BLKCTL_TREE/tests/vm/bin/build ]] || "$BLKCTL_TREE/tests/vm/bin/build" >/dev/null
}
