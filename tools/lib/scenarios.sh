# SPDX-License-Identifier: GPL-2.0-or-later
# Which scenarios there are, what they ask for, and running them in guests.
# Sourced by tools/test.
#
# A unit is what one guest runs: "KERNEL SCENARIO...", scenarios that want the
# same of it. It writes its result lines to a file, since units run side
# by side.

SCENARIO_DIR=$BLKCTL_TREE/tests/vm

scenario_names() {
	local file
	for file in "$SCENARIO_DIR"/*.sh; do
		file=${file##*/}
		[[ $file == lib* || $file == _* || $file == '*.sh' ]] || echo "${file%.sh}"
	done
}

# scenario_header NAME KEY [DEFAULT]: the values, one a line. "# vm:" lines hold
# key=value words; allow-log takes the rest of its line.
scenario_header() {
	local values
	values=$(awk -v key="$2" '
		/^# vm:/ {
			sub(/^# vm: */, "")
			at = index($0, "allow-log=")
			rest = at ? substr($0, at + 10) : ""
			if (at) $0 = substr($0, 1, at - 1)
			for (i = 1; i <= NF; i++)
				if (index($i, key "=") == 1) print substr($i, length(key) + 2)
			if (at && key == "allow-log") print rest
		}' "$SCENARIO_DIR/$1.sh")
	[[ -n $values ]] && echo "$values" && return
	[[ -z ${3:-} ]] || echo "$3"
}

# scenarios_of_speed SLOW: of the names on standard input, all or the quick ones.
scenarios_of_speed() {
	local name
	while IFS= read -r name; do
		[[ -z $1 && -n $(scenario_header "$name" slow) ]] || echo "$name"
	done
}

# kernels= is what a scenario can run on, quick= what it does run on unless more
# is asked for.
scenario_wants_kernel() {
	local kernels
	kernels=$(scenario_header "$1" kernels "6.1,6.12,debug")
	[[ -z $QUICK ]] || kernels=$(scenario_header "$1" quick "$kernels")
	[[ ,$kernels, == *,$2,* ]]
}

# What a guest must be like for a scenario. Without udev (tests/vm/lib.sh stops
# it) is another guest than with; disks of its own are nobody else's.
scenario_guest() {
	local udev own
	udev=$(grep -c '^UDEV=1' "$SCENARIO_DIR/$1.sh")
	own=$(scenario_header "$1" disk)$(scenario_header "$1" append)
	[[ -z $own ]] || own=$1
	echo "$(scenario_header "$1" smp 2) $(scenario_header "$1" mem 1024) $udev $own"
}

# A boot takes as long as a short scenario; and what one leaves behind shows.
SCENARIOS_A_GUEST=8

# plan_units KERNEL SCENARIO...: fills UNITS (side by side) and ALONE. Says what
# was NAMED and does not run.
plan_units() {
	local kernel=$1 name guest
	local -A open=() count=()
	shift
	for name in "$@"; do
		if ! scenario_wants_kernel "$name" "$kernel"; then
			[[ -z $NAMED ]] || echo "skip $name ($kernel): not a kernel of it"
			continue
		fi
		if [[ -n $(scenario_header "$name" alone) ]]; then
			ALONE+=("$kernel $name")
			continue
		fi
		guest=$(scenario_guest "$name")
		if [[ -z ${open[$guest]:-} ]] || ((count[$guest] == SCENARIOS_A_GUEST)); then
			UNITS+=("$kernel")
			open[$guest]=$((${#UNITS[@]} - 1))
			count[$guest]=0
		fi
		UNITS[${open[$guest]}]+=" $name"
		count[$guest]=$((count[$guest] + 1))
	done
}

# Twice what a scenario asks for: other machines are slower, and guests may be
# side by side.
scenario_timeout() {
	local seconds
	seconds=$(scenario_header "$2" timeout 120)
	[[ $1 != debug ]] || seconds=$((seconds * 5))
	echo $((seconds * ${TIMEOUT_FACTOR:-2}))
}

# Options of tools/vm for all scenarios of a unit: the first one's devices (one
# with devices is alone in its unit), the largest of the sizes, the sum of the times.
unit_options() {
	local kernel=$1 name value smp=2 mem=0 timeout=60 first=$2
	shift
	[[ $kernel != debug ]] || timeout=240
	for name in "$@"; do
		value=$(scenario_header "$name" smp 2)
		smp=$((value > smp ? value : smp))
		value=$(scenario_header "$name" mem 1024)
		mem=$((value > mem ? value : mem))
		timeout=$((timeout + $(scenario_timeout "$kernel" "$name")))
	done
	[[ $kernel != debug || mem -gt 2048 ]] || mem=2048
	OPTIONS=(--kernel "$kernel" --smp "$smp" --mem "$mem" --timeout "$timeout")
	# KASAN sees what these two see, in a fraction of the time.
	[[ $kernel != debug ]] || OPTIONS+=(--append "slub_debug=- no_debug_objects${DEBUG_APPEND:+ $DEBUG_APPEND}")
	while IFS= read -r value; do
		OPTIONS+=(--disk "$value")
	done < <(scenario_header "$first" disk)
	while IFS= read -r value; do
		OPTIONS+=(--append "${value//;/ }")
	done < <(scenario_header "$first" append)
}

# The log between the marks of one scenario; the boot belongs to the first.
scenario_log() {
	local log=$1 name=$2 first=$3
	awk -v start="vm: scenario $name starts" -v first="$first" '
		BEGIN { on = first }
		/vm: scenario .* starts/ { on = index($0, start) > 0 || (first && on && !seen); seen = 1 }
		on' "$log"
}

# judge KERNEL NAME GUEST-DIR FIRST GUEST-STATUS: prints the result line, and
# on failure where to look. Every file of a scenario ends up in its directory.
judge() {
	local kernel=$1 name=$2 guest=$3 first=$4 status=$5 dir own allow=() line seconds
	dir=$BUILD/results/$name-$kernel
	own=255
	mkdir -p "$dir"
	seconds=$(cat "$guest/$name/seconds" 2>/dev/null || echo -)
	[[ ! -s $guest/$name/status ]] || own=$(<"$guest/$name/status")
	[[ ! -d $guest/$name ]] || cp -r "$guest/$name/." "$dir/"
	cp "$guest/console" "$dir/console" 2>/dev/null || true
	[[ -e $dir/output ]] || cp "$guest/vm.out" "$dir/output"
	scenario_log "$guest/dmesg" "$name" "$first" >"$dir/dmesg"
	mapfile -t allow < <(scenario_header "$name" allow-log)
	[[ ! -s $guest/kmemleak ]] || cp "$guest/kmemleak" "$dir/kmemleak"
	if cat "$dir/dmesg" "$dir/kmemleak" 2>/dev/null | kernel_log_faults - "${allow[@]}" >"$dir/faults"; then
		line="the kernel log shows a fault"
	elif ((own == 255)); then
		line="no status: $( ((status == 99)) && echo timeout || echo "the guest died")"
	elif ((own == 124 || own == 137)); then
		line="timeout"
	elif ((own != 0)); then
		line="status $own"
	else
		echo "ok   $name ($kernel) $seconds"
		return
	fi
	echo "FAIL $name ($kernel) $seconds: $line"
	tail -n 40 "$dir/output" | sed 's/^/     /'
	head -n 15 "$dir/faults" | sed 's/^/     log: /'
	echo "     see ${dir#"$BLKCTL_TREE/"}"
}

# run_unit RESULT-FILE KERNEL SCENARIO...: goes on in a new guest after one that
# died or was left in disorder.
run_unit() {
	local out=$1 kernel=$2 guest status first name ran
	shift 2
	while (($#)); do
		guest=$BUILD/results/guest-$1-$kernel
		rm -rf "$guest"
		mkdir -p "$guest"
		for name in "$@"; do
			rm -rf "$BUILD/results/$name-$kernel"
			scenario_timeout "$kernel" "$name" >"$guest/$name.timeout"
		done
		unit_options "$kernel" "$@"
		status=0
		BLKCTL_MODULE_DIR=$(module_dir "$kernel") BLKCTL_BIN=$BUILD/ctl/blkctl \
			"$BLKCTL_TREE/tools/vm" "${OPTIONS[@]}" --allow-log . --results "$guest" -- \
			"$BLKCTL_TREE/tools/lib/scenario-guest.sh" "$@" >"$guest/vm.out" 2>&1 || status=$?
		first=1
		ran=0
		for name in "$@"; do
			[[ -d $guest/$name || first -eq 1 ]] || break
			judge "$kernel" "$name" "$guest" $first $status >>"$out"
			first=0
			ran=$((ran + 1))
		done
		shift $ran
	done
}
