#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: quick=6.12 timeout=360
# A backup with a metadata device: its view comes back after a removal in good
# order, and if it is persistent after any other end; is broken where that cannot
# be so; and no write goes that the disk does not know of, not even when the view
# breaks, or what it would show is released. (Power cuts: tests/crash --mode view.)
# guards: the mark, the break and the release are durable before the write goes; no
# switch while a flush of top is out (bkc_flush_store).
source "$(dirname "$0")/lib.sh"
load_module
modprobe dm-delay
mk_loops 8
mk_linear base "$A"
mk_linear top "$B"
mk_volume vol /dev/mapper/base
fill /dev/mapper/vol
mk_meta 2 backup "$(sectors "$A")"
real=$META
mk_dm meta "$(linear_line "$real")"
META=/dev/mapper/meta
slow_meta() { swap_dm meta "0 $(sectors "$real") delay $real 0 0 $real 0 ${1:-2500}"; }
fast_meta() { swap_dm meta "$(linear_line "$real")"; }
fails() { swap_dm "$1" "0 $(sectors "/dev/mapper/$1") error"; }
put() { dd if=/dev/urandom of=/dev/mapper/vol bs=64k count="${2:-1}" seek="$1" oflag=direct conv=notrunc status=none; }
export -f put
# put_waits BLOCK WHY: while the metadata is slow; in JUST.
put_waits() {
	put "$1" &
	JUST=$!
	sleep 1
	[[ -e /proc/$JUST ]] || fail "$2: the write to block $1 did not wait"
}
discard() { blkdiscard -f -o "$(($2 * 65536))" -l 65536 "$1"; }
# rearm [FEATURES...]: new metadata, the view is of now.
rearm() {
	META=- disarm vol /dev/mapper/base
	meta_format "$META" "$(sectors "$A")" 128 backup
	arm vol /dev/mapper/base /dev/mapper/top "$@"
}
# comes_back seal|"" [FEATURES...]: removed, and there again; the view as well.
comes_back() {
	local how=$1
	shift
	[[ ! -e /dev/mapper/view ]] || remove_dm view
	[[ -z $how ]] || msg vol seal
	dmsetup remove vol
	dmsetup create vol --table "$(backup_line /dev/mapper/base /dev/mapper/top "$@")"
}
persistent=(2 backup_persistent paused)
plain=(1 paused)

note "under load, and back after a removal in good order"
arm vol /dev/mapper/base /dev/mapper/top "${persistent[@]}"
mk_view view vol
swap_dm top "0 $(sectors "$B") delay $B 0 0 $B 0 20"
backup_load
slow_base
sleep 3
view_holds view
backup_load_stop
swap_dm top "$(linear_line "$B")"
kept=$(st vol both)
ge "$kept" 2 "blocks kept"
ge "$(st vol commits)" 2 "commits"
comes_back seal "${persistent[@]}"
is "$(st vol phase health both)" "preserving rw $kept" "after a removal"
mk_dm view "0 $(sectors "$A") blkcopy-view /dev/mapper/vol"
view_holds view
put 0 128
view_holds view
remove_dm view

note "an end that was not clean"
rearm "${persistent[@]}"
put 3 2
cp "$META_FILE" "$WORK/meta"
remove_dm vol
cp "$WORK/meta" "$META_FILE"
mk_dm vol "$(backup_line /dev/mapper/base /dev/mapper/top "${persistent[@]}")"
is "$(st vol phase both)" "preserving 2" "a persistent one"
mk_view view vol
put 4 2
view_holds view
remove_dm view
rearm "${plain[@]}"
put 3 2
until_true 10 "what was written to is kept" all_st vol 2 both
comes_back seal "${plain[@]}"
is "$(st vol phase both)" "preserving 2" "one that is not, after a removal"
mk_dm view "0 $(sectors "$A") blkcopy-view /dev/mapper/vol"
view_holds view
cp "$META_FILE" "$WORK/meta"
remove_dm view
msg vol seal
remove_dm vol
cp "$WORK/meta" "$META_FILE"
mk_dm vol "$(backup_line /dev/mapper/base /dev/mapper/top "${persistent[@]}")"
is "$(st vol phase)" broken "one that is not, after a crash, whatever it is to be now"
put 9
comes_back seal "${persistent[@]}"
is "$(st vol phase)" broken "and so it stays"
note "removed by somebody else"
rearm "${persistent[@]}"
put 3
comes_back "" "${persistent[@]}"
is "$(st vol phase)" broken "without a seal"
rearm "${persistent[@]}"
msg vol phase abort
comes_back seal "${persistent[@]}"
is "$(st vol phase)" broken "aborted before"

