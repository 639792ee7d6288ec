/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels we build on, in one place. BKC_HAVE_* come
 * from compile probes, never from version numbers: distributions
 * backport.
 */
#ifndef BKC_COMPAT_H
#define BKC_COMPAT_H

#ifdef BKC_PROBES_DO_NOT_COMPILE
#error "probe.sh cannot compile against this kernel"
#endif

#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/workqueue.h>

#ifdef BKC_HAVE_WQ_PERCPU
#define BKC_WQ_PERCPU	WQ_PERCPU
#else
#define BKC_WQ_PERCPU	0
#endif

#ifdef BKC_HAVE_BLK_MODE
#define BKC_OPEN_READ	BLK_OPEN_READ
#else
#define BKC_OPEN_READ	FMODE_READ
#endif

/*
 * dm_get_device(), in ctr. Linux 6.1 lets a table be on its own device, and its
 * first I/O never ends.
 */
static inline int bkc_get_device(struct dm_target *ti, const char *path,
				 bool read_only, struct dm_dev **dev)
{
	int r = dm_get_device(ti, path, read_only ? BKC_OPEN_READ :
			      dm_table_get_mode(ti->table), dev);

	if (r || (*dev)->bdev->bd_disk != dm_disk(dm_table_get_md(ti->table)))
		return r;
	dm_put_device(ti, *dev);
	*dev = NULL;
	return -EINVAL;
}

/* In ctr: pages must not change while both legs read them. */
static inline void bkc_ctr_stable_writes(struct dm_target *ti)
{
#ifdef BKC_HAVE_TI_STABLE_WRITES
	ti->needs_stable_writes = true;
#endif
}

/* In io_hints: the same, where it is a queue limit. */
static inline void bkc_limits_stable_writes(struct queue_limits *limits)
{
#ifndef BKC_HAVE_TI_STABLE_WRITES
	limits->features |= BLK_FEAT_STABLE_WRITES;
#endif
}

/* In io_hints: discards we swallow need no support from below. */
static inline void bkc_limits_own_discard(struct queue_limits *limits,
					  unsigned int granularity)
{
	limits->discard_granularity = granularity;
	limits->max_hw_discard_sectors = UINT_MAX >> SECTOR_SHIFT;
	limits->max_discard_sectors = limits->max_hw_discard_sectors;
}

/* In ctr: flushes may go to every device of the table without asking us. */
static inline void bkc_ctr_flush_bypass(struct dm_target *ti)
{
#ifdef BKC_HAVE_FLUSH_BYPASS
	ti->flush_bypasses_map = true;
#endif
}

#endif /* BKC_COMPAT_H */
