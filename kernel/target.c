// SPDX-License-Identifier: GPL-2.0-only
/*
 * dm-blkcopy: the target type. See uapi/blkcopy.h for the table, status and
 * message lines, bkc.h for what the other files do.
 */
#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "backup.h"
#include "meta.h"

/* A mode is a row. States a mode does not know refuse writes. */
const struct bkc_mode bkc_modes[BKC_MODE_NR] = {
	[BKC_MODE_TRACK] = {
		.name = BLKCOPY_MODE_TRACK,
		.first_phase = BKC_PHASE_IDLE,
		.first_route = BKC_ROUTE_BASE,
		.meta_mode = BLKCOPY_META_MODE_TRACK,
	},
	[BKC_MODE_MIRROR] = {
		.name = BLKCOPY_MODE_MIRROR,
		.has_top = true,
		.has_copier = true,
		.first_phase = BKC_PHASE_COPYING,
		.end_phase = BKC_PHASE_SYNCED,
		.first_route = BKC_ROUTE_MAP,
		.copy_to = BKC_TOP,
		.copy_states = BIT(BKC_IN_BASE),
		.copied = { [BKC_IN_BASE] = BKC_IN_BOTH },
		.flush_legs = BIT(BKC_BASE) | BIT(BKC_TOP),
		.meta_mode = BLKCOPY_META_MODE_MIRROR,
		.write = {
			[BKC_IN_BASE] = BKC_WRITE_BASE,
			[BKC_IN_BOTH] = BKC_WRITE_DUAL,
			[BKC_IN_TOP] = BKC_WRITE_NONE,
			[BKC_IN_NONE] = BKC_WRITE_NONE,
		},
	},
	/* Base is somewhere else, or old: pulled into top, which has all writes. */
	[BKC_MODE_STREAM] = {
		.name = BLKCOPY_MODE_STREAM,
		.has_top = true,
		.has_copier = true,
		.first_phase = BKC_PHASE_STREAMING,
		.end_phase = BKC_PHASE_STREAMED,
		.first_route = BKC_ROUTE_MAP,
		.copy_to = BKC_TOP,
		.copy_states = BIT(BKC_IN_BASE) | BIT(BKC_IN_NONE),
		.copied = {
			[BKC_IN_BASE] = BKC_IN_BOTH,
			[BKC_IN_NONE] = BKC_IN_TOP,
		},
		.durable = true,
		.base_read_only = true,
		.keeps_reads = true,
		.flush_legs = BIT(BKC_TOP),
		.meta_mode = BLKCOPY_META_MODE_STREAM,
		.waits_for_space = true,
		.write_to = BKC_TOP,
		.write = {
			[BKC_IN_BASE] = BKC_WRITE_REDIRECT,
			[BKC_IN_BOTH] = BKC_WRITE_FREE_TOP,
			[BKC_IN_TOP] = BKC_WRITE_FREE_TOP,
			[BKC_IN_NONE] = BKC_WRITE_REDIRECT,
		},
		.part = {
			[BKC_IN_BASE] = BKC_WRITE_MERGE,
			[BKC_IN_BOTH] = BKC_WRITE_FREE_TOP,
			[BKC_IN_TOP] = BKC_WRITE_FREE_TOP,
			[BKC_IN_NONE] = BKC_WRITE_MERGE,
		},
		.zero = {
			[BKC_IN_BASE] = BKC_WRITE_ZERO,
			[BKC_IN_BOTH] = BKC_WRITE_FREE_TOP,
			[BKC_IN_TOP] = BKC_WRITE_FREE_TOP,
			[BKC_IN_NONE] = BKC_WRITE_IGNORE,
		},
	},
	/* Base is frozen, top has the new writes. */
	[BKC_MODE_OVERLAY] = {
		.name = BLKCOPY_MODE_OVERLAY,
		.has_top = true,
		.first_phase = BKC_PHASE_IDLE,
		.first_route = BKC_ROUTE_MAP,
		.durable = true,
		.base_read_only = true,
		.flush_legs = BIT(BKC_TOP),
		.meta_mode = BLKCOPY_META_MODE_OVERLAY,
		.waits_for_space = true,
		.write_to = BKC_TOP,
		.write = {
			[BKC_IN_BASE] = BKC_WRITE_REDIRECT,
			[BKC_IN_BOTH] = BKC_WRITE_FREE_TOP,
			[BKC_IN_TOP] = BKC_WRITE_FREE_TOP,
			[BKC_IN_NONE] = BKC_WRITE_REDIRECT,
		},
		.part = {
			[BKC_IN_BASE] = BKC_WRITE_MERGE,
			[BKC_IN_BOTH] = BKC_WRITE_FREE_TOP,
			[BKC_IN_TOP] = BKC_WRITE_FREE_TOP,
			[BKC_IN_NONE] = BKC_WRITE_MERGE,
		},
		.zero = {
			[BKC_IN_BASE] = BKC_WRITE_ZERO,
			[BKC_IN_BOTH] = BKC_WRITE_ZERO,
			[BKC_IN_TOP] = BKC_WRITE_ZERO,
			[BKC_IN_NONE] = BKC_WRITE_IGNORE,
		},
	},
	/* An overlay's top is merged down into base. */
	[BKC_MODE_COMMIT] = {
		.name = BLKCOPY_MODE_COMMIT,
		.has_top = true,
		.has_copier = true,
		.first_phase = BKC_PHASE_MERGING,
		.end_phase = BKC_PHASE_MERGED,
		.first_route = BKC_ROUTE_MAP,
		.copy_to = BKC_BASE,
		.copy_states = BIT(BKC_IN_TOP) | BIT(BKC_IN_NONE),
		.copied = {
			[BKC_IN_TOP] = BKC_IN_BASE,
			[BKC_IN_NONE] = BKC_IN_BASE,
		},
		.durable = true,
		.mixes_base = true,
		.flush_legs = BIT(BKC_BASE) | BIT(BKC_TOP),
		.meta_mode = BLKCOPY_META_MODE_COMMIT,
		.write_to = BKC_BASE,
		.write = {
			[BKC_IN_BASE] = BKC_WRITE_FREE_BASE,
			[BKC_IN_BOTH] = BKC_WRITE_FREE_BASE,
			[BKC_IN_TOP] = BKC_WRITE_REDIRECT,
			[BKC_IN_NONE] = BKC_WRITE_REDIRECT,
		},
		.part = {
			[BKC_IN_BASE] = BKC_WRITE_FREE_BASE,
			[BKC_IN_BOTH] = BKC_WRITE_FREE_BASE,
			[BKC_IN_TOP] = BKC_WRITE_HELD_TOP,
			[BKC_IN_NONE] = BKC_WRITE_MERGE,
		},
		.zero = {
			[BKC_IN_BASE] = BKC_WRITE_FREE_BASE,
			[BKC_IN_BOTH] = BKC_WRITE_FREE_BASE,
			[BKC_IN_TOP] = BKC_WRITE_ZERO,
			[BKC_IN_NONE] = BKC_WRITE_IGNORE,
		},
	},
	/* Base is in use, top has what it held when this began. */
	[BKC_MODE_BACKUP] = {
		.name = BLKCOPY_MODE_BACKUP,
		.has_top = true,
		.has_copier = true,
		.preserves = true,
		.first_phase = BKC_PHASE_PRESERVING,
		.end_phase = BKC_PHASE_PRESERVING,
		.first_route = BKC_ROUTE_MAP,
		.copy_to = BKC_TOP,
		.copy_states = BIT(BKC_IN_BASE),
		.copied = { [BKC_IN_BASE] = BKC_IN_BOTH },
		.flush_legs = BIT(BKC_TOP),
		.meta_mode = BLKCOPY_META_MODE_BACKUP,
	},
};

