// SPDX-License-Identifier: GPL-2.0-only
/*
 * Change tracking: every write of a volume that has bitmaps is noted in them
 * before it is issued (bitmap.c), and where they are on a metadata device, its
 * segment is marked there first (intent.c).
 *
 * Bitmaps belong to the volume, not to a mode: a tracker is kept with the dm
 * device ("-") or with a "mem:<id>", and every table of that key, whatever its
 * mode, uses it. On a metadata device it is kept with the state of that, which is
 * of a table in mode track, or of one that another has for it (track.c).
 *
 * A bitmap is frozen or cleared at an instant. Writes in flight then belong to both
 * sides, as nobody can tell when their data arrives: each carries the number of
 * switches there were when it began, and if there have been more when it ends it
 * is noted again, before it is acknowledged. That needs no count of the writes in
 * flight. On a metadata device there is one (epoch.c): what is to be durable of an
 * instant has to wait for them, and so has a mark that is to go.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bitmap.h"
#include "meta.h"

static DEFINE_MUTEX(trackers_lock);
static LIST_HEAD(trackers);

/*
 * ---- Writes
 */

static void note(struct bkc_tracker *tr, struct bkc_io *io)
{
	/* Those that are added now wait for nobody: it is noted at its end. */
	if (rcu_access_pointer(tr->bitmaps))
		bkc_known_note(tr, io->range.start, io->range.end);
}

/* Its segments are marked, or need not be. */
static void begin(struct bkc_tracker *tr, struct bkc_io *io)
{
	/* Pairs with the release of bkc_tracker_switch(): the number first. */
	io->switches = smp_load_acquire(&tr->switches);
	io->tracked = true;
	note(tr, io);
}

/* True: parked, and woken by bkc_tracker_wake() when it may have changed. */
static bool park(struct bkc_tracker *tr, struct bio *bio)
{
	const struct bkc_range range = bkc_io_of(bio)->range;
	unsigned long flags;

	/* It may wait here as long as it takes, nobody else does. */
	bio->bi_opf &= ~REQ_NOWAIT;
	bio_clear_polled(bio);
	spin_lock_irqsave(&tr->lock, flags);
	bio_list_add(&tr->parked, bio);
	spin_unlock_irqrestore(&tr->lock, flags);
	/* From here on it may be gone, and its per-bio data with it. */
	if (bkc_intent_ready(tr->meta, range.start, range.end))
		bkc_tracker_wake(tr);
	return true;
}

/* bkc_tracker_begin() where there are bitmaps, or may be on a metadata device. */
bool bkc_tracker_begin_noted(struct bkc_table *t, struct bio *bio,
			     struct bkc_io *io)
{
	struct bkc_tracker *tr = t->tracker;

	if (!tr->meta) {
		begin(tr, io);
		return false;
	}
	/*
	 * Counted first, then looked whether there are bitmaps: the first that
	 * is added waits for the writes that have not seen it.
	 */
	io->epoch = bkc_epoch_enter(&tr->epoch);
	if (rcu_access_pointer(tr->bitmaps) &&
	    !bkc_intent_begin(tr->meta, io->range.start, io->range.end,
			      &io->epoch)) {
		/* It may be ended there, or else is cut for good. */
		io->range.kind = BKC_RANGE_DONE;
		bkc_range_cut(t, bio, io);
		return park(tr, bio);
	}
	begin(tr, io);
	return false;
}

/* bkc_tracker_end() where there is something to be done. */
void bkc_tracker_end_noted(struct bkc_tracker *tr, struct bkc_io *io, bool again)
{
	if (again)
		note(tr, io);
	if (!io->epoch)
		return;
	bkc_epoch_leave(&tr->epoch, io->epoch);
	io->epoch = 0;
}

/* What is parked is looked at again. Any context. */
void bkc_tracker_wake(struct bkc_tracker *tr)
{
	queue_work(tr->meta->s->io_wq, &tr->retry_work);
}

static void retry_one(struct bkc_tracker *tr, struct bio *bio)
{
	struct bkc_io *io = bkc_io_of(bio);

	io->epoch = bkc_epoch_enter(&tr->epoch);
	if (bkc_intent_begin(tr->meta, io->range.start, io->range.end,
			     &io->epoch)) {
		begin(tr, io);
		bkc_map_again(bio);
	} else if (READ_ONCE(tr->meta->health) != BKC_HEALTH_RW) {
		bio_io_error(bio);
	} else {
		park(tr, bio);
	}
}

