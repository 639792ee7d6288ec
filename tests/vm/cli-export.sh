#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 timeout=120
# A view served over NBD, to NBD's and QEMU's own tools: its content while the
# volume is written to, and what a frozen bitmap has kept; ended by a signal, and
# with the view broken below it; what is refused.
# guards: the verb export.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
modprobe loop
mk_loops 16
exits 0 ctl create data "$A"
undo remove_dm data
put() { dd if=/dev/urandom of=/dev/mapper/data bs=4k count=1 seek=$(($1 * 16)) oflag=direct conv=notrunc status=none; } # BLOCK
SOCKET=$WORK/socket
URI="nbd+unix:///now?socket=$SOCKET"

# serve ARGS...: until it can be asked.
serve() {
	"$BLKCTL" export now --socket "$SOCKET" "$@" >"$WORK/export" 2>&1 &
	SERVER=$!
	JOBS+=("$SERVER")
	until_true 20 "the socket of: $(cat "$WORK/export")" test -S "$SOCKET"
}

# ended SIGNAL: in good order.
ended() {
	local status=0
	kill "-$1" "$SERVER"
	wait "$SERVER" || status=$?
	is "$status" 0 "status after $1; it said: $(cat "$WORK/export")"
	[[ ! -e $SOCKET ]] || fail "the socket is still there"
	! pgrep -x qemu-storage-da || fail "its server is still there"
}

dirty() { nbdinfo --map="qemu:dirty-bitmap:$1" --json "$URI" | jq -c '[.[] | select(.type != 0) | [.offset, .length]]'; }

for block in 0 3 4 100 255; do put "$block"; done
exits 0 ctl bitmap add data nightly
exits 0 ctl bitmap add data weekly
put 3
put 4
put 200
exits 0 ctl view data now --store "$B" --bitmap nightly
frozen=$(sum_of /dev/mapper/now)

serve --bitmap nightly --json
until_true 10 "a line for programs" test -s "$WORK/export"
is "$(jq -r '[.name, .view, .uri, .bitmaps[]] | join(" ")' "$WORK/export")" "data now $URI nightly" "the line for programs"
put 3
put 77
is "$(dirty nightly)" "[[196608,131072],[13107200,65536]]" "what has changed"
has "$(nbdinfo "$URI")" "base:allocation" "contexts"
is "$(nbdinfo --map --json "$URI" | jq -c '[.[] | [.offset, .length, .type]]')" "[[0,16777216,0]]" "holes"
qemu-img convert -f raw -O raw "$URI" "$WORK/copy"
is "$(sum_of "$WORK/copy")" "$frozen" "what was read"
exits 4 ctl remove now
exits 4 ctl export now --socket "$SOCKET"
ended INT
serve --bitmap nightly
is "$(dirty nightly)" "[[196608,131072],[13107200,65536]]" "what has changed, once more"
ended TERM

note "refused"
exits 2 ctl export now
exits 3 ctl export data --socket "$SOCKET"
exits 3 ctl export nothing --socket "$SOCKET"
exits 3 ctl export now --socket "$SOCKET" --bitmap no
exits 4 ctl export now --socket "$SOCKET" --bitmap weekly
has "$OUT" 'of a new view' "what to do instead"
touch "$SOCKET"
exits 4 ctl export now --socket "$SOCKET"
rm "$SOCKET"

note "the view ends under a client"
serve
exits 0 ctl abort data
refused 'Input/output error' qemu-img convert -f raw -O raw "$URI" "$WORK/copy"
ended TERM
exits 5 ctl export now --socket "$SOCKET"
exits 0 ctl remove now
pass
