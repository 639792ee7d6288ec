# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the files that source one another
# What is under test: of each mode the disks, the device, what it does while it
# is written to, and what must hold besides. Sourced by guest.sh.
#
# Modes: nbd, linear (no target of ours: they prove server and verifier),
# snapshot (dm-snapshot with persistent exceptions, a peer), overlay, stream,
# commit (an overlay that is merged at some point), flatten (an overlay that is
# streamed), mirror, view (a backup that is to outlive the cut), bitmap, tracked (a
# bitmap on a commit: two metadata devices), verbs (several bitmaps, and all that can
# be done with them), frozen (a volume that becomes an overlay while it is written to),
# chain (an overlay on an overlay, see lib-chain.sh).

DEVICE=/dev/dm-0 # the only one, but of a chain
declare -A CREATED=() # dm devices that are there, by name

pick() { REPLY=${*:RANDOM % $# + 1:1}; } # of its arguments, one
between() { REPLY=$(($1 + (RANDOM << 15 | RANDOM) % ($2 - $1 + 1))); }

with_meta() { [[ $MODE =~ ^(overlay|stream|commit|flatten|mirror|view|bitmap|tracked|verbs|frozen|chain)$ ]]; }

# One seed's volume: SECTORS, BLOCK, EXTENTS (what is written to), OPTIONS.
draw_volume() {
	local mib i
	RANDOM=$SEED
	pick 8 8 16 32 128 && BLOCK=$REPLY
	pick 2 4 8 && mib=$REPLY
	SECTORS=$((mib * 2048))
	EXTENTS=("0+$SECTORS")
	# Now and then with a short last block.
	pick 0 0 1 && ((REPLY == 0)) || {
		between 1 $((BLOCK - 1))
		SECTORS=$((SECTORS - REPLY))
		EXTENTS=("0+$SECTORS")
	}
	pick 0 1 && i=$REPLY
	if ((i)) && [[ $MODE =~ ^(overlay|commit|chain)$ ]]; then
		# Three sectors of the block map, each written to.
		BLOCK=8 SECTORS=$((160 * 2048))
		EXTENTS=("0+2048" "$((63 * 2048 - 2048))+4096" "$((126 * 2048 - 1024))+2048" "$((SECTORS - 2048))+2048")
	fi
	pick 200 600 3000 && RATE=$REPLY
	pick "" $COPY_ON_READ && FEATURE=$REPLY
	pick "" "" background && COPY_MODE=$REPLY
	[[ $MODE != view ]] || { pick "" paused && PAUSED=$REPLY; }
	if [[ $MODE =~ ^(mirror|bitmap|tracked)$ ]]; then
		# Segments enough that some are left alone for a while; soon synced.
		SECTORS=$((SECTORS * 4)) RATE=$((RATE * 10))
		EXTENTS=("0+$((SECTORS / 4))" "$((SECTORS / 2 / 8 * 8))+4096" "$((SECTORS - 1024))+1024")
		((SECTORS >= 65536)) || EXTENTS=("0+$SECTORS")
	fi
	[[ $MODE != chain ]] || draw_chain
}

make_volume() {
	RANDOM=$((SEED + 77))
	draw_volume
	rm -f "$DIR"/*.img "$DIR/log" "$DIR/state"
	"$BIN/initial" "$DIR/state" "$DIR/base.img" "$SEED" "$SECTORS" "${EXTENTS[@]}"
	LEGS=(base)
	PHASE='' TABLE_MODE='' CREATED=() ENDED=0 IS_FROZEN=1 EQUAL=0 RECORDING='' MISSED='' UNSEALED=''
	no_bitmaps
	case $MODE in
	bitmap | verbs)
		make_disk meta 4096
		LEGS+=(meta)
		TABLE_MODE=track
		"$BIN/format" "$DIR/meta.img" "$SECTORS" "$BLOCK" track 1
		;;
	nbd | linear) ;;
	snapshot)
		make_disk top $((SECTORS + SECTORS / 4 + 8192))
		LEGS+=(top)
		;;
	*)
		make_disk top "$SECTORS"
		make_disk meta 2048
		LEGS+=(top meta)
		TABLE_MODE=$MODE
		[[ ! $MODE =~ ^(commit|flatten|tracked|chain)$ ]] || TABLE_MODE=overlay
		[[ $MODE != view ]] || TABLE_MODE=backup
		[[ $MODE != frozen ]] || TABLE_MODE=overlay
		"$BIN/format" "$DIR/meta.img" "$SECTORS" "$BLOCK" "$TABLE_MODE" 1
		[[ $MODE != frozen ]] || { TABLE_MODE=track IS_FROZEN=0; }
		if [[ $MODE == tracked ]]; then
			make_disk bits 4096
			LEGS+=(bits)
			"$BIN/format" "$DIR/bits.img" "$SECTORS" "$BLOCK" track 1
		fi
		[[ $MODE != chain ]] || make_chain
		;;
	esac
	cp --sparse=always "$DIR/base.img" "$DIR/base.frozen"
	tell load
}

one_leg() { echo "0 $SECTORS blkcopy track $1 0 - 0 - $BLOCK"; }

two_legs() { # MODE BASE TOP META
	local mode=$1 features=() params=()
	[[ $mode != stream || -z $FEATURE ]] || features=("$FEATURE")
	[[ $mode != backup ]] || features=(backup_persistent ${PAUSED:+paused})
	[[ $mode == overlay ]] || params=(rate_kib "$RATE")
	[[ $mode != mirror || -z $COPY_MODE ]] || params+=(copy_mode "$COPY_MODE")
	[[ $MODE != tracked ]] || params+=(bitmaps /dev/nbd3)
	echo "0 $SECTORS blkcopy $mode $2 0 $3 0 $4 $BLOCK ${#features[@]} ${features[*]} ${#params[@]} ${params[*]}"
}

# line [MODE]: the table.
line() {
	local mode=${1:-$TABLE_MODE}
	case $MODE in
	linear) echo "0 $SECTORS linear /dev/nbd0 0" && return ;;
	bitmap | verbs) echo "0 $SECTORS blkcopy track /dev/nbd0 0 - 0 /dev/nbd1 $BLOCK" && return ;;
	frozen) [[ $mode != track ]] || { one_leg /dev/nbd0 && return; } ;;
	chain)
		chain_line "$SHAPE" "$mode"
		return
		;;
	snapshot) echo "0 $SECTORS snapshot /dev/nbd0 /dev/nbd1 P $BLOCK" && return ;;
	esac
	two_legs "$mode" /dev/nbd0 /dev/nbd1 /dev/nbd2
}

# create NAME LINE: false when the power went meanwhile.
create() {
	CREATED[$1]=1
	limited 60 "$BIN/dm" create "$1" "$2" >"$DIR/dm.out" 2>&1 && return
	unset "CREATED[$1]"
	! power || bad "cannot activate $1: $(<"$DIR/dm.out"): $(dmesg | grep device-mapper | tail -n 2)"
	return 1
}

# activate: false when the power went meanwhile.
activate() {
	case $MODE in
	nbd) ;;
	chain) activate_chain ;;
	*) create crash "$(line)" ;;
	esac
}

# Before it is written to. A bitmap begins with each cut, at what base is then.
begin() {
	[[ $MODE != verbs ]] || begin_verbs
	[[ $MODE == bitmap || $MODE == tracked ]] || return 0
	[[ $MODE == bitmap ]] || content_is_tracked || return 0
	RECORDING=
	[[ $MODE == tracked ]] || cp --sparse=always "$DIR/base.img" "$DIR/base.frozen"
	"$BIN/dm" message crash "bitmap remove b" >/dev/null 2>&1
	if "$BIN/dm" message crash "bitmap add b" >"$DIR/dm.out" 2>&1; then
		RECORDING=1 UNSEALED=''
	elif power; then
		bad "no bitmap can be added: $(<"$DIR/dm.out")"
	fi
}

# With its disks there or gone; in both ways that dmsetup has.
deactivate() {
	local how=remove name
	((${#CREATED[@]} > 0)) || return 0
	power || ((RANDOM % 2)) || how=force-remove
	# Of verbs always: what is inconsistent cannot be asked for anything.
	if [[ $MODE == @(verbs|view) ]] || { [[ $MODE == @(bitmap|tracked) ]] && ((RANDOM % 3)); }; then
		"$BIN/dm" message crash seal >/dev/null 2>&1
	elif power; then
		UNSEALED=1
	fi
	# A lower layer last: it is in use.
	for name in crash lower; do
		[[ -z ${CREATED[$name]:-} ]] || remove "$name" $how
	done
}

remove() { # NAME HOW
	unset "CREATED[$1]"
	limited 60 "$BIN/dm" "$2" "$1" >"$DIR/dm.out" 2>&1 || bad "cannot remove $1: $(<"$DIR/dm.out")"
}

# reload NAME LINE: false when the power went meanwhile.
reload() {
	limited 60 "$BIN/dm" reload "$1" "$2" >"$DIR/dm.out" 2>&1 && return
	! power || bad "cannot become $2: $(<"$DIR/dm.out")"
	# Where metadata cannot be read any more it stays suspended, and the writer with it.
	limited 60 "$BIN/dm" reload "$1" "0 $SECTORS error" >/dev/null 2>&1
	return 1
}

switch_to() { reload crash "$(line "$1")"; } # MODE

# While the writer is at it.
act() {
	local wait
	pick 0 0.05 0.2 0.6 && wait=$REPLY
	case $MODE in
	commit | flatten | tracked)
		if [[ $TABLE_MODE == overlay ]] && ((ROUND >= 2)); then
			nap "$wait"
			switch_to "$([[ $MODE == flatten ]] && echo stream || echo commit)"
		fi
		;;
	frozen)
		if [[ $TABLE_MODE == track ]]; then
			nap "$wait"
			switch_to overlay
		fi
		;;
	chain) act_chain "$wait" ;;
	verbs) verbs ;;
	view)
		# Now and then nobody is to read what has not changed since.
		((ROUND >= 4 && RANDOM % 4 == 0)) || return 0
		nap "$wait"
		"$BIN/dm" message crash "bitmap add b" >/dev/null 2>&1 || return 0
		nap "$wait"
		"$BIN/dm" message crash "preserve b" >/dev/null 2>&1 || true
		;;
	bitmap)
		nap "$wait"
		"$BIN/dm" message crash "bitmap freeze b" >/dev/null 2>&1 || return 0
		nap "$wait"
		"$BIN/dm" message crash "bitmap thaw b" >/dev/null 2>&1 || true
		;;
	mirror)
		pick "" "" "" "" "" abort pivot pivot && [[ -n $REPLY ]] && ((ROUND >= 6)) || return 0
		nap "$wait"
		"$BIN/dm" message crash "phase $REPLY" >/dev/null 2>&1 || true
		;;
	esac
}

# What the disks say after a cut. Sets TABLE_MODE and PHASE.
look_at_disks() {
	local mode phase clean base_stale top_stale base_mixed bad in_base in_both in_top in_none
	if ! with_meta; then
		[[ $MODE != snapshot ]] || base_is_frozen
		return 0
	fi
	if [[ $MODE == chain ]]; then
		look_at_chain
		return 0
	fi
	META=$("$BIN/show" "$DIR/meta.img") || bad "no superblock is left"
	eval "$META"
	TABLE_MODE=$mode PHASE=$phase
	if [[ $MODE == bitmap ]]; then
		[[ -z $RECORDING ]] || nothing_missed
		return 0
	fi
	if [[ $MODE == verbs ]]; then
		verbs_missed
		return 0
	fi
	if [[ $MODE == view ]]; then
		view_is_frozen
		return 0
	fi
	[[ $MODE != tracked ]] || cp "$DIR/bits.img" "$DIR/bits.cut"
	((IS_FROZEN)) || cp --sparse=always "$DIR/base.img" "$DIR/base.frozen"
	IS_FROZEN=1
	((bad == 0)) || bad "$bad sectors of the block map are lost"
	[[ $mode == mirror || $phase == merged ]] || ((base_mixed)) || base_is_frozen
	[[ $mode != mirror || $phase != @(copying|synced) ]] || ((top_stale)) || legs_agree
	case $phase in
	streamed | pivoted) raw_image top ;;
	merged | copying | synced | aborted) raw_image base ;;
	esac
}

is_same() { # IMAGE IMAGE WHAT-IT-MEANS
	"$BIN/same" "$1" "$2" >"$DIR/same.out" 2>&1 || bad "$3: $(cat "$DIR/same.out")"
}

base_is_frozen() { is_same "$DIR/base.img" "$DIR/base.frozen" "base has changed"; }

# What the view would show is what base held at first, and it is there to be shown.
view_is_frozen() {
	"$BIN/frozen" "$DIR/meta.img" "$DIR/base.img" "$DIR/top.img" "$DIR/base.frozen" >"$DIR/frozen.out" 2>&1 ||
		bad "the view: $(cat "$DIR/frozen.out")"
	META=$(<"$DIR/frozen.out")
}

# has_all META OLD NEW [BITMAP]: is the bitmap right? One that is inconsistent is not: a cut
# makes more of it than has changed, no less. Unless a removal, with the power on, was not
# sealed; until it is added anew.
has_all() {
	"$BIN/missed" "$@" >"$DIR/missed.out" 2>&1
	case $? in
	0) return 0 ;;
	3) [[ -n $UNSEALED ]] ;;
	*) return 1 ;;
	esac
}

# What has changed since the bitmap began is in it.
nothing_missed() {
	has_all "$DIR/meta.img" "$DIR/base.frozen" "$DIR/base.img" ||
		bad "the bitmap: $(cat "$DIR/missed.out")"
	META=$(<"$DIR/missed.out")
}

# The same of a volume on two legs, read as it is after the cut, before it is written
# to; the bitmap is as the cut has left it. False when the power went meanwhile.
content_is_tracked() {
	read_content now || return 1
	if [[ -n $RECORDING ]]; then
		has_all "$DIR/bits.cut" "$DIR/then" "$DIR/now" ||
			bad "the bitmap: $(cat "$DIR/missed.out")"
		MISSED=$(<"$DIR/missed.out")
	fi
	mv "$DIR/now" "$DIR/then"
}

read_content() { # FILE
	dd if="$DEVICE" of="$DIR/$1" bs=1M iflag=direct status=none 2>"$DIR/dd.out" && return
	! power || bad "cannot read it: $(<"$DIR/dd.out")"
	return 1
}

# What is called equal is equal.
legs_agree() {
	"$BIN/equal" "$DIR/meta.img" "$DIR/base.img" "$DIR/top.img" >"$DIR/equal.out" 2>&1 ||
		bad "the legs: $(cat "$DIR/equal.out")"
	EQUAL=$((EQUAL + $(<"$DIR/equal.out")))
}

is_volume() { # IMAGE WHAT
	"$BIN/verify" "$DIR/state" "$DIR/log" "$1" keep >"$DIR/raw.out" 2>&1 ||
		bad "$2 is not the volume: $(head -n 5 "$DIR/raw.out")"
}

# That disk alone is the volume.
raw_image() { is_volume "$DIR/$1.img" "$PHASE, but $1 alone"; }

# A little longer, then there is nothing more to be seen with this volume.
at_its_end() {
	local more=2
	# What becomes of its layers then is as much again.
	[[ $MODE != chain ]] || more=4
	# What came before is seen in the cut after it.
	[[ $MODE != frozen ]] || ((ROUND < 2)) || return 0
	[[ $PHASE =~ ^(streamed|merged|pivoted|aborted)$ ]] && ((++ENDED > more))
}