note "what is not durable is waited for"
rearm "${persistent[@]}"
put 3
mk_dm view "0 $(sectors "$A") blkcopy-view /dev/mapper/vol 1 discards"
slow_meta
put 3
put_waits 5 "what it overwrites is not said to be kept"
holds() { cmp <(dd if=/dev/mapper/view bs=64k skip="$1" count=1 iflag=direct status=none) <(dd if="$WORK/instant" bs=64k skip="$1" count=1 status=none) || fail "block $1 of the view"; }
holds 5
wait "$JUST"
discard /dev/mapper/view 20
refused 'Input/output error' dd if=/dev/mapper/view of=/dev/null bs=64k skip=20 count=1 iflag=direct
put_waits 20 "that the block is released"
wait "$JUST"
discard /dev/mapper/view 5 &
JUST=$!
sleep 1
[[ -e /proc/$JUST ]] || fail "what is kept of block 5 was discarded before that is said"
wait "$JUST"
fast_meta
is "$(st vol both zero)" "1 2" "kept and released"
remove_dm view

note "top fails: the disk is told before the write goes"
slow_meta
fails top
mk_view view vol
put_waits 40 "that the view is broken"
wait "$JUST"
is "$(st vol phase)" broken "the view when top has failed"
view_fails view
put 50 2
fast_meta
has "$("$(tool show)" "$real")" 'mode=backup phase=broken' "the superblock"
remove_dm view
swap_dm top "$(linear_line "$B")"

note "metadata fails: writes that nobody could be told of are refused"
rearm "${persistent[@]}"
put 3
mk_dm view "0 $(sectors "$A") blkcopy-view /dev/mapper/vol 1 discards"
fails meta
discard /dev/mapper/view 80
refused 'Input/output error' bash -c 'put 80'
refused 'Input/output error' bash -c 'put 60'
is "$(st vol phase health)" "broken meta_ro" "the volume"
put 3
dd if=/dev/mapper/vol of=/dev/null bs=1M iflag=direct status=none
refused 'Input/output error' bash -c 'put 61'
cmp <(direct_read /dev/mapper/base | dd bs=64k skip=60 count=2 iflag=fullblock status=none) <(dd if="$WORK/instant" bs=64k skip=60 count=2 status=none) ||
	fail "a write that was refused has gone"
remove_dm view
fast_meta
dmsetup suspend vol
dmsetup resume vol
put 60 2
is "$(st vol phase health)" "broken rw" "with the metadata back"
comes_back seal "${persistent[@]}"
is "$(st vol phase)" broken "after that"

note "the same without the order: the volume never notices"
rearm "${plain[@]}"
mk_view view vol
fails meta
put 60 2
view_holds view
is "$(st vol phase)" preserving "the view, in memory"
remove_dm view
fast_meta
note "top is silent: writes go on once the view is given up, its table not before top answers"
rearm "${persistent[@]}"
swap_dm top "0 $(sectors "$B") delay $B 0 0 $B 0 0 $B 0 60000"
put_waits 30 "what is kept is not durable"
began=$SECONDS
msg vol phase abort
wait "$JUST"
le $((SECONDS - began)) 10 "seconds until the write has gone"
put 31
is "$(st vol phase)" broken "the view"
msg_refused vol 'Operation now in progress' phase finish
swap_dm top "$(linear_line "$B")"
until_true 10 "nothing to be on its way to top" eval 'msg vol phase finish 2>/dev/null'
# All is kept, but for the flush at the end.
META=- disarm vol /dev/mapper/base
swap_dm top "0 $(sectors "$B") delay $B 0 0 $B 0 0 $B 0 60000"
META=- arm vol /dev/mapper/base /dev/mapper/top
until_true 20 "all to be kept" all_st vol 0 base_only
until_true 10 "the flush to be on its way" eval '[[ $(dmsetup status top) =~ delay\ 0\ 0\ 1 ]]'
msg vol phase abort
put 32
is "$(st vol phase)" broken "the view"
msg_refused vol 'Operation now in progress' phase finish
swap_dm top "$(linear_line "$B")"
until_true 10 "nothing to be on its way to top" eval 'msg vol phase finish 2>/dev/null'

note "metadata that is damaged"
rearm "${persistent[@]}"
put 3
msg vol seal
remove_dm vol
# Behind two superblocks and the marks: both slots of the only sector of the map.
dd if=/dev/urandom of="$real" bs=4k seek=3 count=2 conv=notrunc,fsync status=none
mk_dm vol "$(backup_line /dev/mapper/base /dev/mapper/top "${persistent[@]}")"
is "$(st vol phase)" broken "with a map that cannot be read"
put 70
pass
