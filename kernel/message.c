// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmsetup message. Each answers at once; what it starts is told by an event.
 * A refusal is an errno, and a line in the kernel log with the reason.
 */
#include <linux/kstrtox.h>
#include <linux/string.h>

#include "backup.h"
#include "meta.h"

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
		why = "blocks are in base only, or a pivot is under way";
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
	r = paused ? bkc_pause(t->s, BKC_BY_USER) : bkc_unpause(t->s);
	return refuse(t, r, "copy");
}

/* set <param> <value> */
static int message_set(struct bkc_table *t, const char *key, const char *word)
{
	struct bkc_state *s = t->s;
	enum bkc_param_id id;
	int r;

	if (!t->mode->has_copier)
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
	return 0;
}

/* phase pivot|abort|finish */
static int message_phase(struct bkc_table *t, const char *phase)
{
	if (!strcmp(phase, "pivot"))
		return refuse(t, bkc_pivot(t->s), "pivot");
	if (!strcmp(phase, "abort") && t->mode->preserves) {
		bkc_backup_break(t->s, BKC_BY_USER, "aborted");
		return 0;
	}
	if (!strcmp(phase, "abort"))
		return refuse(t, bkc_abort(t->s, BKC_BY_USER), "abort");
	/* What streams or merges comes to its end by itself: is it there? */
	if (!strcmp(phase, "finish") && t->mode->durable && t->mode->has_copier)
		return refuse(t, READ_ONCE(t->s->phase) == t->mode->end_phase ?
			      0 : -EBUSY, "finish");
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

/*
 * map list base|top|both|zero <first block>: runs "first+count", as many as
 * the caller's buffer holds, then the block to go on from, or "end".
 */
static int message_map_list(struct bkc_table *t, const char *which,
			    const char *from, char *result, unsigned int maxlen)
{
	struct bkc_state *s = t->s;
	enum bkc_valid valid;
	u64 first, end, run;
	unsigned int sz = 0;
	char entry[48];
	int n;

	if (parse_valid(which, &valid) || from[0] < '0' || from[0] > '9' ||
	    kstrtou64(from, 10, &first) || first > s->map.nr_blocks)
		return refuse(t, -EINVAL, "map list");
	end = min(s->map.nr_blocks, first + MAP_LIST_BLOCKS_MAX);
	while (first < end) {
		run = next_run(s, valid, &first, end);
		if (!run)
			break;
		n = scnprintf(entry, sizeof(entry), "%llu+%llu ", first, run);
		/* 24: room for the number of the block to go on from */
		if (sz + n + 24 > maxlen)
			break;
		DMEMIT("%s", entry);
		first += run;
	}
	if (first >= s->map.nr_blocks)
		DMEMIT(BLKCOPY_MSG_MAP_END);
	else
		DMEMIT("%llu", first);
	return 1;
}

static int message_seal(struct bkc_table *t)
{
	spin_lock_irq(&t->s->lock);
	t->s->sealed = true;
	spin_unlock_irq(&t->s->lock);
	return 0;
}

/* target_type.message; process context. */
int bkc_message(struct dm_target *ti, unsigned int argc, char **argv,
		char *result, unsigned int maxlen)
{
	struct bkc_table *t = ti->private;

	if (argc == 2 && !strcmp(argv[0], "copy"))
		return message_copy(t, argv[1]);
	if (argc == 3 && !strcmp(argv[0], "set"))
		return message_set(t, argv[1], argv[2]);
	if (argc == 2 && !strcmp(argv[0], "phase"))
		return message_phase(t, argv[1]);
	if (argc == 4 && !strcmp(argv[0], "map") && !strcmp(argv[1], "list"))
		return message_map_list(t, argv[2], argv[3], result, maxlen);
	if (argc == 1 && !strcmp(argv[0], "seal"))
		return message_seal(t);
	return refuse(t, -EINVAL, "message");
}
