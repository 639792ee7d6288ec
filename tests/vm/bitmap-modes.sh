#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=300
# Bitmaps on a metadata device go on recording whatever mode the volume is in, and
# a power cut in any of them takes no change from them.
# guards: marks before writes in every mode, what is durable before a bitmap is
# cleared, writes that cannot be marked, a table that is refused.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/lib-bitmap.sh"
source "$(dirname "$0")/lib-backup.sh"
load_module
mk_loops 16
n=$(sectors "$A")
mk_meta 2 track "$n" 128 1
disk=$META BITS=/dev/mapper/bits BITS_FILE=$META_FILE
mk_dm bits "0 $(sectors "$disk") linear $disk 0"
mk_meta 2 overlay "$n"
MAP=$META
mk_loop 2 --direct-io=off
CUT=$REPLY CUT_FILE=$LOOP_FILE
on="2 bitmaps $BITS"
fill "$A"
put() { dd if=/dev/urandom of=/dev/mapper/vol bs="${2:-4k}" count=1 seek=$(($1 * 16)) oflag=direct conv=notrunc status=none; } # BLOCK
tracked() { META=$BITS track_line "$1"; }
durable() { META=$MAP durable_line "$@"; }
in_memory() { META=- "$@"; }

# What a power cut leaves in the metadata as it is now has all that has changed.
cut_covers() { # WHAT
	local old=$WORK/old new=$WORK/new
	direct_read /dev/mapper/vol >"$new"
	dd if="$BITS_FILE" of="$CUT_FILE" bs=4k conv=notrunc,fsync status=none
	mk_dm probe "$(META=$CUT track_line "$B")"
	VOL=probe covers one "$old" "$new"
	VOL=probe bitmap_is one >"$WORK/is"
	note "$1: a cut leaves $(cat "$WORK/is")"
	has "$(cat "$WORK/is")" ' recording$' "after a cut in $1"
	remove_dm probe
}

# What must be refused.
for line in "$(in_memory mirror_line "$A" "$B" 0 2 bitmaps /dev/none)" "$(in_memory mirror_line "$A" "$B" 0 2 bitmaps "$A")" \
	"$(in_memory mirror_line "$A" "$B" 0 1 bitmaps)" "$(in_memory mirror_line "$A" "$B" 0 4 bitmaps "$BITS" bitmaps "$BITS")" \
	"$(META=$BITS mirror_line "$A" "$B" 0 $on)" "$(durable overlay "$A" "$B" 0 2 bitmaps "$MAP")" \
	"$(in_memory track_line "$A") 0 $on"; do
	refused '' dmsetup create no --table "$line"
done
dmsetup remove no 2>/dev/null || true

mk_dm vol "$(tracked "$A")"
bitmap add one
put 1

# One write each: what is listed is what was written, and no more.
reload vol "$(in_memory mirror_line "$A" "$B" 0 $on)"
is "$(dmsetup table vol | awk '{ print $(NF - 1), $NF }')" "bitmaps $(stat -L -c %Hr:%Lr "$BITS")" "the line it prints"
put 3
wait_equal vol
put 5
cut_is=$(st vol segments)
has "$cut_is" '^1/16$' "segments marked in a mirror"
msg vol phase pivot
wait_phase vol 30 pivoted
put 17
reload vol "$(tracked "$B")"
put 19
is "$(listed one)" "1+1 3+1 5+1 17+1 19+1" "through a copy and its pivot"
reload vol "$(durable overlay "$B" "$A" 0 $on)"
put 33
put 3 64k # 48
is "$(listed one)" "1+1 3+1 5+1 17+1 19+1 33+1 48+1" "in an overlay"
# What a bitmap does not say any more is where it was, after a crash as well.
commits=$(st vol commits)
bitmap enable one
ge "$(st vol commits)" $((commits + 1)) "commits of the map when the bitmaps are written"
# Gone and back, in good order, in the middle of it.
msg vol seal
remove_dm vol
mk_dm vol "$(durable overlay "$B" "$A" 0 $on)"
is "$(listed one), $(bitmap_is one)" "1+1 3+1 5+1 17+1 19+1 33+1 48+1, 7 recording" "after an orderly end"
put 50
reload vol "$(durable commit "$B" "$A" 0 $on)"
wait_phase vol 60 merged
put 65
reload vol "$(tracked "$B")"
is "$(listed one)" "1+1 3+1 5+1 17+1 19+1 33+1 48+1 50+1 65+1" "after a commit"
in_memory arm vol "$B" "$A" 0 $on
mk_view view vol
put 81
view_holds view
# Frozen at an instant at which the volume is suspended.
dmsetup suspend vol
bitmap freeze one
refused '' dmsetup message vol 0 bitmap clear one
dmsetup resume vol
put 83
is "$(listed one)" "1+1 3+1 5+1 17+1 19+1 33+1 48+1 50+1 65+1 81+1" "frozen in a backup"
bitmap clear one
remove_dm view
reload vol "$(tracked "$B")"
is "$(listed one)" "83+1" "after it"

