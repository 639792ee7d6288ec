#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables (markdown) or JSON from the result lines of tools/bench's guests."""
import json
import statistics
import sys

BASE = "dm-linear"
# Rows of what goes on as long as it is looked at.
NO_END = (
    "nothing running",
    "blkcopy, in sync, nothing to copy",
    "over nbd, nothing running",
    "blkcopy backup, store of 20 ms",
    "dm-snapshot-origin, store of 20 ms",
)
PATTERNS = ["randread qd32", "randwrite qd32", "randwrite qd1"]


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def in_order(rows):
    return list(dict.fromkeys(row["row"] for row in rows))


def span(values, form):
    low, high = form % min(values), form % max(values)
    return low if low == high else "%s - %s" % (low, high)


def cost(rows):
    by = {(row["row"], row["pattern"]): row["instructions"] for row in rows}
    yield "Instructions per 4 KiB I/O over 64 MiB RAM disks, above dm-linear:"
    yield ""
    yield "| peer | " + " | ".join(PATTERNS) + " |"
    yield "|---|---|---|---|"
    yield "| dm-linear (absolute) | " + " | ".join("%d" % by[BASE, p] for p in PATTERNS) + " |"
    for name in in_order(rows):
        if name != BASE:
            cells = ["%+d" % (by[name, p] - by[BASE, p]) if (name, p) in by else "-" for p in PATTERNS]
            yield "| " + name + " | " + " | ".join(cells) + " |"


def latency(rows):
    yield "A busy 128 MiB device moved between two devices of 2 ms (4 KiB randwrite, qd 4, 400 IOPS):"
    yield from under_a_writer(rows)


def durable(rows):
    yield "On devices of 2 ms, under the same writer:"
    yield from under_a_writer(rows)


def under_a_writer(rows):
    yield ""
    yield "| peer | runs | time, s | p50 ms | p99 ms | max ms |"
    yield "|---|---|---|---|---|---|"
    for name in in_order(rows):
        runs = [row for row in rows if row["row"] == name]
        idle = name in NO_END
        cells = [str(len(runs)), "-" if idle else span([r["seconds"] for r in runs], "%.2f")]
        cells += [span([r[key] for r in runs], "%.1f") for key in ("p50", "p99", "max")]
        yield "| " + name + " | " + " | ".join(cells) + " |"


def memory(rows):
    yield "Memory held for 1 TiB at 64 KiB blocks:"
    yield ""
    yield "| peer | MiB |"
    yield "|---|---|"
    for name in in_order(rows):
        kib = statistics.median(row["kib"] for row in rows if row["row"] == name)
        yield "| %s | %.2f |" % (name, kib / 1024)


def speed(rows):
    yield "16 TiB, time of one command:"
    yield ""
    yield "| command | ms |"
    yield "|---|---|"
    for row in rows:
        yield "| %s | %d |" % (row["row"], row["ms"])


def crash(rows):
    yield "A random writer over 1 TiB (200 a second), and a crash; GiB:"
    yield ""
    yield "| | changed | said to have changed |"
    yield "|---|---|---|"
    for row in rows:
        yield "| %s | %.2f | %.1f |" % (row["row"], row["changed"] / 16384, row["has"] / 16384)


def fsync(rows):
    yield "A 4 KiB write of what was not written before, and its fsync, on devices of 2 ms; ms:"
    yield ""
    yield "| peer | one writer | eight, each |"
    yield "|---|---|---|"
    by = {(row["row"], row["writers"]): row["ms"] for row in rows}
    for name in in_order(rows):
        yield "| %s | %.1f | %.1f |" % (name, by[name, 1], by[name, 8])


def fill(rows):
    yield "50 fsyncs while the device is filled in the background, and nobody has written:"
    yield ""
    yield "| peer | ms each | writes of metadata |"
    yield "|---|---|---|"
    for row in rows:
        yield "| %s | %d | %d |" % (row["row"], row["ms"], row["writes"])


def cold(rows):
    yield "What is still on a base of 20 ms, the new device 2 ms; ms:"
    yield ""
    whats = list(dict.fromkeys(row["what"] for row in rows))
    yield "| peer | " + " | ".join(whats) + " |"
    yield "|---" * (len(whats) + 1) + "|"
    by = {(row["row"], row["what"]): row["ms"] for row in rows}
    for name in in_order(rows):
        yield "| " + name + " | " + " | ".join("%.1f" % by[name, what] for what in whats) + " |"


PARTS = {"cost": cost, "latency": latency, "durable": durable, "fsync": fsync, "fill": fill, "cold": cold,
         "memory": memory, "speed": speed, "crash": crash}


def main():
    rows = [row for path in sys.argv[3:] for row in read(path)]
    if sys.argv[1] == "json":
        json.dump({"schema": 1, "kernel": sys.argv[2], "rows": rows}, sys.stdout, indent=1)
        print()
        return
    print("Kernel %s, emulated (TCG)." % sys.argv[2])
    for part, table in PARTS.items():
        mine = [row for row in rows if row["part"] == part]
        if mine:
            print()
            print("\n".join(table(mine)))


main()
