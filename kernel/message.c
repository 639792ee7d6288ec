// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmsetup message. Each answers at once; what it starts is told by an event.
 * A refusal is an errno, and a line in the kernel log with the reason.
 */
#include <linux/kstrtox.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/sched/mm.h>
#include <linux/string.h>

#include "backup.h"
#include "bitmap.h"
#include "meta.h"
#include "redirect.h"
#include "verify.h"

/* "map list" looks at no more blocks than this before it answers. */
#define MAP_LIST_BLOCKS_MAX	BIT_ULL(26)

static int refuse(struct bkc_table *t, int r, const char *what)
{
	const char *why;

	switch (r) {
	case 0:
		return 0;
	case -EALREADY:
		why = "the copy has come to an end";
		break;
	case -EAGAIN:
		why = "the device is suspended";
		break;
	case -EBUSY:
		why = "blocks are in base only, or it is under way";
		break;
	default:
		why = "this mode has no copy, or the word is unknown";
		break;
	}
	DMERR_LIMIT("%s: %s refused: %s",
		    dm_table_device_name(t->ti->table), what, why);
	return r;
}

/* copy start|pause|resume|stop */
static int message_copy(struct bkc_table *t, const char *verb)
{
	bool paused;
	int r;

	if (!strcmp(verb, "start") || !strcmp(verb, "resume"))
		paused = false;
	else if (!strcmp(verb, "pause") || !strcmp(verb, "stop"))
		paused = true;
	else
		return refuse(t, -EINVAL, "copy");
	if (t->mode->waits_for_space && !paused) {
		bkc_nospace_retry(t->s);
		if (!t->mode->has_copier)
			return 0;
	}
	r = paused ? bkc_pause(t->s, BKC_BY_USER) : bkc_unpause(t->s);
	return refuse(t, r, "copy");
}

/* set <param> <value> */
static int message_set(struct bkc_table *t, const char *key, const char *word)
{
	struct bkc_state *s = t->s;
	enum bkc_param_id id;
	int r;

	if (!bkc_param_applies(t->mode, key))
		return refuse(t, -EINVAL, "set");
	mutex_lock(&s->tables_lock);
	if (!strcmp(key, BLKCOPY_PARAM_SEGMENT_MIB))
		r = -EINVAL;
	else
		r = bkc_parse_param(key, word, &s->params, &id);
	mutex_unlock(&s->tables_lock);
	if (r) {
		DMERR_LIMIT("%s: set %s %s refused: unknown, malformed, out of range or fixed",
			    dm_table_device_name(t->ti->table), key, word);
		return -EINVAL;
	}
	bkc_copier_kick(s);
	/* Writes may wait for the room there is now. */
	if (s->mode->preserves)
		bkc_backup_ended(s);
	return 0;
}

/* phase pivot|abort|finish */
static int message_phase(struct bkc_table *t, const char *phase)
{
	int r;

	if (!strcmp(phase, "pivot"))
		return refuse(t, bkc_pivot(t->s), "pivot");
	if (!strcmp(phase, "abort") && t->mode->preserves) {
		bkc_backup_break(t->s, BKC_BY_USER, "aborted");
		return 0;
	}
	if (!strcmp(phase, "abort"))
		return refuse(t, bkc_abort(t->s, BKC_BY_USER), "abort");
	if (!strcmp(phase, "finish") && t->mode->has_copier) {
		r = bkc_finish(t->s);
		/* Asked again until it is so: nothing for the log. */
		return r == -EINPROGRESS ? r : refuse(t, r, "finish");
	}
	return refuse(t, -EINVAL, "phase");
}

static int parse_valid(const char *word, enum bkc_valid *valid)
{
	static const char * const words[] = {
		[BKC_IN_BASE] = "base",
		[BKC_IN_BOTH] = "both",
		[BKC_IN_TOP] = "top",
		[BKC_IN_NONE] = "zero",
		NULL
	};
	int i = match_string(words, -1, word);

	if (i < 0)
		return -EINVAL;
	*valid = i;
	return 0;
}