static void retry_work(struct work_struct *work)
{
	struct bkc_tracker *tr = container_of(work, struct bkc_tracker,
					      retry_work);
	struct bio_list todo;
	struct blk_plug plug;
	struct bio *bio;

	spin_lock_irq(&tr->lock);
	todo = tr->parked;
	bio_list_init(&tr->parked);
	spin_unlock_irq(&tr->lock);
	blk_start_plug(&plug);
	while ((bio = bio_list_pop(&todo)))
		retry_one(tr, bio);
	blk_finish_plug(&plug);
}

/**
 * bkc_tracker_switch - from here on writes are noted elsewhere
 * @tr: tracker; what is noted where has been changed
 *
 * Process context, tr->mutex held. When it returns, whoever noted by the old
 * rule has done so, and the writes that were in flight are noted by both at their
 * end; on a metadata device that has come. -ETIMEDOUT when it has not for one.
 */
int bkc_tracker_switch(struct bkc_tracker *tr)
{
	/* Pairs with the acquire in begin(): the change, then the number. */
	smp_store_release(&tr->switches, tr->switches + 1);
	/* Users wait: it may be of an instant at which the device is suspended. */
	synchronize_rcu_expedited();
	return tr->meta ? bkc_epoch_drain(&tr->epoch, TRACKER_DRAIN_MAX) : 0;
}

/*
 * ---- Life
 */

struct bkc_tracker *bkc_tracker_create(struct bkc_meta *meta)
{
	struct bkc_tracker *tr = kzalloc(sizeof(*tr), GFP_KERNEL);

	if (!tr)
		return NULL;
	refcount_set(&tr->refs, 1);
	INIT_LIST_HEAD(&tr->list);
	INIT_LIST_HEAD(&tr->tables);
	mutex_init(&tr->mutex);
	spin_lock_init(&tr->lock);
	bio_list_init(&tr->parked);
	INIT_WORK(&tr->retry_work, retry_work);
	tr->meta = meta;
	/* Of bitmaps in memory nobody counts. */
	if (!meta || !bkc_epoch_init(&tr->epoch))
		return tr;
	kfree(tr);
	return NULL;
}

/* Process context; no I/O is in flight. */
void bkc_tracker_free(struct bkc_tracker *tr)
{
	if (!tr)
		return;
	cancel_work_sync(&tr->retry_work);
	bkc_bitmaps_free(tr);
	bkc_epoch_exit(&tr->epoch);
	mutex_destroy(&tr->mutex);
	kfree(tr);
}

static bool same_key(const struct bkc_tracker *tr, const struct bkc_table *t)
{
	const char *id = strchr(t->meta, ':');

	if (id)
		return !strcmp(tr->mem_id, id + 1);
	return tr->md && tr->md == dm_table_get_md(t->ti->table);
}

static void set_key(struct bkc_tracker *tr, const struct bkc_table *t)
{
	const char *id = strchr(t->meta, ':');

	tr->len = t->ti->len;
	if (id)
		strscpy(tr->mem_id, id + 1, sizeof(tr->mem_id));
	else
		tr->md = dm_table_get_md(t->ti->table);
}

/* Why the table cannot go on with the bitmaps there are, or NULL. */
static char *why_not(struct bkc_tracker *tr, const struct bkc_table *t)
{
	char *error = NULL;
	struct bkc_bitmaps *all;
	unsigned int i;

	mutex_lock(&tr->mutex);
	all = rcu_dereference_protected(tr->bitmaps,
					lockdep_is_held(&tr->mutex));
	if (all && tr->len != t->ti->len)
		error = "Its bitmaps are of another length";
	for (i = 0; all && i < all->nr; i++)
		if (1U << all->bitmap[i]->shift < t->block_sectors)
			error = "A bitmap of it has smaller granules";
	mutex_unlock(&tr->mutex);
	return error;
}

/**
 * bkc_tracker_get - the tracker of a table
 * @t: the table; its state is there
 * @error: set on failure
 *
 * In ctr. Finds the tracker another table of the same key holds, or makes one.
 */
struct bkc_tracker *bkc_tracker_get(struct bkc_table *t, char **error)
{
	struct bkc_tracker *tr;
	unsigned int noio;

