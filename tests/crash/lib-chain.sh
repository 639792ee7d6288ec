# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the files that source one another
# Mode chain: an overlay on an overlay on a base. Each layer has a top and metadata of
# its own, and all five are disks behind the one switch. Sourced by guest.sh.
#
#   crash, the volume: overlay, commit, stream   of lower and top2, with meta2   nbd3, nbd4
#   lower:             overlay, commit, track    of base and top, with meta      nbd0 to nbd2
#
# A seed's volume is the lower layer alone, as "crash", until the upper one comes, while
# it is written to: the tables change as for a snapshot of a snapshot. Or it is two
# layers from the start. Some rounds later there may be a JOB:
#   none     the upper layer stays an overlay on an overlay
#   commit   the upper layer is merged into the lower one, which stays an overlay, and
#            copies up what it is written to for the first time
#   lower    the lower layer is merged into base, with the upper one in use
#   stream   all of it is pulled into top2
# When that says that it is finished, the tables change to those of what is left, as in
# lib/volume/merge.cpp: lower's on crash, base alone below crash, top2 alone.
#
# A cut comes in any of this, and what was begun may be there or not. So what comes back
# is what an entry of the tab would say by then, with the modes that the metadata say; and
# since a cut may come between the new tables and their entry, what is left and what there
# was before must both come back as the volume. For the same reason a new layer comes
# back though its table was never loaded: its entry is written first.

# chain_line SHAPE [MODE]: the volume's table. SHAPE: what it is on, "lower", the lower
# layer's legs; "both", its own top over the lower layer; "top", top2 alone.
chain_line() {
	case $1 in
	lower) lower_line "$LOWER_MODE" ;;
	both) node_of lower && two_legs "$2" "$REPLY" /dev/nbd3 /dev/nbd4 ;;
	top) one_leg /dev/nbd3 ;;
	esac
}

lower_line() { # MODE
	if [[ $1 == track ]]; then
		one_leg /dev/nbd0
	else
		two_legs "$1" /dev/nbd0 /dev/nbd1 /dev/nbd2
	fi
}

# The node of a device: which number it has depends on what came first.
node_of() { # NAME
	local device name
	for device in /sys/block/dm-*; do
		{ read -r name <"$device/dm/name"; } 2>/dev/null || continue
		REPLY=/dev/${device##*/}
		[[ $name != "$1" ]] || return 0
	done
	return 1
}

# ADD_AT: in which round the upper layer comes; -1: before the first.
draw_chain() {
	pick none commit commit lower lower stream && JOB=$REPLY
	pick -1 0 1 && ADD_AT=$REPLY
	# What has never been written to has nothing to be merged.
	[[ $JOB != lower ]] || ADD_AT=1
	# A job is to have an end before the rounds have.
	pick 500 2000 6000 && RATE=$REPLY
}

# The lower layer's disks are as those of any overlay. lower.frozen is what it has shown
# since the upper one has come.
make_chain() {
	make_disk top2 "$SECTORS"
	make_disk meta2 2048
	LEGS+=(top2 meta2)
	"$BIN/format" "$DIR/meta2.img" "$SECTORS" "$BLOCK" overlay 1
	SHAPE=lower LOWER_MODE=overlay IS_OVER=0 MIDDLE=0
	rm -f "$DIR/lower.frozen"
	if ((ADD_AT < 0)); then
		SHAPE=both
		cp --sparse=always "$DIR/base.img" "$DIR/lower.frozen"
	fi
}

# activate_chain: false when the power went meanwhile.
activate_chain() {
	[[ $SHAPE != both ]] || create lower "$(lower_line "$LOWER_MODE")" || return 1
	create crash "$(line)" || return 1
	node_of crash || bad "it is nowhere in /sys/block"
	DEVICE=$REPLY
}

# A metadata device that is written to in this round; none: "".
busy_meta() {
	case $SHAPE in
	lower) if comes_now; then pick meta meta2; else REPLY=meta; fi ;;
	both) if [[ $LOWER_MODE$TABLE_MODE == *commit* ]]; then pick meta meta2; else REPLY=meta2; fi ;;
	top) REPLY='' ;;
	esac
}

# While the writer is at it: the next step of its life.
act_chain() { # WAIT
	local name=crash mode=$TABLE_MODE
	[[ $JOB != lower ]] || name=lower mode=$LOWER_MODE
	nap "$1"
	if comes_now; then
		add_upper
	elif [[ $SHAPE != both || $JOB == none || $mode == track ]]; then
		return 0
	elif [[ $mode != overlay ]]; then
		end_job "$name"
	elif ((ROUND >= ADD_AT + 2)); then
		begin_job
	fi
}

