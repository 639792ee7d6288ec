// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state object, and the registry by which tables share it: a reload, or a
 * table on another dm device that names the same "mem:<id>", works on the very
 * same map. Nothing is copied, so nothing can be stale.
 *
 * With "-" the state is kept with the dm device: it lasts as long as one of
 * its tables, live or inactive, names the same legs.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "backup.h"
#include "bitmap.h"
#include "meta.h"
#include "redirect.h"
#include "verify.h"

static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(registry);

static bool same_key(const struct bkc_state *s, const struct bkc_table *t)
{
	const char *id = strchr(t->meta, ':');

	if (t->meta_dev)
		return s->meta && s->meta->bdev == t->meta_dev->bdev;
	if (id)
		return !strcmp(s->mem_id, id + 1);
	return s->md && s->md == dm_table_get_md(t->ti->table);
}

/* With durable state the mode may change: see bkc_state_preresume(). */
static bool same_legs(const struct bkc_state *s, const struct bkc_table *t)
{
	int leg;

	if (s->mode != t->mode && !(s->mode->durable && t->mode->durable))
		return false;
	if (s->map.len != t->ti->len ||
	    1U << s->map.block_shift != t->block_sectors)
		return false;
	/* Bitmaps are the volume's, whatever layer is below. */
	for (leg = 0; s->mode->has_top && leg < BKC_LEGS; leg++)
		if (s->bdev[leg] != t->dev[leg]->bdev ||
		    s->start[leg] != t->start[leg])
			return false;
	return true;
}

/* Is the state one the table's dm device had, or has, wherever it is kept? */
static bool same_device(struct bkc_state *s, const struct bkc_table *t)
{
	const void *md = dm_table_get_md(t->ti->table);
	struct bkc_table *other;
	bool same = s->md == md;

	mutex_lock(&s->tables_lock);
	list_for_each_entry(other, &s->tables, list)
		same |= dm_table_get_md(other->ti->table) == md;
	mutex_unlock(&s->tables_lock);
	return same;
}

/* Would the table go back to a base that has missed every write since? */
static bool base_is_stale(const struct bkc_state *s, const struct bkc_table *t)
{
	return READ_ONCE(s->phase) == BKC_PHASE_PIVOTED &&
	       s->bdev[BKC_BASE] == t->dev[BKC_BASE]->bdev &&
	       s->start[BKC_BASE] == t->start[BKC_BASE];
}

static int alloc_workqueues(struct bkc_state *s)
{
	/*
	 * Every first write of a backup comes through it: one that is preempted
	 * for the sake of it is one that does not share the work with the next.
	 */
	unsigned int highpri = s->mode->preserves ? 0 : WQ_HIGHPRI;

	s->own_wqs = true;
	s->io_wq = alloc_workqueue("bkc_io",
				   WQ_MEM_RECLAIM | highpri | BKC_WQ_PERCPU, 0);
	s->copy_wq = alloc_workqueue("bkc_copy", WQ_MEM_RECLAIM | WQ_UNBOUND,
				     0);
	return s->io_wq && s->copy_wq ? 0 : -ENOMEM;
}

static void state_free(struct bkc_state *s)
{
	/* In this order: the former may queue the latter; but for lazy_work, by and by. */
	if (s->meta)
		bkc_meta_stop(s->meta);
	cancel_work_sync(&s->pivot_work);
	cancel_delayed_work_sync(&s->error_work);
	cancel_delayed_work_sync(&s->copier_work);
	bkc_verify_exit(s);
	cancel_delayed_work_sync(&s->stuck_work);
	cancel_work_sync(&s->save_work);
	cancel_work_sync(&s->redo_work);
	cancel_work_sync(&s->retry_work);
	cancel_work_sync(&s->top_work);
	cancel_delayed_work_sync(&s->nospace_work);
	cancel_work_sync(&s->reader_work);
	bkc_meta_destroy(s->meta);
	cancel_work_sync(&s->event_work);
	if (s->own_wqs) {
		bkc_merge_exit(s);
		bkc_copies_exit(s);
		if (s->copy_wq)
			destroy_workqueue(s->copy_wq);
		if (s->io_wq)
			destroy_workqueue(s->io_wq);
	}
	kvfree(s->buckets);
	bkc_map_exit(&s->map);
	bkc_tracker_free(s->tracker);
	mutex_destroy(&s->flush_lock);
	mutex_destroy(&s->tables_lock);
	mutex_destroy(&s->life_lock);
	kfree(s);
}

