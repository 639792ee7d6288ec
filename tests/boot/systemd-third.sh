#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The third life: after a shutdown the metadata is clean, and not only whole. What
# else is to be seen is what killed-second.sh sees.
# usage: systemd-third.sh MODE
# shellcheck source=tests/boot/lib.sh
source "$(dirname "$0")/lib.sh"
found=$(ctl check "$(id 3)")
echo "$found"
[[ $found == *"stopped in good order"* ]]
exec "$(dirname "$0")/killed-second.sh" "$1"