/* The state every block is in, where the map is not what says it. */
static bool uniform(struct bkc_state *s, enum bkc_valid *valid)
{
	if (s->mode->durable)
		return false;
	switch (READ_ONCE(s->phase)) {
	case BKC_PHASE_COPYING:
	case BKC_PHASE_SYNCED:
	case BKC_PHASE_PRESERVING:
		return false;
	case BKC_PHASE_PIVOTED:
		*valid = BKC_IN_TOP;
		return true;
	default:
		*valid = BKC_IN_BASE;
		return true;
	}
}

/* One run of @valid at or after @first; 0 blocks when none before @end. */
static u64 next_run(struct bkc_state *s, enum bkc_valid valid, u64 *first,
		    u64 end)
{
	enum bkc_valid all;

	if (uniform(s, &all)) {
		if (all != valid)
			*first = end;
		return end - *first;
	}
	*first = bkc_map_find(&s->map, *first, end, BIT(valid));
	if (*first == end)
		return 0;
	return bkc_map_run(&s->map, *first, end - *first, &all);
}

/* In decimal. A list may have millions, and printf would take its time. */
static char *put_number(char *to, u64 number)
{
	char digits[20], *first = digits + sizeof(digits);
	u32 digit, low = number;

	/* Most fit in a word, and the count is mostly one. */
	while (number > U32_MAX) {
		number = div_u64_rem(number, 10, &digit);
		*--first = '0' + digit;
		low = number;
	}
	for (; low > 9; low /= 10)
		*--first = '0' + low % 10;
	*to++ = '0' + low;
	while (first < digits + sizeof(digits))
		*to++ = *first++;
	return to;
}

/*
 * An answer that is a list: runs of blocks "first+count", or where gaps were asked
 * for, what lies between a run and the one before it, "gap+count", of a single
 * block "gap": a third of the text where few have changed, far apart.
 */
struct list {
	char *result;
	unsigned int len, maxlen;
	u64 at;		/* the block behind the last run */
	bool gaps;
};

/* @from: the block to begin at. @form: how, or NULL. False: either is malformed. */
static bool list_begin(struct list *list, const char *from, const char *form)
{
	list->gaps = form;
	if (form && strcmp(form, BLKCOPY_MSG_GAPS))
		return false;
	return from[0] >= '0' && from[0] <= '9' && !kstrtou64(from, 10, &list->at);
}

/* One run, if there is room for it and for the block to go on from. */
static bool list_run(struct list *list, u64 first, u64 count)
{
	char *p = list->result + list->len;

	/* Three numbers at their longest, what is between them, and the end. */
	if (list->len + 3 * 20 + 5 > list->maxlen)
		return false;
	p = put_number(p, list->gaps ? first - list->at : first);
	if (!list->gaps || count > 1) {
		*p++ = '+';
		p = put_number(p, count);
	}
	*p++ = ' ';
	list->len = p - list->result;
	list->at = first + count;
	return true;
}

/* The last word: where to go on, or that there is no more. */
static void list_end(const struct list *list, u64 next, u64 blocks)
{
	char *result = list->result;
	unsigned int sz = list->len, maxlen = list->maxlen;

	if (next >= blocks)
		DMEMIT(BLKCOPY_MSG_MAP_END);
	else
		DMEMIT("%s%llu", list->gaps ? BLKCOPY_MSG_GAPS_NEXT : "", next);
}

/*
 * map list base|top|both|zero <first block> [gaps]: as many runs as the caller's
 * buffer holds, then the block to go on from, or "end".
 */
static int message_map_list(struct bkc_table *t, const char *which,
			    const char *from, const char *form, struct list *list)
{
	struct bkc_state *s = t->s;
	enum bkc_valid valid;
	u64 first, end, run;

	if (parse_valid(which, &valid) || !list_begin(list, from, form) ||
	    list->at > s->map.nr_blocks)
		return refuse(t, -EINVAL, "map list");
	first = list->at;
	end = min(s->map.nr_blocks, first + MAP_LIST_BLOCKS_MAX);
	while (first < end) {
		run = next_run(s, valid, &first, end);
		if (!run || !list_run(list, first, run))
			break;
		first += run;
	}
	list_end(list, first, s->map.nr_blocks);
	return 1;
}

