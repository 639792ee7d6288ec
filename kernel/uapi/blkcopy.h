/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * dm-blkcopy: the words and limits of its table line, status line and
 * messages. Included by the module (C) and by libblkctl (C++); it holds
 * constants only, so there is one place where a word is spelled.
 *
 * Table:
 *   <start> <len> blkcopy <mode> <base> <offset> <top|-> <offset> <meta|->
 *     <block sectors> [<#features> <f>*] [<#params> (<key> <value>)*]
 *   <start> <len> blkcopy-view <live blkcopy device> [<#features> [discards]]
 *
 * Status (positional, only ever appended to):
 *   <mode> <phase> <rw|meta_ro|fail> <base-only> <both> <top-only> <zero>
 *     <total> <block sectors> <copied kib> <in-flight kib> <rate kib/s>
 *     <segments marked>/<segments> <base errors> <top errors>
 *     <meta commits> <meta torn> <#bitmaps>
 *     (<name> <dirty blocks> <recording|disabled|frozen|inconsistent>)*
 *     <user|policy|-> <-|verifying|verified> <blocks compared> <that differ>
 *   After the bitmaps: who paused or aborted the copy; "-" while it is neither.
 *   Blocks that could not be read do not count as compared.
 *
 * Status of a view: <preserving|broken> <blocks preserved> <total>
 *   <block sectors>
 *
 * A paused copy shows the feature word "paused" in its table line, whoever
 * paused it: a message, the table, or an error policy.
 */
#ifndef BLKCOPY_UAPI_H
#define BLKCOPY_UAPI_H

#define BLKCOPY_TARGET "blkcopy"
#define BLKCOPY_VIEW_TARGET "blkcopy-view"
#define BLKCOPY_MODULE "dm-blkcopy"

/* Modes. */
#define BLKCOPY_MODE_TRACK "track"
#define BLKCOPY_MODE_MIRROR "mirror"
#define BLKCOPY_MODE_STREAM "stream"
#define BLKCOPY_MODE_OVERLAY "overlay"
#define BLKCOPY_MODE_COMMIT "commit"
/*
 * Copy-before-write: base is in use, top keeps what it held when the table was
 * resumed, at the same offset, and a view of the device reads that. A block is
 * "both" from when it is preserved; base-only, as it is in base. Where the view
 * is lost the phase is "broken": it reads EIO for good, base goes on. It is lost
 *   - when a copy fails: see the policies below;
 *   - when the last table of the mode goes: its device has another table, or is
 *     removed. A table loaded in the same mode goes on;
 *   - by the message "phase abort".
 * While the live device is suspended a view's read of what is in base waits.
 * Without "paused" the copier preserves the rest in the background; with it, or
 * after "copy pause", only what is written to. inflight_kib bounds each: what
 * the copier has in flight, and the old data in memory on its way to top. A
 * write that finds no more room waits for top.
 */
#define BLKCOPY_MODE_BACKUP "backup"

/*
 * Of a view: it takes discards. What one covers whole blocks of is released: a
 * write to them keeps nothing any more, top is discarded there, and every view
 * reads EIO. The blocks count as "zero", in neither leg. Such a view is no
 * read-only device to the kernel, or it would take no discard; a write to it
 * fails all the same.
 */
#define BLKCOPY_VIEW_DISCARDS "discards"

/* Phases. */
#define BLKCOPY_PHASE_IDLE "idle"
#define BLKCOPY_PHASE_COPYING "copying"
#define BLKCOPY_PHASE_SYNCED "synced"
#define BLKCOPY_PHASE_PIVOTED "pivoted"
#define BLKCOPY_PHASE_ABORTED "aborted"
#define BLKCOPY_PHASE_STREAMING "streaming"
#define BLKCOPY_PHASE_STREAMED "streamed"
#define BLKCOPY_PHASE_MERGING "merging"
#define BLKCOPY_PHASE_MERGED "merged"
#define BLKCOPY_PHASE_PRESERVING "preserving"
#define BLKCOPY_PHASE_BROKEN "broken"

/* Health of the state. */
#define BLKCOPY_HEALTH_RW "rw"
#define BLKCOPY_HEALTH_META_RO "meta_ro"
#define BLKCOPY_HEALTH_FAIL "fail"

/* Who stopped a copy. */
#define BLKCOPY_STOPPED_BY_NOBODY "-"
#define BLKCOPY_STOPPED_BY_USER "user"
#define BLKCOPY_STOPPED_BY_POLICY "policy"

/* Comparing the legs. */
#define BLKCOPY_VERIFY_NEVER "-"
#define BLKCOPY_VERIFY_RUNNING "verifying"
#define BLKCOPY_VERIFY_DONE "verified"

/* Feature words of the table line, in the order STATUSTYPE_TABLE prints. */
#define BLKCOPY_FEATURE_NO_DISCARD_PASSDOWN "no_discard_passdown"
#define BLKCOPY_FEATURE_DETECT_ZEROES "detect_zeroes"
#define BLKCOPY_FEATURE_PAUSED "paused"
/* stream: what a read brings from base is kept in top. */
#define BLKCOPY_FEATURE_COPY_ON_READ "copy_on_read"
/*
 * backup: a write waits until the old data is in top, not just until it is in
 * memory; with a metadata device until that is durable, and said there, so that the
 * view outlives a crash. Where it cannot be said, nor that the view is broken,
 * such a write fails.
 */
#define BLKCOPY_FEATURE_BACKUP_PERSISTENT "backup_persistent"
/*
 * One-shot: top is known to hold what base holds, so a new map starts all
 * "both". Never printed again, or a line reloaded after writes went past us
 * would call different data equal.
 */
#define BLKCOPY_FEATURE_NOSYNC "nosync"

/* Parameter keys, in the order STATUSTYPE_TABLE prints the ones given. */
#define BLKCOPY_PARAM_RATE_KIB "rate_kib"
#define BLKCOPY_PARAM_INFLIGHT_KIB "inflight_kib"
#define BLKCOPY_PARAM_RUN_KIB "run_kib"
#define BLKCOPY_PARAM_SEGMENT_MIB "segment_mib"
#define BLKCOPY_PARAM_COPY_MODE "copy_mode"
#define BLKCOPY_PARAM_ON_BASE_ERROR "on_base_error"
#define BLKCOPY_PARAM_ON_TOP_ERROR "on_top_error"
/*
 * Of every mode but track: the metadata device that has the volume's bitmaps,
 * formatted for mode track, where it is the line's <meta>. The same device may go
 * from the one to the other by a reload, and its bitmaps go on recording.
 */
#define BLKCOPY_PARAM_BITMAPS "bitmaps"
/*
 * One-shot, of a mirror with state in memory, and without nosync: a bitmap of the
 * volume. Top is known to hold what the volume held when that began, was cleared
 * last, or later: a new map starts "both" but for the blocks that have changed by
 * it. Never printed again, as nosync. A bitmap that is not there, or is not
 * certain to have every write since it began (inconsistent, disabled now or
 * before, frozen), counts for nothing: everything is copied, and the kernel log
 * says why.
 */
#define BLKCOPY_PARAM_SYNC "sync"

#define BLKCOPY_COPY_MODE_DUAL "dual"
#define BLKCOPY_COPY_MODE_BACKGROUND "background"

/*
 * Error policies of the copy, as QEMU's block jobs have them. A user write is
 * never refused because of top, whatever the policy: its blocks go back to
 * base-only before it is acknowledged.
 *   report: the copy fails, the phase becomes "aborted"
 *   ignore: go on elsewhere and come back; after BLKCOPY_RETRY_PASSES passes
 *           that copied nothing the copy pauses ("stalled")
 *   stop:   the copy pauses; "copy resume" tries again
 *   enospc: as stop for ENOSPC, as report for the rest
 *
 * In mode backup a block that cannot be kept breaks the view, and nothing else:
 * report and ignore are the same, and so is every policy of base. With stop,
 * and enospc, what top did not take is kept in memory, and written again on
 * "copy resume", which does not begin to fill top if it was not being filled;
 * meanwhile writes go on while there is room (inflight_kib), and wait then. After
 * BLKCOPY_BACKUP_STOP_SECONDS the view breaks all the same.
 */
#define BLKCOPY_POLICY_REPORT "report"
#define BLKCOPY_POLICY_IGNORE "ignore"
#define BLKCOPY_POLICY_STOP "stop"
#define BLKCOPY_POLICY_ENOSPC "enospc"

/*
 * In modes stream and overlay, with stop and enospc, a write that top has no room
 * for (ENOSPC) is not refused at once: it waits, is tried again every second and
 * on "copy resume", and is refused after this time, or when the device is
 * suspended. With report and ignore it is refused at once.
 */
#define BLKCOPY_NOSPACE_SECONDS 60

/* Named bitmaps of changed blocks. */
#define BLKCOPY_BITMAPS_MAX 64
#define BLKCOPY_BITMAP_NAME_MAX 64
#define BLKCOPY_GRANULE_SECTORS_MAX 2097152	/* 1 GiB */
#define BLKCOPY_BITMAP_RECORDING "recording"
#define BLKCOPY_BITMAP_DISABLED "disabled"
#define BLKCOPY_BITMAP_FROZEN "frozen"
#define BLKCOPY_BITMAP_INCONSISTENT "inconsistent"

/* "mem:<id>": state in memory, shared by every table that names the id. */
#define BLKCOPY_META_MEM_PREFIX "mem:"
#define BLKCOPY_META_MEM_ID_MAX 64

/* Limits and defaults; sectors are 512 bytes. */
#define BLKCOPY_BLOCK_SECTORS_MIN 8
#define BLKCOPY_BLOCK_SECTORS_MAX 2048
#define BLKCOPY_RATE_KIB_MAX 4294967295u
#define BLKCOPY_INFLIGHT_KIB_MIN 64
#define BLKCOPY_INFLIGHT_KIB_MAX 65536
#define BLKCOPY_INFLIGHT_KIB_DEFAULT 2048
#define BLKCOPY_RUN_KIB_MIN 4
#define BLKCOPY_RUN_KIB_MAX 1024
#define BLKCOPY_RUN_KIB_DEFAULT 512
#define BLKCOPY_SEGMENT_MIB_MIN 1
#define BLKCOPY_SEGMENT_MIB_MAX 65536
#define BLKCOPY_SEGMENT_MIB_DEFAULT 64
#define BLKCOPY_RETRY_PASSES 8
#define BLKCOPY_BACKUP_STOP_SECONDS 60

/*
 * Messages and how they are refused. Each answers at once; what it starts is
 * reported by a dm event.
 *   copy start|resume   EINVAL no mirror, EALREADY pivoted, aborted or broken;
 *                       overlay: tries the writes that wait for room in top
 *   copy pause|stop     as above
 *   set <param> <value> EINVAL unknown or out of range; segment_mib is fixed;
 *                       of an overlay only on_top_error
 *   phase pivot         EINVAL no mirror, EBUSY blocks are still base-only, a
 *                       pivot is under way or top has just failed, EALREADY
 *                       pivoted or aborted, EAGAIN the device is suspended
 *   phase abort         EINVAL no mirror, EBUSY a pivot is under way,
 *                       EALREADY pivoted; once aborted it succeeds again.
 *                       backup: the view breaks, top is free
 *   phase finish        may the table come that leaves a leg behind? EBUSY: not
 *                       streamed, merged, pivoted, aborted, broken yet;
 *                       EINPROGRESS: writes or copies are on their way to that
 *                       leg still; EINVAL in track and overlay
 *   map list base|top|both|zero <first block> [gaps]
 *                       text runs "first+count", then the next first block,
 *                       or "end". gaps: runs "gap+count", or "gap" of one
 *                       block, that many behind the run before it, or behind
 *                       the first block; then "@" and the next, or "end"
 *   preserve <bitmap>   backup: only the blocks in it, of a frozen one what had
 *                       changed by then; the others are released, as by a
 *                       discard on a view, but top keeps its room. EINVAL no
 *                       backup, ENOENT and ESTALE as below, EALREADY broken
 *   verify start        compare the blocks that are in both; EINVAL no such mode,
 *                       EBUSY it is under way, EALREADY pivoted or aborted,
 *                       EAGAIN suspended
 *   bitmap add <name> [<granule sectors>] [disabled]
 *                       EEXIST; ENOSPC: there are BLKCOPY_BITMAPS_MAX, or as
 *                       many as the metadata device has room for
 *   bitmap remove|clear|enable|disable|freeze|thaw <name>
 *                       ENOENT; freeze: EBUSY when frozen; thaw: EINVAL when not
 *   bitmap merge <target> <source>
 *                       EBUSY when the target is frozen
 *   bitmap list <name> <first block> [gaps]
 *                       text runs as of "map list"; of a frozen one what had
 *                       changed by then
 *                       merge and list: ESTALE when it is inconsistent; frozen,
 *                       all of it has changed, and it is not any more;
 *                       all but freeze and thaw: EAGAIN while suspended, with
 *                       a metadata device
 *   seal                the next removal is ours: the state stays valid
 *   unseal              it has failed: the next may be anybody's
 * The kernel log holds the reason in words.
 */
#define BLKCOPY_MSG_MAP_END "end"
#define BLKCOPY_MSG_GAPS "gaps"
#define BLKCOPY_MSG_GAPS_NEXT "@"

#endif /* BLKCOPY_UAPI_H */