/*
 * ---- ctr: one function an argument. Validates and allocates; no I/O.
 */

static int parse_mode(struct bkc_table *t, const char *word, char **error)
{
	int i;

	for (i = 0; i < BKC_MODE_NR; i++)
		if (!strcmp(word, bkc_modes[i].name)) {
			t->mode = &bkc_modes[i];
			return 0;
		}
	*error = "Unknown mode";
	return -EINVAL;
}

static int parse_sectors(const char *word, sector_t *sectors)
{
	u64 value;

	/* kstrtou64 would take a sign. */
	if (word[0] < '0' || word[0] > '9' || kstrtou64(word, 10, &value))
		return -EINVAL;
	*sectors = value;
	return *sectors == value ? 0 : -EINVAL;
}

static int open_leg(struct bkc_table *t, enum bkc_leg leg, const char *path)
{
	bool read_only = leg == BKC_BASE && t->mode->base_read_only;

	return bkc_get_device(t->ti, path, read_only, &t->dev[leg]);
}

static int parse_leg(struct bkc_table *t, enum bkc_leg leg, const char *path,
		     const char *offset, char **error)
{
	int r;

	if (parse_sectors(offset, &t->start[leg])) {
		*error = leg == BKC_TOP ? "Invalid top offset" :
					  "Invalid base offset";
		return -EINVAL;
	}
	if (leg == BKC_TOP && !t->mode->has_top) {
		if (!strcmp(path, "-") && !t->start[leg])
			return 0;
		*error = "This mode has no top: it must be - at offset 0";
		return -EINVAL;
	}
	r = open_leg(t, leg, path);
	if (r)
		*error = leg == BKC_TOP ? "Cannot open top" :
					  "Cannot open base";
	return r;
}

