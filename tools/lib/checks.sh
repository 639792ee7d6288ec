# SPDX-License-Identifier: GPL-2.0-or-later
# The checks of tools/test that need no guest. Sourced. A check is a function
# that prints what is wrong and fails; run_check counts it and shows its output
# only then.

TREE_FIND_CXX=(find lib ctl tests \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' \) -type f)

# run_check NAME COMMAND...
run_check() {
	local name=$1 log=$BUILD/results/$1.log started=$SECONDS
	shift
	mkdir -p "${log%/*}"
	if "$@" >"$log" 2>&1; then
		tally ok "$name" "$((SECONDS - started))"
		return 0
	fi
	tally FAIL "$name" "$((SECONDS - started))"
	tail -n 40 "$log"
	return 1
}

# Sparse warns on a line of its own and make does not mind.
check_sparse() {
	local out status=0
	out=$(build_module "$1" C=2 CF=-D__CHECK_ENDIAN__ 2>&1) || status=$?
	echo "$out"
	((status == 0)) && ! grep -E '(^|/)[a-z_-]+\.[ch]:[0-9]+:[0-9]+: (warning|error)' <<<"$out"
}

# checkpatch and the word lists it wants, from Debian's kernel source.
checkpatch_script() {
	local source=/usr/src/linux-source-6.12.tar.xz dir debug file
	dir=$BLKCTL_CACHE_ROOT/checkpatch-$(stat -c '%s-%Y' "$source")
	if [[ ! -x $dir/checkpatch.pl ]]; then
		mkdir -p "$dir.$$"
		if debug=$("$BLKCTL_TREE/tools/debug-kernel" --path 2>/dev/null); then
			for file in checkpatch.pl spelling.txt const_structs.checkpatch; do
				cp "$debug/scripts/$file" "$dir.$$/"
			done
		else
			tar -xf "$source" -C "$dir.$$" --strip-components=2 --wildcards \
				'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
				'*/scripts/const_structs.checkpatch'
		fi
		chmod 755 "$dir.$$/checkpatch.pl"
		rm -rf "$dir"
		mv "$dir.$$" "$dir"
	fi
	echo "$dir/checkpatch.pl"
}

# Types ignored: what only makes sense inside the kernel tree, and version
# tests and conftest names that an out-of-tree module needs.
check_checkpatch() {
	local script files
	script=$(checkpatch_script)
	mapfile -t files < <(find "$BLKCTL_TREE/kernel" -name '*.[ch]' ! -name '*.mod.c' -type f | sort)
	((${#files[@]} > 0)) || return 1
	"$script" --no-tree --file --terse --strict --show-types --no-summary \
		--ignore FILE_PATH_CHANGES,LINUX_VERSION_CODE,CONFIG_DESCRIPTION \
		"${files[@]}"
}

check_clang_format() {
	local files
	[[ -e $BLKCTL_TREE/.clang-format ]] || { echo "no .clang-format" && return 1; }
	cd "$BLKCTL_TREE" || return 1
	mapfile -t files < <("${TREE_FIND_CXX[@]}")
	((${#files[@]} > 0)) && clang-format --dry-run -Werror "${files[@]}"
}

# A file that was clean stays clean until it, what it includes or the rules change.
tidy_key() {
	{
		cat "$1" "$TIDY_STATE"
	} | sha256sum | cut -c1-24
}

# Files of a unity build include others on purpose, and have a compiler's flags.
tidy_one() {
	local file=$1 mark
	mark=$BLKCTL_CACHE_ROOT/tidy/$(tidy_key "$file")
	[[ -e $mark ]] && return 0
	clang-tidy --quiet --config-file=.clang-tidy --warnings-as-errors='*' --checks=-bugprone-suspicious-include \
		--extra-arg=-Wno-unknown-warning-option -p "$BUILD" "$file" 2>/dev/null && : >"$mark"
}

check_clang_tidy() {
	local files
	[[ -e $BLKCTL_TREE/.clang-tidy ]] || { echo "no .clang-tidy" && return 1; }
	cd "$BLKCTL_TREE" || return 1
	mkdir -p "$BLKCTL_CACHE_ROOT/tidy"
	TIDY_STATE=$BUILD/tidy-state
	{
		clang-tidy --version
		cat .clang-tidy
		find lib ctl tests kernel/uapi \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' \) -type f -print0 |
			sort -z | xargs -0 cat
	} >"$TIDY_STATE"
	mapfile -t files < <(python3 -c '
import json, sys
print("\n".join(e["file"] for e in json.load(open(sys.argv[1]))))' "$BUILD/compile_commands.json" | sort -u)
	((${#files[@]} > 0)) || return 1
	export -f tidy_one tidy_key
	export TIDY_STATE BLKCTL_CACHE_ROOT BUILD
	printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$BUILD_JOBS" bash -c 'tidy_one "$1"' _
}

# SPDX first, no file grown beyond reading, nothing at the top that has no
# place there.
check_house() {
	local file bad=0 name
	cd "$BLKCTL_TREE" || return 1
	while IFS= read -r file; do
		[[ -f $file && ! -L $file && $file != *.patch && $file != LICENSES/* && $file != tests/fuzz/seeds/* && $file != .gitignore ]] || continue
		head -n 3 "$file" | grep -q SPDX-License-Identifier || { echo "$file: no SPDX line" && bad=1; }
		(($(wc -l <"$file") <= 620)) || { echo "$file: too long" && bad=1; }
	done < <(git ls-files --cached 2>/dev/null)
	for name in *; do
		case $name in
		CMakeLists.txt | kernel | ctl | lib | udev | tests | tools | README.md | LICENSES | build*) ;;
		*) echo "$name: not a name of the top level" && bad=1 ;;
		esac
	done
	name=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' kernel/dkms.conf)
	grep -qF "MODULE_VERSION(\"$name\")" kernel/*.c || { echo "kernel/dkms.conf and MODULE_VERSION differ" && bad=1; }
	for name in kernel ctl lib udev tests tools; do
		[[ -e $name/README.md ]] || { echo "$name/README.md is missing" && bad=1; }
	done
	# A mutant that does not apply is not seen killed.
	for file in tests/*/mutations/*.patch; do
		patch -s -F0 -p1 --dry-run -d kernel <"$file" >/dev/null || { echo "$file: does not apply" && bad=1; }
	done
	return $bad
}

check_shell() {
	local file bad=0
	cd "$BLKCTL_TREE" || return 1
	while IFS= read -r file; do
		head -n 1 "$file" | grep -qE '^#!.*bash' || [[ $file == *.sh ]] || continue
		bash -n "$file" || bad=1
	done < <(find tools tests .ci udev ctl -type f ! -name '*.cpp')
	return $bad
}

# The unit tests count one by one, where a process runs several; one that died before it
# had said how many counts as one.
count_unit_tests() { # LOG: passed and failed
	awk '
		/^[0-9]+: \[  PASSED  \] [0-9]+ tests?\.$/ { said[$1 + 0] = 1; passed += $5 }
		/^[0-9]+: \[  FAILED  \] [0-9]+ tests?, listed below:$/ { said[$1 + 0] = 1; failed += $5 }
		/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
			match($0, /#[0-9]+/)
			n = substr($0, RSTART + 1, RLENGTH - 1)
			if (/ Passed /) good[n] = 1; else bad[n] = 1
		}
		END {
			for (n in good) if (!(n in said)) passed++
			for (n in bad) if (!(n in said) || !failed) failed++
			print passed + 0, failed + 0
		}' "$1"
}

run_unit_tests() {
	local log=$BUILD/results/unit.log passed failed started=$SECONDS
	mkdir -p "${log%/*}"
	if ! run_check build-sanitized build_sanitized; then
		return 1
	fi
	ctest --test-dir "$BUILD_SANITIZED" -j"$BUILD_JOBS" --verbose >"$log" 2>&1 || true
	read -r passed failed < <(count_unit_tests "$log")
	if ! grep -q 'tests failed out of' "$log" || ((passed + failed == 0)); then
		tally FAIL unit "$((SECONDS - started))"
		tail -n 20 "$log"
		return 1
	fi
	PASSED=$((PASSED + passed))
	FAILED=$((FAILED + failed))
	if ((failed > 0)); then
		echo "FAIL unit: $failed of $((passed + failed)), $((SECONDS - started)) s"
		grep -vE '\[ +(OK|RUN) +\]|^ *[0-9]+/[0-9]+ .*Passed|^ *Start ' "$log" | tail -n 60
		return 1
	fi
	echo "ok   unit: $passed tests $((SECONDS - started))"
}