static void state_init(struct bkc_state *s, struct bkc_table *t)
{
	const char *id = strchr(t->meta, ':');
	int leg;

	s->mode = t->mode;
	s->route = t->mode->first_route;
	s->phase = t->mode->first_phase;
	s->params = t->params;
	s->top_align = 1;
	for (leg = 0; leg < BKC_LEGS; leg++) {
		if (!t->dev[leg])
			continue;
		s->bdev[leg] = t->dev[leg]->bdev;
		s->number[leg] = s->bdev[leg]->bd_dev;
		s->start[leg] = t->start[leg];
	}
	if (s->bdev[BKC_TOP])
		s->top_align = bdev_logical_block_size(s->bdev[BKC_TOP]) >>
			       SECTOR_SHIFT;
	if (id)
		strscpy(s->mem_id, id + 1, sizeof(s->mem_id));
	else if (!t->meta_dev)
		s->md = dm_table_get_md(t->ti->table);
	refcount_set(&s->refs, 1);
	mutex_init(&s->life_lock);
	mutex_init(&s->tables_lock);
	mutex_init(&s->flush_lock);
	INIT_LIST_HEAD(&s->tables);
	INIT_LIST_HEAD(&s->loaded);
	INIT_LIST_HEAD(&s->registry);
	INIT_LIST_HEAD(&s->free_copies);
	INIT_LIST_HEAD(&s->merge_used);
	bio_list_init(&s->merges);
	spin_lock_init(&s->merge_lock);
	spin_lock_init(&s->lock);
	spin_lock_init(&s->rate_lock);
	spin_lock_init(&s->copies_lock);
	init_waitqueue_head(&s->drain_wait);
	init_waitqueue_head(&s->copy_wait);
	INIT_WORK(&s->retry_work, bkc_range_retry_work);
	bio_list_init(&s->nospace);
	spin_lock_init(&s->nospace_lock);
	INIT_DELAYED_WORK(&s->nospace_work, bkc_nospace_work);
	bio_list_init(&s->readers);
	spin_lock_init(&s->readers_lock);
	INIT_WORK(&s->reader_work, bkc_reader_work);
	INIT_WORK(&s->merge_work, bkc_merge_work);
	INIT_LIST_HEAD(&s->to_top);
	INIT_WORK(&s->top_work, bkc_backup_top_work);
	INIT_LIST_HEAD(&s->stuck);
	INIT_WORK(&s->save_work, bkc_backup_save_work);
	INIT_DELAYED_WORK(&s->stuck_work, bkc_backup_stuck_work);
	INIT_LIST_HEAD(&s->views);
	bio_list_init(&s->redo);
	spin_lock_init(&s->redo_lock);
	INIT_WORK(&s->redo_work, bkc_view_redo_work);
	INIT_WORK(&s->pivot_work, bkc_pivot_work);
	INIT_DELAYED_WORK(&s->error_work, bkc_error_work);
	INIT_WORK(&s->event_work, bkc_event_work);
	INIT_DELAYED_WORK(&s->copier_work, bkc_copier_work);
	s->rate_at[0] = jiffies;
	s->rate_at[1] = jiffies;
	s->tokens_at = jiffies;
	s->not_before = jiffies;
	/* For events alone: nothing to be reclaimed waits for them. */
	s->io_wq = system_long_wq;
	s->copy_wq = system_long_wq;
}

static int create_meta(struct bkc_state *s, struct block_device *bdev,
		       char **error)
{
	struct bkc_meta *meta = bkc_meta_create(s, bdev, error);

	if (IS_ERR(meta))
		return PTR_ERR(meta);
	s->meta = meta;
	s->tracker = bkc_tracker_create(meta);
	if (s->tracker)
		return 0;
	*error = "Cannot allocate the tracker";
	return -ENOMEM;
}

static struct bkc_state *state_create(struct bkc_table *t, char **error)
{
	struct bkc_state *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int r;

