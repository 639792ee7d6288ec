#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: slow=1 kernels=6.1,6.12 mem=1024 timeout=200
# Attach over what cannot be absorbed: striped, two linear lines, thin, crypt:
# under a writer, copied and pivoted or given back; the number stays; the
# hidden device has no links and no prober sees it; its UUID says what it is.
# guards: the stack; udev rules of the hidden layer; read-only stays so.
UDEV=1
source "$(dirname "$0")/lib.sh"
source "$VM_DIR/lib-cli.sh"
cli_setup
has "$(ls /run/udev/rules.d)" '^56-dm-blkctl.rules$' "the rules file on Debian"
mk_brd 3 16
modprobe -a dm-crypt dm-thin-pool

hidden_is_hidden() { # NAME
	local hidden=$1-blkreal node links
	has "$(dmsetup info -c --noheadings -o uuid "$hidden")" '^BLKCTL-[0-9a-f]{32}-real$' "$hidden: its UUID"
	node=/dev/$(dm_node "$hidden")
	# As somebody else's trigger does: with no cookie, and none of its flags.
	udevadm trigger --action=change --settle "$node"
	udevadm settle --timeout=10
	links=$(udevadm info -q symlink "$node" 2>/dev/null | tr ' ' '\n' | grep -v "^mapper/$hidden\$" || true)
	is "$links" "" "$hidden: links of it"
	is "$(udevadm info -q property "$node" | grep -c '^ID_FS_' || true)" 0 "$hidden: properties by a prober"
	has "$(udevadm info -q property "$node" | xargs)" 'SYSTEMD_READY=0' "$hidden: what systemd is told"
	for flag in SUBSYSTEM DISK OTHER; do
		has "$(udevadm info -q property "$node" | xargs)" "DM_UDEV_DISABLE_${flag}_RULES_FLAG=1" "$hidden: what other rules are told"
	done
	! watched "$hidden" || fail "$hidden: udev watches it"
}

# Whether udev looks again when somebody has closed the device.
watched() { [[ -L /run/udev/watch/b$(dmsetup info -c --noheadings --separator : -o major,minor "$1") ]]; }

# systemd may unmount what it believes has gone away.
public_is_public() { # NAME
	local node properties
	node=/dev/$(dm_node "$1")
	udevadm trigger --action=change --settle "$node"
	udevadm settle --timeout=10
	properties=$(udevadm info -q property "$node" | xargs)
	[[ ! $properties =~ DM_UDEV_DISABLE_(DISK|OTHER|SUBSYSTEM)_RULES_FLAG=1|SYSTEMD_READY=0 ]] ||
		fail "$1: flags on the public device: $properties"
	has "$properties" 'ID_FS_TYPE=ext4' "$1: what a prober found"
	watched "$1" || fail "$1: udev does not watch it"
}

round() { # NAME detach|pivot
	local name=$1 number table
	number=$(dmsetup info -c --noheadings -o major,minor "$name")
	table=$(dmsetup table --showkeys "$name")
	mkfs.ext4 -q "/dev/mapper/$name"
	mount_fs "/dev/mapper/$name"
	for i in 1 2 3; do dd if=/dev/urandom of="$WORK/mnt/$i" bs=256k count=1 status=none; done
	sync
	(cd "$WORK/mnt" && sha256sum ./*[0-9]) >"$WORK/sums"
	exits 0 ctl attach "/dev/mapper/$name"
	is "$(dmsetup info -c --noheadings -o major,minor "$name")" "$number" "$name: the number after attach"
	is "$(dmsetup table --showkeys "$name-blkreal")" "$table" "$name: the table of its hidden device"
	hidden_is_hidden "$name"
	public_is_public "$name"
	exits 4 ctl attach "/dev/mapper/$name-blkreal"
	dd if=/dev/urandom of="$WORK/mnt/later" bs=64k count=4 conv=fsync status=none
	if [[ $2 == detach ]]; then
		exits 0 ctl detach "$name"
		is "$(dmsetup table --showkeys "$name")" "$table" "$name: the table after detach"
		! dmsetup info "$name-blkreal" >/dev/null 2>&1 || fail "$name: the hidden device is left"
	else
		exits 0 ctl copy "$name" /dev/ram2 --force --pivot --wait --timeout 60
		has "$(dmsetup table "$name")" 'blkcopy track 1:2 0 ' "$name: the table after the pivot"
		! dmsetup info "$name-blkreal" >/dev/null 2>&1 || fail "$name: the hidden device is left after the pivot"
	fi
	is "$(dmsetup info -c --noheadings -o major,minor "$name")" "$number" "$name: the number at the end"
	echo 3 >/proc/sys/vm/drop_caches
	(cd "$WORK/mnt" && sha256sum --quiet -c "$WORK/sums") || fail "$name: files differ"
	umount "$WORK/mnt"
	fs_check "/dev/mapper/$name"
	nothing_stuck "$name"
}

mk_dm striped "0 16384 striped 2 128 /dev/ram0 0 /dev/ram1 0"
round striped detach
round striped pivot
remove_dm striped
mk_dm two "0 8192 linear /dev/ram0 128" "8192 9000 linear /dev/ram1 64"
round two pivot
remove_dm two
wipefs -qa /dev/ram0
echo -n secret | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --luks2-metadata-size 16k --luks2-keyslots-size 512k /dev/ram0 -
echo -n secret | cryptsetup open --disable-keyring --key-file - /dev/ram0 crypt
undo bash -c '! dmsetup info crypt >/dev/null 2>&1 || remove_dm crypt'
# --disable-keyring: a key that lives in the keyring of a process that has ended
# cannot be loaded a second time.
round crypt detach
remove_dm crypt
mk_loop 4 && meta=$REPLY
mk_dm pool "0 32768 thin-pool $meta /dev/ram1 128 0"
dmsetup message pool 0 'create_thin 0'
mk_dm thin "0 16384 thin /dev/mapper/pool 0"
round thin pivot
pass
