// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bitmaps belong to the volume and outlast its modes. While it is tracked and no
 * more, the metadata device that has them is its table's own. In another mode,
 * whose own metadata has a block map, or which has none, the line names theirs
 * ("bitmaps"), and a table of mode track is made for it that gets no I/O: it is
 * resumed and suspended with the other, on the very state that a table in track
 * mode would be on, so that a reload from the one to the other is a reload.
 *
 * What has been written is not in its base alone: see bitmaps_volume() in commit.c.
 */
#include <linux/slab.h>

#include "bitmap.h"
#include "meta.h"

static bool is_in_use(const struct bkc_table *t, const struct block_device *bdev)
{
	int leg;

	for (leg = 0; leg < BKC_LEGS; leg++)
		if (t->dev[leg] && t->dev[leg]->bdev == bdev)
			return true;
	return t->meta_dev && t->meta_dev->bdev == bdev;
}

static void track_free(struct bkc_table *track)
{
	if (track->meta_dev)
		dm_put_device(track->ti, track->meta_dev);
	kfree(track);
}

static int track_open(struct bkc_table *track, const char *path, char **error)
{
	struct bkc_table *t = track->of;
	int r;

	r = bkc_get_device(t->ti, path, false, &track->meta_dev);
	if (r) {
		*error = "Cannot open the device of the bitmaps";
		return r;
	}
	if (is_in_use(t, track->meta_dev->bdev)) {
		*error = "The device of the bitmaps is a leg, or has the map";
		return -EINVAL;
	}
	track->s = bkc_state_get(track, error);
	if (IS_ERR(track->s))
		return PTR_ERR(track->s);
	track->tracker = bkc_tracker_get(track, error);
	return 0;
}

/**
 * bkc_track_open - make the track table of a table whose line names one
 * @t: the table; its legs are open
 * @error: set on failure
 *
 * In ctr. Returns 0 or an errno; bkc_track_close() is due in dtr.
 */
int bkc_track_open(struct bkc_table *t, char **error)
{
	const char *path = t->params.bitmaps;
	struct bkc_table *track;
	int r;

	/* The line's words go when ctr is over. */
	t->params.bitmaps = NULL;
	if (!path)
		return 0;
	track = kzalloc(sizeof(*track), GFP_KERNEL);
	if (!track) {
		*error = "Cannot allocate the table";
		return -ENOMEM;
	}
	INIT_LIST_HEAD(&track->tracked);
	track->ti = t->ti;
	track->of = t;
	track->mode = &bkc_modes[BKC_MODE_TRACK];
	track->dev[BKC_BASE] = t->dev[BKC_BASE];
	track->start[BKC_BASE] = t->start[BKC_BASE];
	track->block_sectors = t->block_sectors;
	bkc_default_params(&track->params);
	r = track_open(track, path, error);
	if (r) {
		track_free(track);
		return r;
	}
	t->track = track;
	return 0;
}

/* In dtr, before the table's own state goes: a commit may be flushing its legs. */
void bkc_track_close(struct bkc_table *t)
{
	if (!t->track)
		return;
	/* It may be sending on what has ended by now. */
	flush_work(&t->track->tracker->retry_work);
	bkc_tracker_put(t->track);
	bkc_state_put(t->track);
	track_free(t->track);
	t->track = NULL;
}