	*error = "Cannot allocate the state";
	if (!s)
		return ERR_PTR(-ENOMEM);
	state_init(s, t);
	r = bkc_map_init(&s->map, t->ti->len, t->block_sectors,
			 t->mode->has_top);
	if (r == -E2BIG)
		*error = "Block size is too small for this length";
	if (!r && (t->mode->has_top || t->meta_dev))
		r = alloc_workqueues(s);
	if (!r && t->mode->has_top)
		r = bkc_buckets_init(s) ?: bkc_copies_init(s);
	if (!r && t->mode->durable)
		r = bkc_merge_init(s);
	if (!r && t->meta_dev)
		r = create_meta(s, t->meta_dev->bdev, error);
	if (r) {
		state_free(s);
		return ERR_PTR(r);
	}
	return s;
}

/**
 * bkc_state_get - the state a table works on
 * @t: the table, its line parsed and its legs open
 * @error: set on failure
 *
 * In ctr. Finds the state another table of the same key holds, or makes one;
 * nothing is read from a device. Refuses a state of other legs or geometry.
 */
struct bkc_state *bkc_state_get(struct bkc_table *t, char **error)
{
	struct bkc_state *s;
	unsigned int noio;

	mutex_lock(&registry_lock);
	/* Allocating must not wait for a volume that waits for this lock. */
	noio = memalloc_noio_save();
	list_for_each_entry(s, &registry, registry) {
		/* Blocks without state have nothing to share. */
		if (!t->mode->has_top) {
			/* Who is over a stale base, is asked itself. */
			if (!t->of && (same_key(s, t) || same_device(s, t)) &&
			    base_is_stale(s, t)) {
				*error = "Base is stale: its copy has pivoted to top";
				s = ERR_PTR(-EINVAL);
				goto out;
			}
			if (!t->meta_dev)
				continue;
		}
		if (!same_key(s, t))
			continue;
		if (same_legs(s, t)) {
			refcount_inc(&s->refs);
		} else {
			*error = "Legs or geometry differ from the state in use";
			s = ERR_PTR(-EINVAL);
		}
		goto out;
	}
	s = state_create(t, error);
	if (!IS_ERR(s) && (t->mode->has_top || t->meta_dev))
		list_add(&s->registry, &registry);
out:
	if (!IS_ERR(s)) {
		t->policy_pauses = s->policy_pauses;
		mutex_lock(&s->tables_lock);
		list_add(&t->list, &s->loaded);
		mutex_unlock(&s->tables_lock);
	}
	memalloc_noio_restore(noio);
	mutex_unlock(&registry_lock);
	return s;
}

/* It is resumed, or will not be. */
static void end_resuming(struct bkc_table *t)
{
	if (t->resuming)
		atomic_dec(&t->s->resuming);
	t->resuming = false;
}

/* A table is resumed, or gone: writes do not go past it, or are known to have. */
static void come_back(struct bkc_state *s, struct bkc_table *t)
{
	spin_lock_irq(&s->lock);
	if (t->draining)
		s->draining--;
	if (t->away)
		s->away--;
	t->draining = false;
	t->away = false;
	spin_unlock_irq(&s->lock);
	if (s->mode->preserves)
		bkc_view_redo(s);
}

/**
 * bkc_state_put - a table goes away
 * @t: the table
 *
 * In dtr. If it was the last live one of its dm device and was not sealed,
 * writes may go past us from here on: what other tables, of this device or of
 * another, would find in both legs is void.
 */
void bkc_state_put(struct bkc_table *t)
{
	struct bkc_state *s = t->s;
	bool last, gone, stale, views_alone;

	end_resuming(t);
	mutex_lock(&s->tables_lock);
	list_del(&t->list);
	gone = t->resumed && !__bkc_past_is_ours(s, t);
	spin_lock_irq(&s->lock);
	stale = gone && !s->sealed && !s->mode->durable &&
		bkc_phase_copies(s->phase);
	/* A seal is for one removal; without a live table __start() asks for it. */
	if (gone && s->live)
		s->sealed = false;
	spin_unlock_irq(&s->lock);
	mutex_unlock(&s->tables_lock);
	bkc_past_looked_for(s, gone);
	/* As in postsuspend: it may have been found when none was live. */
	if (t->resumed && s->meta && bkc_meta_has_bitmaps(s->meta))
		flush_workqueue(s->meta->wq);

	mutex_lock(&registry_lock);
	last = refcount_dec_and_test(&s->refs);
	/* What they see is over, and a table that comes later begins anew. */
	views_alone = !last && refcount_read(&s->refs) == s->nr_views;
	if (last || views_alone)
		list_del_init(&s->registry);
	if (!last && (stale || views_alone))
		bkc_drop_top(s);
	/* Views go on, or have seen that it is over: in this order. */
	if (!last)
		come_back(s, t);
	mutex_unlock(&registry_lock);
	if (last)
		state_free(s);
}