static int parse_meta(struct bkc_table *t, const char *word, char **error)
{
	const size_t prefix = strlen(BLKCOPY_META_MEM_PREFIX);
	bool in_memory = !strcmp(word, "-") ||
			 !strncmp(word, BLKCOPY_META_MEM_PREFIX, prefix);
	const char *p;
	int r;

	if (t->mode->durable && in_memory) {
		*error = "This mode needs a metadata device";
		return -EINVAL;
	}
	if (!in_memory) {
		r = bkc_get_device(t->ti, word, false, &t->meta_dev);
		if (r)
			*error = "Cannot open the metadata device";
		return r;
	}
	if (strcmp(word, "-")) {
		if (!word[prefix] || strlen(word) >= sizeof(t->meta)) {
			*error = "Invalid mem id";
			return -EINVAL;
		}
		for (p = word + prefix; *p; p++)
			if (!isalnum(*p) && !strchr("-_.", *p)) {
				*error = "Invalid mem id";
				return -EINVAL;
			}
	}
	strscpy(t->meta, word, sizeof(t->meta));
	return 0;
}

static int parse_block_size(struct bkc_table *t, const char *word, char **error)
{
	sector_t sectors;

	if (parse_sectors(word, &sectors) ||
	    sectors < BLKCOPY_BLOCK_SECTORS_MIN ||
	    sectors > BLKCOPY_BLOCK_SECTORS_MAX || !is_power_of_2(sectors)) {
		*error = "Block size must be a power of two, 8 to 2048 sectors";
		return -EINVAL;
	}
	t->block_sectors = sectors;
	return 0;
}

/* Does the leg hold the target, and do its sectors fit? */
static int check_leg(struct bkc_table *t, enum bkc_leg leg, char **error)
{
	struct block_device *bdev = t->dev[leg]->bdev;
	sector_t size = bdev_nr_sectors(bdev), len = t->ti->len;
	u32 align = bdev_logical_block_size(bdev) >> SECTOR_SHIFT;
	bool top = leg == BKC_TOP;

	/* A dm device that has no table yet has no size; dm lets it pass. */
	if ((size || top) &&
	    (t->start[leg] > size || size - t->start[leg] < len)) {
		*error = top ? "Top is too small" : "Base is too small";
		return -EINVAL;
	}
	if (top && bdev_read_only(bdev)) {
		*error = "Top is read-only";
		return -EINVAL;
	}
	if (!top && t->mode->mixes_base && bdev_read_only(bdev)) {
		*error = "Base is read-only";
		return -EINVAL;
	}
	if (t->block_sectors % align) {
		*error = top ? "Block size is smaller than a sector of top" :
			       "Block size is smaller than a sector of base";
		return -EINVAL;
	}
	if ((t->start[leg] | len) & (align - 1)) {
		*error = top ? "Offset or length is not aligned to top's sectors" :
			       "Offset or length is not aligned to base's sectors";
		return -EINVAL;
	}
	return 0;
}