static const char *bitmap_reason(int r)
{
	switch (r) {
	case -ENOENT:
		return "there is no such bitmap";
	case -EEXIST:
		return "there is one of that name";
	case -EBUSY:
		return "it is frozen";
	case -ENOSPC:
		return "there is no room for another";
	case -ESTALE:
		return "it may have missed writes: clear it, and begin with a full backup";
	case -EAGAIN:
		return "the device is suspended";
	case -ENOMEM:
		return "there is no memory";
	case -ETIMEDOUT:
		return "a write that is in flight does not end";
	case -EIO:
		return "the metadata cannot be written";
	default:
		return "a word is unknown, malformed or out of range, or it is not frozen";
	}
}

/* bitmap add <name> [<granule sectors>] [disabled] */
static int message_bitmap_add(struct bkc_table *t, unsigned int argc,
			      char **argv)
{
	bool recording = true;
	u64 granule = t->block_sectors;

	if (argc && !strcmp(argv[argc - 1], BLKCOPY_BITMAP_DISABLED)) {
		recording = false;
		argc--;
	}
	if (argc > 2)
		return -EINVAL;
	if (argc == 2 && (argv[1][0] < '0' || argv[1][0] > '9' ||
			  kstrtou64(argv[1], 10, &granule) ||
			  !is_power_of_2(granule) || granule < t->block_sectors ||
			  granule > BLKCOPY_GRANULE_SECTORS_MAX))
		return -EINVAL;
	if (!argc)
		return -EINVAL;
	/* The first says how long they are: tables of others may be loaded. */
	if (!rcu_access_pointer(t->tracker->bitmaps))
		t->tracker->len = t->ti->len;
	else if (t->tracker->len != t->ti->len)
		return -EBUSY;
	return bkc_bitmap_add(t->tracker, argv[0], granule, recording);
}

/*
 * bitmap list <name> <first block> [gaps]: in blocks, whatever the granule. As of
 * "map list".
 */
static int message_bitmap_list(struct bkc_table *t, const char *name,
			       const char *from, const char *form,
			       struct list *list)
{
	struct bkc_bitmap *b = bkc_bitmap_find(t->tracker, name);
	u64 blocks = t->s->map.nr_blocks, block, first, end, run;
	unsigned int shift;

	if (!b)
		return -ENOENT;
	/* A table that was loaded before there were bitmaps. */
	if (b->shift < t->s->map.block_shift)
		return -EINVAL;
	if (b->inconsistent)
		return -ESTALE;
	if (!list_begin(list, from, form) || list->at > blocks)
		return -EINVAL;
	shift = b->shift - t->s->map.block_shift;
	first = list->at >> shift;
	end = min(b->nr, first + MAP_LIST_BLOCKS_MAX);
	while (first < end) {
		run = bkc_bitmap_run(b, &first, end);
		/* It may begin inside the first granule. */
		block = max(first << shift, list->at);
		if (!run ||
		    !list_run(list, block,
			      min((first + run) << shift, blocks) - block))
			break;
		first += run;
	}
	list_end(list, first << shift, blocks);
	return 1;
}

/* tr->mutex held. */
static int bitmap_verb(struct bkc_table *t, unsigned int argc, char **argv,
		       struct list *list)
{
	struct bkc_tracker *tr = t->tracker;
	const char *verb = argv[0];

	/*
	 * What is on the disk says that the end was a clean one. Frozen it is in
	 * memory alone, and may be of an instant at which several are suspended,
	 * or be taken back at that.
	 */
	if (tr->meta && !READ_ONCE(tr->meta->s->live) &&
	    (!tr->meta->loaded || (strcmp(verb, "freeze") && strcmp(verb, "thaw"))))
		return -EAGAIN;
	if (!strcmp(verb, "add"))
		return message_bitmap_add(t, argc - 1, argv + 1);
	if ((argc == 3 || argc == 4) && !strcmp(verb, "list"))
		return message_bitmap_list(t, argv[1], argv[2],
					   argc == 4 ? argv[3] : NULL, list);
	if (argc == 3 && !strcmp(verb, "merge"))
		return bkc_bitmap_merge(tr, argv[1], argv[2]);
	if (argc != 2)
		return -EINVAL;
	if (!strcmp(verb, "remove"))
		return bkc_bitmap_remove(tr, argv[1]);
	if (!strcmp(verb, "clear"))
		return bkc_bitmap_clear(tr, argv[1]);
	if (!strcmp(verb, "enable") || !strcmp(verb, "disable"))
		return bkc_bitmap_enable(tr, argv[1], verb[0] == 'e');
	if (!strcmp(verb, "freeze"))
		return bkc_bitmap_freeze(tr, argv[1]);
	if (!strcmp(verb, "thaw"))
		return bkc_bitmap_thaw(tr, argv[1]);
	return -EINVAL;
}

