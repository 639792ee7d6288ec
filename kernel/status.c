// SPDX-License-Identifier: GPL-2.0-only
/*
 * The status and table lines. Status reads counters kept as they change and
 * never walks the map; fields are only ever appended.
 */
#include "bitmap.h"
#include "meta.h"
#include "verify.h"

static const char * const phase_words[] = {
	[BKC_PHASE_IDLE] = BLKCOPY_PHASE_IDLE,
	[BKC_PHASE_COPYING] = BLKCOPY_PHASE_COPYING,
	[BKC_PHASE_SYNCED] = BLKCOPY_PHASE_SYNCED,
	[BKC_PHASE_PIVOTED] = BLKCOPY_PHASE_PIVOTED,
	[BKC_PHASE_ABORTED] = BLKCOPY_PHASE_ABORTED,
	[BKC_PHASE_STREAMING] = BLKCOPY_PHASE_STREAMING,
	[BKC_PHASE_STREAMED] = BLKCOPY_PHASE_STREAMED,
	[BKC_PHASE_MERGING] = BLKCOPY_PHASE_MERGING,
	[BKC_PHASE_MERGED] = BLKCOPY_PHASE_MERGED,
	[BKC_PHASE_PRESERVING] = BLKCOPY_PHASE_PRESERVING,
	[BKC_PHASE_BROKEN] = BLKCOPY_PHASE_BROKEN,
};

static const char * const stopper_words[] = {
	[BKC_BY_NOBODY] = BLKCOPY_STOPPED_BY_NOBODY,
	[BKC_BY_USER] = BLKCOPY_STOPPED_BY_USER,
	[BKC_BY_POLICY] = BLKCOPY_STOPPED_BY_POLICY,
};

static const char * const verify_words[] = {
	[BKC_VERIFY_NEVER] = BLKCOPY_VERIFY_NEVER,
	[BKC_VERIFYING] = BLKCOPY_VERIFY_RUNNING,
	[BKC_VERIFIED] = BLKCOPY_VERIFY_DONE,
};

/*
 * After pivot and abort the map is out of use: every block is where the phase
 * says, and the other leg is stale.
 */
static void block_counts(struct bkc_state *s, enum bkc_phase phase,
			 u64 count[BKC_VALID_NR])
{
	int v;

	for (v = 0; v < BKC_VALID_NR; v++)
		count[v] = 0;
	if (phase == BKC_PHASE_PIVOTED) {
		count[BKC_IN_TOP] = s->map.nr_blocks;
	} else if (s->mode->durable || bkc_phase_copies(phase)) {
		for (v = BKC_IN_BASE + 1; v < BKC_VALID_NR; v++)
			count[v] = bkc_map_count(&s->map, v);
		count[BKC_IN_BASE] = s->map.nr_blocks - count[BKC_IN_BOTH] -
				     count[BKC_IN_TOP] - count[BKC_IN_NONE];
	} else {
		count[BKC_IN_BASE] = s->map.nr_blocks;
	}
}

/* The metadata that the line speaks of: the map's, or if none the bitmaps'. */
static const struct bkc_meta *meta_of(const struct bkc_table *t)
{
	return t->s->meta || !t->track ? t->s->meta : t->track->s->meta;
}

static u64 nr_segments(const struct bkc_table *t)
{
	u64 sectors = (u64)t->s->params.value[BKC_PARAM_SEGMENT] <<
		      (20 - SECTOR_SHIFT);
	const struct bkc_meta *meta = meta_of(t);

	if (meta && meta->intent.nr)
		return meta->intent.nr;
	return DIV_ROUND_UP_ULL(t->s->map.len, sectors);
}

static bool is_failed(const struct bkc_meta *meta)
{
	return meta && READ_ONCE(meta->health) != BKC_HEALTH_RW;
}

static const char *health_word(const struct bkc_table *t)
{
	if (t->s->meta && t->s->meta->any_bad)
		return BLKCOPY_HEALTH_FAIL;
	if (is_failed(t->s->meta) || (t->track && is_failed(t->track->s->meta)))
		return BLKCOPY_HEALTH_META_RO;
	return BLKCOPY_HEALTH_RW;
}

static struct bkc_bitmaps *all_of(struct bkc_tracker *tr)
{
	return rcu_dereference_protected(tr->bitmaps,
					 lockdep_is_held(&tr->mutex));
}

/* tr->mutex held. */
static unsigned int status_bitmaps(struct bkc_table *t, char *result,
				   unsigned int sz, unsigned int maxlen)
{
	struct bkc_bitmaps *all = all_of(t->tracker);
	unsigned int i;

	DMEMIT(" %u", all ? all->nr : 0);
	for (i = 0; all && i < all->nr; i++)
		DMEMIT(" %s %llu %s", all->bitmap[i]->name,
		       bkc_bitmap_dirty(all->bitmap[i], t->s->map.block_shift),
		       bkc_bitmap_state(all->bitmap[i]));
	return sz;
}