static int check_legs(struct bkc_table *t, char **error)
{
	sector_t len = t->ti->len;
	int r = check_leg(t, BKC_BASE, error);

	if (r)
		return r;
	if (t->meta_dev && t->meta_dev->bdev == t->dev[BKC_BASE]->bdev) {
		*error = "The metadata device is a leg";
		return -EINVAL;
	}
	if (!t->dev[BKC_TOP])
		return 0;
	if (t->dev[BKC_BASE]->bdev == t->dev[BKC_TOP]->bdev &&
	    t->start[BKC_BASE] < t->start[BKC_TOP] + len &&
	    t->start[BKC_TOP] < t->start[BKC_BASE] + len) {
		*error = "Top and base overlap";
		return -EINVAL;
	}
	if (t->meta_dev && t->meta_dev->bdev == t->dev[BKC_TOP]->bdev) {
		*error = "The metadata device is a leg";
		return -EINVAL;
	}
	/*
	 * Every write, or every read of a view, may go to top: whoever uses
	 * base's sectors could not go on.
	 */
	if ((t->mode->durable || t->mode->preserves) &&
	    bdev_logical_block_size(t->dev[BKC_TOP]->bdev) >
	    bdev_logical_block_size(t->dev[BKC_BASE]->bdev)) {
		*error = "Top has larger sectors than base";
		return -EINVAL;
	}
	return check_leg(t, BKC_TOP, error);
}

/* What the disk says of the blocks is all that is said of them. */
static int check_options(struct bkc_table *t, char **error)
{
	if (t->meta_dev && t->params.nosync) {
		*error = "nosync is for state in memory";
		return -EINVAL;
	}
	if (t->meta_dev && t->params.sync) {
		*error = "sync is for state in memory";
		return -EINVAL;
	}
	/* The line's words go when ctr is over. */
	if (t->params.sync)
		strscpy(t->sync, t->params.sync, sizeof(t->sync));
	t->params.sync = NULL;
	return 0;
}

static int parse_line(struct bkc_table *t, unsigned int argc, char **argv,
		      char **error)
{
	struct dm_arg_set as = { .argc = argc - 7, .argv = argv + 7 };

	return parse_mode(t, argv[0], error) ?:
	       parse_block_size(t, argv[6], error) ?:
	       parse_meta(t, argv[5], error) ?:
	       bkc_parse_options(&as, t->mode, &t->params, error) ?:
	       check_options(t, error) ?:
	       parse_leg(t, BKC_BASE, argv[1], argv[2], error) ?:
	       parse_leg(t, BKC_TOP, argv[3], argv[4], error) ?:
	       check_legs(t, error);
}

static void set_limits_of_target(struct dm_target *ti, struct bkc_table *t)
{
	ti->num_flush_bios = t->mode->durable ? hweight8(t->mode->flush_legs) :
			     bkc_has_dual_writes(t->mode) ? BKC_LEGS : 1;
	/*
	 * Where no leg has a cache, the block layer would keep flushes to itself,
	 * and what we have in memory would never be asked for. In every mode: a
	 * device above looks when its table is loaded, and not again when a
	 * snapshot comes.
	 */
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	ti->limit_swap_bios = true;
	ti->discards_supported = t->params.no_discard_passdown ||
				 t->mode->durable;
	/*
	 * A filesystem asks for stable pages when it is mounted, and a copy
	 * begins later: so not only while there are two legs.
	 */
	bkc_ctr_stable_writes(ti);
	/*
	 * The same in every mode, used or not: dm makes its bio slabs by this
	 * size, and destroys those of the old table inside the switch, with all
	 * I/O held, unless the new table's are the same. That takes 30 ms.
	 */
	ti->per_io_data_size = sizeof(struct bkc_io);
	ti->accounts_remapped_io = true;
	/* It goes to every device of the table then: of base alone, if we are asked. */
	if (!t->mode->has_top && !t->meta_dev)
		bkc_ctr_flush_bypass(ti);
}

static void table_free(struct bkc_table *t)
{
	int leg;

	for (leg = 0; leg < BKC_LEGS; leg++)
		if (t->dev[leg])
			dm_put_device(t->ti, t->dev[leg]);
	if (t->meta_dev)
		dm_put_device(t->ti, t->meta_dev);
	kfree(t);
}

/*
 * <mode> <base> <offset> <top|-> <offset> <meta|-> <block sectors>
 * [<#features> <f>*] [<#params> (<key> <value>)*]
 */
static int bkc_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct bkc_table *t;
	int r;

	if (argc < 7) {
		ti->error = "Need mode, base, offset, top, offset, metadata, block size";
		return -EINVAL;
	}
	/* SINGLETON says so too, without a word to the user. */
	if (ti->begin) {
		ti->error = "Must be the only target of its table";
		return -EINVAL;
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t) {
		ti->error = "Cannot allocate the table";
		return -ENOMEM;
	}
	t->ti = ti;
	INIT_LIST_HEAD(&t->tracked);
	r = parse_line(t, argc, argv, &ti->error);
	if (r)
		goto bad;
	r = bkc_track_open(t, &ti->error);
	if (r)
		goto bad;
	t->s = bkc_state_get(t, &ti->error);
	if (IS_ERR(t->s)) {
		r = PTR_ERR(t->s);
		goto bad;
	}
	t->tracker = bkc_tracker_get(t, &ti->error);
	if (IS_ERR(t->tracker)) {
		r = PTR_ERR(t->tracker);
		bkc_state_put(t);
		goto bad;
	}
	set_limits_of_target(ti, t);
	ti->private = t;
	return 0;
