#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 timeout=300
# Bad input: one clear line, the right exit status, nothing changed.
# guards: every check before the first step of a plan.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
mk_brd 5 8
[[ -x $BLKCTL ]] || fail "no $BLKCTL: build it first"

exits 5 ctl create data /dev/ram0
has "$OUT" 'module|target' "the module is not loaded and not loadable"
is "$(wc -l <<<"$OUT")" 1 "lines said about the module"
is "$(dmsetup ls | grep -v '^No' || true)" "" "dm devices after that"
cli_setup

exits 0 ctl create data /dev/ram0
undo remove_dm data
fill /dev/mapper/data
bad() { # STATUS REGEX ARGS...
	local before status=$1 regex=$2
	shift 2
	before="$(dmsetup table) $(dmsetup table --inactive 2>/dev/null)"
	exits "$status" ctl "$@"
	has "$OUT" "$regex" "what 'blkctl $*' says"
	is "$(grep -vc '^$' <<<"$OUT")" 1 "lines said by 'blkctl $*'"
	is "$(dmsetup table) $(dmsetup table --inactive 2>/dev/null)" "$before" "tables after 'blkctl $*'"
	nothing_stuck "blkctl $*"
}
for verb in pivot abort pause resume show wait detach remove; do bad 3 'nothing' $verb nothing; done
bad 3 'nothing' copy nothing /dev/ram1
bad 3 'nothing' copy data /dev/nothing
bad 3 'nothing' create x /dev/nothing
bad 3 'no copy' pivot data
bad 3 'no copy' abort data
bad 3 'no copy' pause data
bad 3 'no copy' resume data
bad 3 'no copy' set data rate=1M
exits 5 bash -c "'$BLKCTL' list >/dev/full"
has "$OUT" 'standard output: No space' "a list that nobody gets"
exits 5 bash -c "'$BLKCTL' list >&-"
has "$OUT" 'standard output: Bad file' "a list for a stream that is closed"
bad 3 'no job' wait data
bad 3 'no job' wait data --for end
bad 3 'no job' wait data --pivot

bad 2 'source' copy data /dev/ram0
bad 2 'source' copy data /dev/ram0 --sync none
bad 2 'itself' copy data /dev/mapper/data
mkfs.ext4 -q /dev/ram1
bad 4 'ext4' copy data /dev/ram1
bad 4 'not equal.*ext4' copy data /dev/ram1 --sync none
bad 2 'bitmap=BITMAP' copy data /dev/ram1 --sync half
for sync in bitmap bitmap=; do bad 2 'names no bitmap' copy data /dev/ram1 --sync $sync; done
bad 3 'no bitmap "nightly"' copy data /dev/ram1 --sync bitmap=nightly
bad 3 'no bitmap' copy data /dev/ram1 --sync 'bitmap=a 1 nosync'
mount_fs /dev/ram1
bad 4 'mounted' copy data /dev/ram1
bad 4 'mounted' copy data /dev/ram1 --force
bad 4 'mounted' create other /dev/ram1
umount "$WORK/mnt"
mk_linear holder /dev/ram2
bad 4 'holder|held|in use' copy data /dev/ram2
bad 4 'holder|held|in use' copy data /dev/ram2 --force
remove_dm holder
mk_linear opened /dev/ram2
exec 9</dev/mapper/opened
bad 4 'in use' copy data /dev/mapper/opened --force
bad 4 'in use' create other /dev/mapper/opened
exec 9<&-
dmsetup suspend opened
exits 4 ctl copy data /dev/mapper/opened --force
has "$OUT" 'suspended' "what 'blkctl copy' says of a target that is suspended"
dmsetup resume opened
remove_dm opened
modprobe loop
loop=$(losetup -f --show /dev/ram2)
bad 4 'held by /dev/loop' copy data /dev/ram2 --force
losetup -d "$loop"
mkswap -q /dev/ram2
swapon /dev/ram2
bad 4 'swap' copy data /dev/ram2 --force
swapoff /dev/ram2
wipefs -qa /dev/ram2
mk_loop 4
bad 2 'smaller' copy data "$REPLY"
bad 2 'smaller' copy data "$REPLY" --force
for f in /etc/passwd /dev/null; do exits_any "2 3" ctl copy data $f; done

for s in 3k 48k 0 2k 2M 4095 x -4k 4kk 64; do bad 2 'block' create other /dev/ram3 --block-size "$s"; done
for r in x -1 1.2.3 1X 5000G '' '1 M'; do bad 2 'rate|RATE' copy data /dev/ram3 "--rate=$r"; done
bad 2 'policy|stop|nothing' copy data /dev/ram3 --on-top-error nothing
bad 2 'mode|dual' copy data /dev/ram3 --mode sideways
bad 2 'sync|full' copy data /dev/ram3 --sync half
bad 2 '.' copy data
bad 2 '.' copy
bad 2 'frobnicate' frobnicate data
bad 2 'frobnicate' copy data /dev/ram3 --frobnicate
bad 2 '.' copy data /dev/ram3 extra
bad 2 'no-wait' copy data /dev/ram3 --no-wait --interval 1s
bad 2 'ten years' copy data /dev/ram3 --wait --timeout 87601h
bad 2 'ten years' copy data /dev/ram3 --interval 18446744073709551615ms
bad 2 'is empty' copy data /dev/ram3 --metadata ''
bad 2 'pivot' wait data --persist
bad 2 '.' create 'a/b' /dev/ram3
bad 2 '.' create '' /dev/ram3
bad 4 'already' create data /dev/ram3

exits 0 ctl copy data /dev/ram3 --rate 20k --no-wait
bad 7 'not ready' pivot data
bad 4 'already' copy data /dev/ram4
bad 4 'cop' remove data
bad 2 'rate|none' set data rate=x
bad 2 'rate|none' set data mode=dual rate=
bad 2 'nothing' set data nothing=1
bad 2 '.' set data
bad 4 '.' create other /dev/ram3
bad 4 '.' create other /dev/ram0

while read -r -a words; do
	exits 5 setpriv --reuid=65534 --regid=65534 --clear-groups "$BLKCTL" "${words[@]}"
	has "$OUT" 'root|permission' "what 'blkctl ${words[*]}' says to somebody who is not root"
	is "$(wc -l <<<"$OUT")" 1 "lines said by 'blkctl ${words[*]}' to somebody who is not root"
done <<'VERBS'
create other /dev/ram4
attach data
detach data
copy data /dev/ram4
copy data /dev/ram4 --dry-run
pivot data
abort data
pause data
resume data
set data rate=1M
wait data
list
show data
watch --timeout 1
events --timeout 1
remove data
VERBS
is "$(st data phase)" copying "the copy after all that"
exits 0 ctl abort data
leg_holds /dev/mapper/data
exits 0 ctl remove data
pass