/* The same, of the same ones in their order. */
static unsigned int status_granules(struct bkc_table *t, char *result,
				    unsigned int sz, unsigned int maxlen)
{
	struct bkc_bitmaps *all = all_of(t->tracker);
	unsigned int i;

	for (i = 0; all && i < all->nr; i++)
		DMEMIT(" %u", 1U << all->bitmap[i]->shift);
	return sz;
}

/*
 * <mode> <phase> <rw|meta_ro|fail> <base-only> <both> <top-only> <zero>
 * <total> <block sectors> <copied kib> <in-flight kib> <rate kib/s>
 * <segments marked>/<segments> <base errors> <top errors> <meta commits>
 * <meta torn> <#bitmaps> (<name> <dirty blocks> <state>)* <user|policy|->
 * <-|verifying|verified> <blocks compared> <of those, that differ>
 * <granule sectors of a bitmap>*
 *
 * State in memory marks no segments and makes no commits.
 */

static void status_info(struct bkc_table *t, char *result, unsigned int maxlen)
{
	struct bkc_state *s = t->s;
	const struct bkc_meta *meta = meta_of(t);
	enum bkc_phase phase = READ_ONCE(s->phase);
	u64 count[BKC_VALID_NR];
	struct bkc_verify *v;
	unsigned int sz = 0;

	block_counts(s, phase, count);
	/* The copier says so too when it next runs; it may be paused. */
	if (phase == BKC_PHASE_SYNCED && count[BKC_IN_BASE])
		phase = BKC_PHASE_COPYING;
	DMEMIT("%s %s %s %llu %llu %llu %llu %llu %u %llu %llu %llu",
	       t->mode->name, phase_words[phase], health_word(t),
	       count[BKC_IN_BASE], count[BKC_IN_BOTH], count[BKC_IN_TOP],
	       count[BKC_IN_NONE], s->map.nr_blocks, t->block_sectors,
	       (u64)atomic64_read(&s->copied) >> 10,
	       (u64)(atomic64_read(&s->inflight) +
		     atomic64_read(&s->saving)) >> 10,
	       bkc_copier_rate_kib(s));
	DMEMIT(" %llu/%llu %u %u %llu %u",
	       meta ? READ_ONCE(meta->intent.nr_marked) : 0,
	       nr_segments(t),
	       (u32)atomic_read(&s->errors[BKC_BASE]),
	       (u32)atomic_read(&s->errors[BKC_TOP]),
	       meta ? (u64)atomic64_read(&meta->commits) : 0,
	       meta ? meta->torn : 0);
	/* Held over both: as many granules as bitmaps. */
	mutex_lock(&t->tracker->mutex);
	sz = status_bitmaps(t, result, sz, maxlen);
	DMEMIT(" %s", stopper_words[READ_ONCE(s->stopped_by)]);
	v = READ_ONCE(s->verify);
	DMEMIT(" %s %llu %llu", verify_words[v ? READ_ONCE(v->state) : 0],
	       v ? v->compared : 0, v ? v->differ : 0);
	sz = status_granules(t, result, sz, maxlen);
	mutex_unlock(&t->tracker->mutex);
}

/* The line as it would be loaded now: what "set" and pause changed is in it. */
static void status_table(struct bkc_table *t, char *result,
			 unsigned int maxlen)
{
	struct bkc_params params;
	unsigned int sz = 0;

	mutex_lock(&t->s->tables_lock);
	params = t->resumed ? t->s->params : t->params;
	params.no_discard_passdown = t->params.no_discard_passdown;
	params.bitmaps = t->track ? t->track->meta_dev->name : NULL;
	mutex_unlock(&t->s->tables_lock);

	DMEMIT("%s %s %llu %s %llu %s %u", t->mode->name,
	       t->dev[BKC_BASE]->name, (u64)t->start[BKC_BASE],
	       t->dev[BKC_TOP] ? t->dev[BKC_TOP]->name : "-",
	       (u64)t->start[BKC_TOP],
	       t->meta_dev ? t->meta_dev->name : t->meta, t->block_sectors);
	bkc_print_options(&params, result, sz, maxlen);
}

/* What an integrity log needs: where the data is, not how it is copied. */
static void status_ima(struct dm_target *ti, struct bkc_table *t, char *result,
		       unsigned int maxlen)
{
	unsigned int sz = 0;

	DMEMIT_TARGET_NAME_VERSION(ti->type);
	DMEMIT(",mode=%s,base=%s,base_offset=%llu", t->mode->name,
	       t->dev[BKC_BASE]->name, (u64)t->start[BKC_BASE]);
	if (t->dev[BKC_TOP])
		DMEMIT(",top=%s,top_offset=%llu", t->dev[BKC_TOP]->name,
		       (u64)t->start[BKC_TOP]);
	DMEMIT(";");
}

/* target_type.status; process context. */
void bkc_status(struct dm_target *ti, status_type_t type,
		unsigned int status_flags, char *result, unsigned int maxlen)
{
	struct bkc_table *t = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		status_info(t, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		status_table(t, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		status_ima(ti, t, result, maxlen);
		break;
	}
}