bad:
	bkc_track_close(t);
	table_free(t);
	return r;
}

static void bkc_dtr(struct dm_target *ti)
{
	struct bkc_table *t = ti->private;

	bkc_tracker_put(t);
	bkc_track_close(t);
	bkc_state_put(t);
	table_free(t);
}

/*
 * ---- The rest of the target type
 */

static void bkc_presuspend(struct dm_target *ti)
{
	struct bkc_table *t = ti->private;

	bkc_state_presuspend(t);
	if (t->track)
		bkc_state_presuspend(t->track);
}

static int bkc_preresume(struct dm_target *ti)
{
	struct bkc_table *t = ti->private;
	int r = t->track ? bkc_state_preresume(t->track) : 0;

	if (r) {
		bkc_past_looked_for(t->s, true);
		return r;
	}
	r = bkc_state_preresume(t);
	/* Or the disk would say that nothing goes past the bitmaps. */
	if (r && t->track)
		bkc_state_postsuspend(t->track);
	return r;
}

static void bkc_postsuspend(struct dm_target *ti)
{
	struct bkc_table *t = ti->private;

	bkc_state_postsuspend(t);
	if (t->track)
		bkc_state_postsuspend(t->track);
}

/* Also after a suspend that failed half-way (presuspend_undo). */
static void bkc_resume(struct dm_target *ti)
{
	struct bkc_table *t = ti->private;

	if (t->track)
		bkc_state_resume(t->track);
	bkc_state_resume(t);
}

static int bkc_iterate_devices(struct dm_target *ti,
			       iterate_devices_callout_fn fn, void *data)
{
	struct bkc_table *t = ti->private;
	/* No user's I/O goes to a top that has old data: its limits are its own. */
	int legs = t->mode->preserves ? BKC_TOP : BKC_LEGS;
	int leg, r = 0;

	for (leg = 0; !r && leg < legs; leg++)
		if (t->dev[leg])
			r = fn(ti, t->dev[leg], t->start[leg], ti->len, data);
	return r;
}

static void bkc_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct bkc_table *t = ti->private;

	/*
	 * A user of base's smaller sectors goes on with them: what is too
	 * small for top goes to base alone, and its block is copied again.
	 */
	if (t->mode->has_top && !t->mode->durable)
		limits->logical_block_size =
			bdev_logical_block_size(t->dev[BKC_BASE]->bdev);
	bkc_limits_stable_writes(limits);
	if (t->mode->durable)
		bkc_limits_own_discard(limits, t->block_sectors << SECTOR_SHIFT);
	else if (t->params.no_discard_passdown)
		bkc_limits_own_discard(limits, limits->logical_block_size);
}

static struct target_type bkc_target = {
	.name = BLKCOPY_TARGET,
	.version = {1, 0, 0},
	.features = DM_TARGET_SINGLETON | DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = bkc_ctr,
	.dtr = bkc_dtr,
	.map = bkc_map_bio,
	.end_io = bkc_end_io,
	.presuspend = bkc_presuspend,
	.presuspend_undo = bkc_resume,
	.postsuspend = bkc_postsuspend,
	.preresume = bkc_preresume,
	.resume = bkc_resume,
	.status = bkc_status,
	.message = bkc_message,
	.io_hints = bkc_io_hints,
	.iterate_devices = bkc_iterate_devices,
};

static int __init bkc_init(void)
{
	int r = dm_register_target(&bkc_target);

	if (r)
		return r;
	r = dm_register_target(&bkc_view_target);
	if (r)
		dm_unregister_target(&bkc_target);
	return r;
}

static void __exit bkc_exit(void)
{
	dm_unregister_target(&bkc_view_target);
	dm_unregister_target(&bkc_target);
}

module_init(bkc_init);
module_exit(bkc_exit);

MODULE_DESCRIPTION(DM_NAME " live copy of block devices in use");
MODULE_AUTHOR("the blkctl developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0.0");
