# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Volumes with durable state: a metadata device, and the modes that need one.

# mk_meta MIB MODE SECTORS [BLOCK [SEGMENT-MIB]]: a formatted metadata device in META.
mk_meta() {
	mk_loop "$1" --direct-io=off
	META=$REPLY
	META_FILE=$LOOP_FILE
	meta_format "$META" "$3" "${4:-128}" "$2" ${5:+"$5"}
}

# Not brd: it oopses when a discard meets a write of the same page.
mk_loops() { # MIB: A and B
	mk_loop "$1" --direct-io=off
	A=$REPLY
	mk_loop "$1" --direct-io=off
	B=$REPLY
}

# mk_small_store MIB: STORE, so large, on a filesystem that has room for 2 MiB of it;
# grow_store SIZE: that is what it has room for.
mk_small_store() {
	mkdir "$WORK/small"
	mount -t tmpfs -o size=2m tmpfs "$WORK/small"
	undo umount "$WORK/small"
	truncate -s "${1}M" "$WORK/small/store"
	losetup --show -f --direct-io=off "$WORK/small/store" >"$WORK/dev"
	STORE=$(<"$WORK/dev")
	undo losetup -d "$STORE"
}
grow_store() { mount -o "remount,size=$1" "$WORK/small"; }

# meta_format META SECTORS BLOCK MODE [SEGMENT-MIB]
meta_format() {
	"$(tool format)" "$1" "$2" "$3" "$4" ${5:+"$5"} >"$WORK/format" 2>&1 || fail "format $1: $(cat "$WORK/format")"
	[[ ! -b $1 ]] || blockdev --flushbufs "$1" # who has it open keeps it from being written
}

# What is on META, in its file. put_meta FILE: all of it; poke OFFSET BYTES: bytes as
# printf has them; meta_word OFFSET BYTES: a number there; exact_at: where the slots
# of the first exact sector begin; generation SLOT: of one of these; newest: which it is.
put_meta() { cp "$1" "$META_FILE"; losetup -c "$META"; blockdev --flushbufs "$META"; }
poke() { printf '%b' "$2" | dd of="$META_FILE" bs=1 seek="$1" conv=notrunc status=none; }
meta_word() { od -An -t"u$2" -j "$1" -N "$2" "$META_FILE" | tr -d ' '; }
exact_at() { echo $(($(meta_word $((64 + 8 * 7)) 8) * 4096)); }
generation() { meta_word $(($(exact_at) + $1 * 4096 + 40)) 8; }
newest() { echo $(($(generation 1) > $(generation 0))); }

# durable_line MODE BASE TOP [features and params...]: of META, BLOCK.
durable_line() {
	local mode=$1 base=$2 top=$3
	shift 3
	echo "0 ${LEN:-$(sectors "$base")} blkcopy $mode $base 0 $top 0 $META ${BLOCK:-128}${*:+ $*}"
}

# durable_comes_back LINE PHASE: of vol, by the hammer's model, and from its metadata alone.
durable_comes_back() {
	hammer_stop
	leg_holds /dev/mapper/vol
	remove_dm vol
	dmsetup create vol --table "$1"
	is "$(st vol phase torn)" "$2 0" "what has come back"
	leg_holds /dev/mapper/vol
}

sum_of() { sha256sum "$1" | cut -d' ' -f1; }