static int message_bitmap(struct bkc_table *t, unsigned int argc, char **argv,
			  struct list *list)
{
	unsigned int noio;
	int r;

	mutex_lock(&t->tracker->mutex);
	/* Allocating must not wait for a volume that waits for this lock. */
	noio = memalloc_noio_save();
	r = bitmap_verb(t, argc, argv, list);
	memalloc_noio_restore(noio);
	mutex_unlock(&t->tracker->mutex);
	if (r < 0)
		DMERR_LIMIT("%s: bitmap %s refused: %s",
			    dm_table_device_name(t->ti->table), argv[0],
			    bitmap_reason(r));
	return r;
}

/*
 * preserve <bitmap>: of a backup, only what is in it.
 */
static int message_preserve(struct bkc_table *t, const char *name)
{
	struct bkc_bitmap *b;
	int r = -EINVAL;

	mutex_lock(&t->tracker->mutex);
	b = bkc_bitmap_find(t->tracker, name);
	if (t->mode->preserves)
		r = !b ? -ENOENT : b->inconsistent ? -ESTALE :
		    bkc_release_unchanged(t->s, b);
	mutex_unlock(&t->tracker->mutex);
	/*
	 * Or the first write to it would have to wait for that. Not with the lock
	 * held: metadata may hang, and the next table of any volume looks at all
	 * trackers.
	 */
	if (!r && t->s->meta)
		r = bkc_meta_commit(t->s->meta);
	if (r)
		DMERR_LIMIT("%s: preserve %s refused: %s",
			    dm_table_device_name(t->ti->table), name,
			    r == -EALREADY ? "the view is broken" :
			    r == -EINTR ? "interrupted" : bitmap_reason(r));
	return r;
}

static int message_verify(struct bkc_table *t)
{
	unsigned int noio;
	int r;

	mutex_lock(&t->s->tables_lock);
	noio = memalloc_noio_save();
	r = bkc_verify_start(t->s);
	memalloc_noio_restore(noio);
	mutex_unlock(&t->s->tables_lock);
	return refuse(t, r, "verify");
}

static void seal(struct bkc_state *s, bool sealed)
{
	spin_lock_irq(&s->lock);
	s->sealed = sealed;
	spin_unlock_irq(&s->lock);
}

/* Taken back when the removal has failed: the next may be another's. */
static int message_seal(struct bkc_table *t, bool sealed)
{
	seal(t->s, sealed);
	if (t->track)
		seal(t->track->s, sealed);
	bkc_tracker_seal(t->tracker, sealed);
	return 0;
}

/* target_type.message; process context. */
int bkc_message(struct dm_target *ti, unsigned int argc, char **argv,
		char *result, unsigned int maxlen)
{
	struct bkc_table *t = ti->private;
	struct list list = { .result = result, .maxlen = maxlen };

	if (argc == 2 && !strcmp(argv[0], "copy"))
		return message_copy(t, argv[1]);
	if (argc == 3 && !strcmp(argv[0], "set"))
		return message_set(t, argv[1], argv[2]);
	if (argc == 2 && !strcmp(argv[0], "phase"))
		return message_phase(t, argv[1]);
	if ((argc == 4 || argc == 5) && !strcmp(argv[0], "map") &&
	    !strcmp(argv[1], "list"))
		return message_map_list(t, argv[2], argv[3],
					argc == 5 ? argv[4] : NULL, &list);
	if (argc >= 2 && !strcmp(argv[0], "bitmap"))
		return message_bitmap(t, argc - 1, argv + 1, &list);
	if (argc == 2 && !strcmp(argv[0], "preserve"))
		return message_preserve(t, argv[1]);
	if (argc == 2 && !strcmp(argv[0], "verify") && !strcmp(argv[1], "start"))
		return message_verify(t);
	if (argc == 1 && !strcmp(argv[0], "seal"))
		return message_seal(t, true);
	if (argc == 1 && !strcmp(argv[0], "unseal"))
		return message_seal(t, false);
	return refuse(t, -EINVAL, "message");
}