/* Is the state the device's, live, and of the mode that has views? */
static bool may_be_viewed(struct bkc_state *s, dev_t live)
{
	struct bkc_table *t;
	bool found = false;

	if (!s->mode->preserves)
		return false;
	mutex_lock(&s->tables_lock);
	list_for_each_entry(t, &s->tables, list)
		found |= READ_ONCE(t->live) &&
			 disk_devt(dm_disk(dm_table_get_md(t->ti->table))) == live;
	mutex_unlock(&s->tables_lock);
	return found;
}

/**
 * bkc_state_get_view - the state of a live device that a view is for
 * @live: the device's number
 * @view: of it; its ti is set
 * @error: set on failure
 *
 * In ctr of a view.
 */
struct bkc_state *bkc_state_get_view(dev_t live, struct bkc_view *view,
				     char **error)
{
	struct bkc_state *s, *found = NULL;

	mutex_lock(&registry_lock);
	list_for_each_entry(s, &registry, registry)
		if (may_be_viewed(s, live)) {
			found = s;
			refcount_inc(&s->refs);
			s->nr_views++;
			break;
		}
	mutex_unlock(&registry_lock);
	if (!found) {
		*error = "Not a live blkcopy device in mode backup";
		return ERR_PTR(-EINVAL);
	}
	mutex_lock(&found->tables_lock);
	list_add(&view->list, &found->views);
	mutex_unlock(&found->tables_lock);
	return found;
}

/* In dtr of a view, or when its ctr fails. */
void bkc_state_put_view(struct bkc_state *s, struct bkc_view *view)
{
	bool last;

	mutex_lock(&s->tables_lock);
	list_del(&view->list);
	mutex_unlock(&s->tables_lock);
	mutex_lock(&registry_lock);
	s->nr_views--;
	last = refcount_dec_and_test(&s->refs);
	mutex_unlock(&registry_lock);
	if (last)
		state_free(s);
}

/*
 * life_lock held. The first table that is resumed says what is in top already;
 * later, a table of another dm device finds what the one before left behind, and
 * unless that was sealed, writes may have gone past us since.
 */
static void __start(struct bkc_state *s, struct bkc_table *t)
{
	const void *md = dm_table_get_md(t->ti->table);

	if (!s->started) {
		s->started = true;
		bkc_sync_start(s, t);
	} else if (bkc_past_went(s, md)) {
		bkc_drop_top(s);
	}
}

/* In preresume, nothing in flight: of a volume whose lower layer may change. */
static void set_base(struct bkc_state *s, const struct bkc_table *t)
{
	s->bdev[BKC_BASE] = t->dev[BKC_BASE]->bdev;
	s->number[BKC_BASE] = s->bdev[BKC_BASE]->bd_dev;
	s->start[BKC_BASE] = t->start[BKC_BASE];
}

/**
 * bkc_state_preresume - durable state is read, or written to say it is in use
 * @t: the table
 *
 * In preresume. Fails, and dm leaves the device suspended, where the metadata
 * does not fit the first table that names it, and where another device has it
 * live in another mode.
 */
int bkc_state_preresume(struct bkc_table *t)
{
	struct bkc_state *s = t->s;
	unsigned int noio;
	int r = 0;

	if (!s->meta)
		return 0;
	mutex_lock(&s->life_lock);
	noio = memalloc_noio_save();
	if (READ_ONCE(s->draining) && s->mode != t->mode) {
		DMERR("%s: its metadata is in use in another mode by a device being suspended",
		      dm_table_device_name(t->ti->table));
		r = -EBUSY;
	} else if (!s->live) {
		/* Now, and not in resume: the disk must not say otherwise. */
		if (bkc_past_went(s, dm_table_get_md(t->ti->table))) {
			bkc_drop_top(s);
			s->left_md = dm_table_get_md(t->ti->table);
		}
		bkc_tracker_went_past(t);
		set_base(s, t);
		r = bkc_meta_open(s->meta, t);
	} else if (s->mode != t->mode) {
		DMERR("%s: its metadata is in use in another mode",
		      dm_table_device_name(t->ti->table));
		r = -EBUSY;
	} else if (s->mode->preserves &&
		   s->params.persistent != t->params.persistent) {
		DMERR("%s: a live table of its view says otherwise of backup_persistent",
		      dm_table_device_name(t->ti->table));
		r = -EBUSY;
	}
	if (r) {
		__bkc_past_looked_for(s);
	} else if (!t->resuming) {
		/* Another device's postsuspend may come before our resume. */
		t->resuming = true;
		atomic_inc(&s->resuming);
	}
	memalloc_noio_restore(noio);
	mutex_unlock(&s->life_lock);
	return r;
}