# Writes that cannot be marked are not done, others are; the volume goes on.
unmarked_fails() { # MODE
	msg vol seal
	dmsetup suspend vol
	dmsetup resume vol
	put 64
	swap_dm bits "0 $(sectors "$disk") error"
	put 65
	refused 'Input/output error' bash -c 'put 200'
	is "$(st vol health)" meta_ro "health in $1"
	swap_dm bits "0 $(sectors "$disk") linear $disk 0"
	msg vol seal
	dmsetup suspend vol
	dmsetup resume vol
	put 200
	is "$(st vol health)" rw "health in $1 after the metadata came back"
}
export -f put
reload vol "$(in_memory mirror_line "$B" "$A" 0 $on)"
wait_equal vol
unmarked_fails mirror
pivot vol
unmarked_fails pivoted
reload vol "$(tracked "$A")"
reload vol "$(durable overlay "$A" "$B" 0 $on)"
unmarked_fails overlay
reload vol "$(durable commit "$A" "$B" 0 $on)"
wait_phase vol 60 merged
reload vol "$(tracked "$A")"

# A table that is refused when it is to be live: the device has none that we know, and
# what is written then is not in any bitmap.
dmsetup load vol --table "$(durable overlay "$A" "$B" 0 $on)"
garbage "$MAP"
refused '' dmsetup resume vol
dmsetup load vol --table "$(linear_line "$A")"
dmsetup resume vol
put 3
reload vol "$(tracked "$A")"
is "$(bitmap_is one | cut -d' ' -f2)" inconsistent "after a table that was refused"
bitmap clear one

# A table that does not know of them: they do not pretend.
reload vol "$(in_memory track_line "$A")"
reload vol "$(tracked "$A")"
is "$(bitmap_is one | cut -d' ' -f2)" inconsistent "after a table without them"
bitmap clear one

# Under load, in every mode: a part of the volume at a time, its marks alone set.
fill /dev/mapper/vol
load() { # WHAT
	local at=$((RANDOM % 14 * 1024 * 1024))
	bitmap clear one
	msg vol seal
	dmsetup suspend vol
	dmsetup resume vol
	has "$(st vol segments)" '^0/' "segments marked after a resume"
	direct_read /dev/mapper/vol >"$WORK/old"
	run_bg "$WORK/out" "$HAMMER" --seed $RANDOM --seconds 3 --threads 4 --max 300k --hot "$at:2m" --hot-pct 100 --think-us 4000 \
		--discard 4 --zero 6 --flush 3 --fua 3 --nowait 20 --load-model "$WORK/model" --dump-model "$WORK/model" /dev/mapper/vol
	sleep 1
	cut_covers "$1"
	wait "$BG" || fail "hammer: $(cat "$WORK/out")"
	direct_read /dev/mapper/vol >"$WORK/new"
	covers one "$WORK/old" "$WORK/new"
}
load track
reload vol "$(in_memory mirror_line "$A" "$B" 0 4 rate_kib 4096 bitmaps "$BITS")"
load mirror
msg vol set rate_kib 0
pivot vol
load pivoted
reload vol "$(tracked "$B")"
in_memory arm vol "$B" "$A" 0 $on
load backup
reload vol "$(tracked "$B")"
dd if=/dev/zero of="$MAP" bs=1M count=2 oflag=direct status=none
meta_format "$MAP" "$n" 128 overlay
reload vol "$(durable overlay "$B" "$A" 0 $on)"
load overlay
reload vol "$(durable commit "$B" "$A" 0 4 rate_kib 2048 bitmaps "$BITS")"
load commit
msg vol set rate_kib 0
wait_phase vol 60 merged
msg vol seal
reload vol "$(tracked "$B")"
leg_holds "$B"
pass
