// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may have gone past us: writes through a table of somebody else's, in a dm
 * device whose last live table of ours was suspended or destroyed. Nobody tells us
 * of them. So what a write would have to be in (the marks of a mirror, a bitmap,
 * what a view is of) is void unless it is known that there was none: the device has
 * another table of ours, or somebody has said so (seal).
 */
#include "meta.h"

/*
 * tables_lock held. Does the dm device of a table have another, live one? A
 * reload resumes the new table before it destroys the old.
 */
bool __bkc_past_is_ours(struct bkc_state *s, struct bkc_table *t)
{
	struct bkc_table *other;

	list_for_each_entry(other, &s->tables, list)
		if (other != t && READ_ONCE(other->live) &&
		    dm_table_get_md(other->ti->table) ==
		    dm_table_get_md(t->ti->table))
			return true;
	return false;
}

/* life_lock held. May writes have gone past us since the last table was live? */
bool bkc_past_went(const struct bkc_state *s, const void *md)
{
	return s->started && !s->live && !s->sealed && s->left_md != md &&
	       !s->mode->durable && bkc_phase_copies(s->phase);
}

static bool is_loaded(struct bkc_state *s, const void *md,
		      const struct bkc_table *but)
{
	struct bkc_table *t;
	bool found = false;

	mutex_lock(&s->tables_lock);
	list_for_each_entry(t, &s->loaded, list)
		found |= t != but && dm_table_get_md(t->ti->table) == md;
	mutex_unlock(&s->tables_lock);
	return found;
}

/**
 * bkc_past_goes_on - is what the device resumes next one of ours?
 * @s: state
 * @t: the table that is suspended
 *
 * In postsuspend, life_lock held. A table that replaces one is loaded by then; and
 * if it is not resumed after all, bkc_past_looked_for() comes: a table that is
 * cleared, or gives way to another, is destroyed before the tool that did so can
 * resume anything. Of two tools at once, the old table's end tells.
 */
bool bkc_past_goes_on(struct bkc_state *s, const struct bkc_table *t)
{
	return is_loaded(s, dm_table_get_md(t->ti->table), t);
}

/* life_lock held: a table could not be resumed. */
void __bkc_past_looked_for(struct bkc_state *s)
{
	if (!s->live && s->meta->relies)
		bkc_meta_is_past(s->meta);
}

/*
 * In dtr: a table is off the lists; @gone: its device has no other of ours that is
 * live, whatever is loaded. May wait for a write to the metadata.
 */
void bkc_past_looked_for(struct bkc_state *s, bool gone)
{
	if (!s->meta)
		return;
	mutex_lock(&s->life_lock);
	if (gone || !is_loaded(s, s->left_md, NULL))
		__bkc_past_looked_for(s);
	mutex_unlock(&s->life_lock);
}