	if (t->track)
		return t->track->tracker;
	/*
	 * It is the state's, and goes with it. Where data moves, what is on the
	 * metadata device are the marks, and bitmaps are in memory.
	 */
	if (t->meta_dev && !t->mode->has_top) {
		t->s->tracker->len = t->ti->len;
		return t->s->tracker;
	}
	mutex_lock(&trackers_lock);
	/* A resume that others wait for takes the lock, in dtr. */
	noio = memalloc_noio_save();
	list_for_each_entry(tr, &trackers, list) {
		if (!same_key(tr, t))
			continue;
		*error = why_not(tr, t);
		if (*error)
			tr = ERR_PTR(-EINVAL);
		else
			refcount_inc(&tr->refs);
		goto out;
	}
	tr = bkc_tracker_create(NULL);
	if (tr) {
		set_key(tr, t);
		list_add(&tr->list, &trackers);
	} else {
		*error = "Cannot allocate the tracker";
		tr = ERR_PTR(-ENOMEM);
	}
out:
	memalloc_noio_restore(noio);
	mutex_unlock(&trackers_lock);
	return tr;
}

/* tr->mutex held. Does the dm device of a table have another, live one? */
static bool __device_is_ours(struct bkc_tracker *tr, struct bkc_table *t)
{
	struct bkc_table *other;

	list_for_each_entry(other, &tr->tables, tracked)
		if (other != t && READ_ONCE(other->live) &&
		    dm_table_get_md(other->ti->table) ==
		    dm_table_get_md(t->ti->table))
			return true;
	return false;
}

/* tr->mutex held. Durably, if another table is at work: nobody else may commit. */
static void void_bitmaps(struct bkc_tracker *tr)
{
	bkc_bitmaps_void(tr);
	if (tr->meta && tr->live)
		queue_delayed_work(tr->meta->wq, &tr->meta->lazy_work, 0);
}

/*
 * ---- A table's life. One that has a track table leaves it to that.
 */

/*
 * In dtr. Writes may go past us from here on, if it was the last live table of
 * its dm device, and that was not said to be us (seal).
 */
void bkc_tracker_put(struct bkc_table *t)
{
	struct bkc_tracker *tr = t->tracker;
	bool last = false;

	if (t->track)
		return;
	/* Not in trackers_lock: a message may hold it while metadata hangs. */
	mutex_lock(&tr->mutex);
	if (!list_empty(&t->tracked)) {
		list_del_init(&t->tracked);
		if (!__device_is_ours(tr, t)) {
			if (!tr->sealed)
				void_bitmaps(tr);
			/* A seal is for one removal. */
			if (tr->live)
				tr->sealed = false;
		}
	}
	mutex_unlock(&tr->mutex);
	/* With a metadata device it goes with the state. */
	if (tr->meta)
		return;
	mutex_lock(&trackers_lock);
	last = refcount_dec_and_test(&tr->refs);
	if (last)
		list_del(&tr->list);
	mutex_unlock(&trackers_lock);
	if (last)
		bkc_tracker_free(tr);
}

/*
 * In preresume, or resume: a table of another device finds what the one before
 * has left.
 */
void bkc_tracker_went_past(struct bkc_table *t)
{
	struct bkc_tracker *tr = t->tracker;
	const void *md = dm_table_get_md(t->ti->table);

	if (t->track)
		return;
	mutex_lock(&tr->mutex);
	if (!tr->live && tr->live_md && tr->live_md != md && !tr->sealed)
		bkc_bitmaps_void(tr);
	if (!tr->live)
		tr->live_md = md;
	mutex_unlock(&tr->mutex);
}

/* In resume. */
void bkc_tracker_resume(struct bkc_table *t)
{
	struct bkc_tracker *tr = t->tracker;

	if (t->track)
		return;
	bkc_tracker_went_past(t);
	mutex_lock(&tr->mutex);
	/* Loaded before there were bitmaps. */
	if (rcu_access_pointer(tr->bitmaps) && tr->len != t->ti->len)
		bkc_bitmaps_void(tr);
	tr->live++;
	tr->live_md = dm_table_get_md(t->ti->table);
	tr->sealed = false;
	if (list_empty(&t->tracked))
		list_add(&t->tracked, &tr->tables);
	mutex_unlock(&tr->mutex);
}

/* In presuspend. */
void bkc_tracker_presuspend(struct bkc_table *t)
{
	struct bkc_tracker *tr = t->tracker;

	if (t->track)
		return;
	mutex_lock(&tr->mutex);
	tr->live--;
	tr->live_md = dm_table_get_md(t->ti->table);
	mutex_unlock(&tr->mutex);
}

/* The next removal is ours, or not. Process context. */
void bkc_tracker_seal(struct bkc_tracker *tr, bool sealed)
{
	mutex_lock(&tr->mutex);
	tr->sealed = sealed;
	mutex_unlock(&tr->mutex);
}