/* In postsuspend: nothing is in flight. What is durable is now all there is. */
void bkc_state_postsuspend(struct bkc_table *t)
{
	struct bkc_state *s = t->s;

	spin_lock_irq(&s->lock);
	if (t->draining) {
		t->draining = false;
		s->draining--;
	}
	if (t->resumed && !t->away) {
		t->away = true;
		s->away++;
	}
	spin_unlock_irq(&s->lock);
	if (s->mode->preserves)
		bkc_backup_drain(s);
	if (!s->meta)
		return;
	mutex_lock(&s->life_lock);
	end_resuming(t);
	if (!s->live && !READ_ONCE(s->draining) && !atomic_read(&s->resuming) &&
	    s->meta->loaded) {
		/* A copy_on_read may have begun since the others were stopped. */
		bkc_copier_stop(s);
		bkc_meta_close(s->meta, bkc_past_goes_on(s, t));
	} else if (s->live && bkc_meta_has_bitmaps(s->meta)) {
		/* One that flushes our legs; the next finds another table's. */
		flush_workqueue(s->meta->wq);
	}
	mutex_unlock(&s->life_lock);
}

/* In resume: the table is live, its line is in force. Cannot fail. */
void bkc_state_resume(struct bkc_table *t)
{
	struct bkc_state *s = t->s;
	bool set_params = false, paused;

	mutex_lock(&s->life_lock);
	end_resuming(t);
	__start(s, t);
	come_back(s, t);
	mutex_lock(&s->tables_lock);
	if (!t->resumed) {
		list_move(&t->list, &s->tables);
		set_params = true;
	}
	t->resumed = true;
	t->live = true;
	spin_lock_irq(&s->lock);
	if (set_params) {
		/* A policy may have paused since the line was loaded. */
		paused = s->params.paused &&
			 s->policy_pauses != t->policy_pauses;
		s->params = t->params;
		s->params.paused |= paused;
		s->paused_before |= t->params.paused;
		/* Who aborted it stays known. */
		if (bkc_phase_copies(s->phase)) {
			if (!s->params.paused)
				s->stopped_by = BKC_BY_NOBODY;
			else if (s->stopped_by == BKC_BY_NOBODY)
				s->stopped_by = BKC_BY_USER;
		}
	}
	s->live++;
	s->sealed = false;
	spin_unlock_irq(&s->lock);
	mutex_unlock(&s->tables_lock);
	bkc_tracker_resume(t);
	mutex_unlock(&s->life_lock);
	if (s->mode->has_copier)
		bkc_copier_kick(s);
	/* The mode may be another one, and what its line says. */
	if (set_params)
		bkc_event(s);
	bkc_verify_resume(s);
	if (s->mode->preserves)
		bkc_view_redo(s);
}

/*
 * In presuspend: background copies end here. I/O still flows, so the writes an
 * exclusive copy or a pivot waits for do end.
 */
void bkc_state_presuspend(struct bkc_table *t)
{
	struct bkc_state *s = t->s;
	bool last;

	mutex_lock(&s->life_lock);
	if (t->live) {
		t->live = false;
		bkc_tracker_presuspend(t);
		spin_lock_irq(&s->lock);
		t->draining = true;
		s->draining++;
		last = !--s->live;
		s->left_md = dm_table_get_md(t->ti->table);
		spin_unlock_irq(&s->lock);
		if (last)
			bkc_nospace_retry(s);
		if (last && s->mode->has_copier) {
			flush_work(&s->pivot_work);
			if (s->mode->preserves)
				bkc_backup_retry(s);
			bkc_copier_stop(s);
			bkc_verify_stop(s);
			bkc_settle(s);
		}
	}
	mutex_unlock(&s->life_lock);
}