comes_now() { [[ $SHAPE == lower && ! -e $DIR/lower.frozen ]] && ((ROUND >= ADD_AT)); }

# A snapshot of a snapshot: the volume's table is that of the lower layer, too, and then
# gives way to one that is over it. Whatever comes of it, the entry is there.
add_upper() {
	trace "the upper layer comes"
	SHAPE=both
	create lower "$(lower_line overlay)" || return 0
	reload crash "$(line overlay)"
}

begin_job() {
	trace "begins: $JOB"
	case $JOB in
	lower) reload lower "$(lower_line commit)" ;;
	*) reload crash "$(line "$JOB")" ;;
	esac
}

# The tables of what is left, once it may be so. IS_OVER: they were loaded with the power on,
# so an entry may say so, and the metadata must.
end_job() { # NAME
	is_finished "$1" || return 0
	trace "over: $JOB"
	case $JOB in
	lower) reload lower "$(lower_line track)" ;;
	commit) reload crash "$(chain_line lower)" && remove lower remove ;;
	stream) reload crash "$(chain_line top)" && remove lower remove ;;
	esac && power && IS_OVER=1
}

# Asked for a second, as a command that waits would.
is_finished() { # NAME
	local i
	for ((i = 0; i < 20; i++)); do
		power || return 1
		"$BIN/dm" message "$1" "phase finish" >/dev/null 2>&1 && return
		nap 0.05
	done
	return 1
}

# What the disks say after a cut, put together without the kernel. Sets the modes, PHASE (of the
# layer that has the job) and SHAPE.
look_at_chain() {
	local mode phase clean base_stale top_stale base_mixed bad in_base in_both in_top in_none
	local lower upper lower_phase
	lower=$("$BIN/show" "$DIR/meta.img") || bad "no superblock of the lower layer is left"
	upper=$("$BIN/show" "$DIR/meta2.img") || bad "no superblock of the upper layer is left"
	eval "$lower"
	((bad == 0)) || bad "$bad sectors of the lower layer's block map are lost"
	[[ $phase == merged ]] || ((base_mixed)) || base_is_frozen
	LOWER_MODE=$mode lower_phase=$phase
	eval "$upper"
	((bad == 0)) || bad "$bad sectors of the upper layer's block map are lost"
	TABLE_MODE=$mode PHASE=$phase
	put_together meta base.img top.img lower.now
	put_together meta2 lower.now top2.img volume.now
	is_volume "$DIR/volume.now" "$phase: the upper layer on the lower one"
	look_at_layers
	[[ $phase != streamed ]] || raw_image top2
	[[ $JOB != lower ]] || PHASE=$lower_phase
	[[ $PHASE != @(merging|streaming) ]] || MIDDLE=$((MIDDLE + 1))
	((!IS_OVER)) || come_back_after
	META="$JOB, $MIDDLE in its middle, over: $IS_OVER; lower $lower; upper $upper"
}

# What the layer of that metadata shows, as an image.
put_together() { # META BASE TOP IMAGE
	"$BIN/layer" "$DIR/$1.img" "$DIR/$2" "$DIR/$3" "$DIR/$4" >"$DIR/layer.out" 2>&1 ||
		bad "$4: $(<"$DIR/layer.out")"
}

# The lower layer: as it was, or all there is. Of look_at_chain.
look_at_layers() {
	if [[ ! -e $DIR/lower.frozen ]]; then
		# From here on, if there is something on it.
		[[ $SHAPE == lower ]] || mv "$DIR/lower.now" "$DIR/lower.frozen"
	elif [[ $phase == merged ]]; then
		is_volume "$DIR/lower.now" "merged, but the lower layer alone"
	elif ((!base_mixed)); then
		is_same "$DIR/lower.now" "$DIR/lower.frozen" "the lower layer ($lower_phase) has changed"
		[[ $lower_phase != merged ]] ||
			is_same "$DIR/base.img" "$DIR/lower.frozen" "merged, but base alone is not the lower layer"
	fi
}

# The job's end was there to be seen, and the entry of what is left may be there or not.
come_back_after() {
	[[ $PHASE == @(merged|streamed) ]] || bad "it was finished, and the disks say that it is $PHASE"
	SHAPE=both
	pick before after
	case $REPLY-$JOB in
	after-lower) LOWER_MODE=track ;;
	after-commit) SHAPE=lower ;;
	after-stream) SHAPE=top ;;
	esac
}
