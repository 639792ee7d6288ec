#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Metadata of a thin pool, as XML: two devices that share nothing.

usage: thin.py CHANGED ALL     blocks of 64 KiB: mapped by each, scattered over ALL
"""
import random
import sys


def main():
    changed, every = (int(argument) for argument in sys.argv[1:3])
    random.seed(1)
    blocks = sorted(random.sample(range(every), changed))
    print('<superblock uuid="" time="1" transaction="1" data_block_size="128" nr_data_blocks="%d">' % (2 * changed))
    for device in (1, 2):
        print('<device dev_id="%d" mapped_blocks="%d" transaction="0" creation_time="0" snap_time="1">' % (device, changed))
        first = (device - 1) * changed
        for at, block in enumerate(blocks, first):
            print('<single_mapping origin_block="%d" data_block="%d" time="0"/>' % (block, at))
        print("</device>")
    print("</superblock>")


main()
