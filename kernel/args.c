// SPDX-License-Identifier: GPL-2.0-only
/*
 * The words of a table line behind the block size, and the keys of "set".
 * Parse and print are inverse: what is printed loads again unchanged.
 */
#include <linux/kstrtox.h>
#include <linux/string.h>

#include "bitmap.h"

static const char * const policy_words[] = {
	[BKC_POLICY_REPORT] = BLKCOPY_POLICY_REPORT,
	[BKC_POLICY_IGNORE] = BLKCOPY_POLICY_IGNORE,
	[BKC_POLICY_STOP] = BLKCOPY_POLICY_STOP,
	[BKC_POLICY_ENOSPC] = BLKCOPY_POLICY_ENOSPC,
	NULL
};

static const char * const copy_mode_words[] = {
	[BKC_COPY_DUAL] = BLKCOPY_COPY_MODE_DUAL,
	[BKC_COPY_BACKGROUND] = BLKCOPY_COPY_MODE_BACKGROUND,
	NULL
};

static const struct {
	const char *key;
	const char * const *words;	/* or NULL: a number */
	u32 min, max, def;
	char *error;
} keys[BKC_PARAM_NR] = {
	[BKC_PARAM_RATE] = { BLKCOPY_PARAM_RATE_KIB, NULL,
		0, BLKCOPY_RATE_KIB_MAX, 0, "Invalid rate_kib" },
	[BKC_PARAM_INFLIGHT] = { BLKCOPY_PARAM_INFLIGHT_KIB, NULL,
		BLKCOPY_INFLIGHT_KIB_MIN, BLKCOPY_INFLIGHT_KIB_MAX,
		BLKCOPY_INFLIGHT_KIB_DEFAULT, "Invalid inflight_kib" },
	[BKC_PARAM_RUN] = { BLKCOPY_PARAM_RUN_KIB, NULL,
		BLKCOPY_RUN_KIB_MIN, BLKCOPY_RUN_KIB_MAX,
		BLKCOPY_RUN_KIB_DEFAULT, "Invalid run_kib" },
	[BKC_PARAM_SEGMENT] = { BLKCOPY_PARAM_SEGMENT_MIB, NULL,
		BLKCOPY_SEGMENT_MIB_MIN, BLKCOPY_SEGMENT_MIB_MAX,
		BLKCOPY_SEGMENT_MIB_DEFAULT, "Invalid segment_mib" },
	[BKC_PARAM_COPY_MODE] = { BLKCOPY_PARAM_COPY_MODE, copy_mode_words,
		.error = "Invalid copy_mode" },
	[BKC_PARAM_ON_BASE_ERROR] = { BLKCOPY_PARAM_ON_BASE_ERROR, policy_words,
		.error = "Invalid on_base_error" },
	[BKC_PARAM_ON_TOP_ERROR] = { BLKCOPY_PARAM_ON_TOP_ERROR, policy_words,
		.error = "Invalid on_top_error" },
};

static const struct {
	const char *word;
	size_t offset;		/* of the bool in struct bkc_params */
	bool copier;		/* of a copy: meaningless without one */
	bool one_shot;		/* never printed */
	bool reads;		/* of a mode that can keep what it reads */
	bool preserves;		/* of a backup */
} features[] = {
	{ BLKCOPY_FEATURE_NO_DISCARD_PASSDOWN,
	  offsetof(struct bkc_params, no_discard_passdown) },
	{ BLKCOPY_FEATURE_DETECT_ZEROES,
	  offsetof(struct bkc_params, detect_zeroes), .copier = true },
	{ BLKCOPY_FEATURE_PAUSED,
	  offsetof(struct bkc_params, paused), .copier = true },
	{ BLKCOPY_FEATURE_COPY_ON_READ,
	  offsetof(struct bkc_params, copy_on_read), .reads = true },
	{ BLKCOPY_FEATURE_BACKUP_PERSISTENT,
	  offsetof(struct bkc_params, persistent), .preserves = true },
	{ BLKCOPY_FEATURE_NOSYNC,
	  offsetof(struct bkc_params, nosync), .copier = true, .one_shot = true },
};

static bool *feature(const struct bkc_params *p, unsigned int i)
{
	return (bool *)((char *)p + features[i].offset);
}

void bkc_default_params(struct bkc_params *p)
{
	int id;

	memset(p, 0, sizeof(*p));
	for (id = 0; id < BKC_PARAM_NR; id++)
		p->value[id] = keys[id].def;
}

/* Has a parameter of a copy a meaning in the mode? */
bool bkc_param_applies(const struct bkc_mode *mode, const char *key)
{
	return mode->has_copier ||
	       (mode->waits_for_space && !strcmp(key, BLKCOPY_PARAM_ON_TOP_ERROR));
}

/**
 * bkc_parse_param - one key and its value
 * @key: the key
 * @word: its value as written
 * @p: where it goes, untouched on error
 * @id: which parameter it was, if the key is known
 *
 * Any context. Returns 0, -ENOENT for an unknown key, -EINVAL for a value
 * that is no number or not one of the words, -ERANGE for one out of range.
 */
int bkc_parse_param(const char *key, const char *word, struct bkc_params *p,
		    enum bkc_param_id *id)
{
	u32 value;
	int i, n;

	for (i = 0; i < BKC_PARAM_NR; i++)
		if (!strcmp(key, keys[i].key))
			break;
	if (i == BKC_PARAM_NR)
		return -ENOENT;
	*id = i;
	if (keys[i].words) {
		n = match_string(keys[i].words, -1, word);
		if (n < 0)
			return -EINVAL;
		value = n;
	} else {
		/* kstrtou32 would take a sign. */
		if (word[0] < '0' || word[0] > '9')
			return -EINVAL;
		n = kstrtou32(word, 10, &value);
		if (n)
			return n;
		if (value < keys[i].min || value > keys[i].max)
			return -ERANGE;
	}
	p->value[i] = value;
	p->given |= BIT(i);
	return 0;
}

static int parse_features(struct dm_arg_set *as, const struct bkc_mode *mode,
			  struct bkc_params *p, char **error)
{
	static const struct dm_arg count_arg = {
		0, ARRAY_SIZE(features), "Invalid number of features"
	};
	unsigned int argc, i;
	const char *word;
	int r;

	r = dm_read_arg_group(&count_arg, as, &argc, error);
	if (r)
		return r;
	while (argc--) {
		word = dm_shift_arg(as);
		for (i = 0; i < ARRAY_SIZE(features); i++)
			if (!strcmp(word, features[i].word))
				break;
		if (i == ARRAY_SIZE(features)) {
			*error = "Unknown feature";
			return -EINVAL;
		}
		if (features[i].copier && !mode->has_copier) {
			*error = "Feature needs a mode that copies";
			return -EINVAL;
		}
		if (features[i].one_shot && mode->durable) {
			*error = "Feature needs state in memory";
			return -EINVAL;
		}
		if (features[i].one_shot && mode->preserves) {
			*error = "Feature has no meaning in a backup";
			return -EINVAL;
		}
		if (features[i].preserves && !mode->preserves) {
			*error = "Feature needs a backup";
			return -EINVAL;
		}
		if (features[i].reads && !mode->keeps_reads) {
			*error = "Feature needs a mode that streams";
			return -EINVAL;
		}
		if (*feature(p, i)) {
			*error = "Feature given twice";
			return -EINVAL;
		}
		*feature(p, i) = true;
	}
	return 0;
}

/* A device of the line, and no number. */
static int parse_bitmaps(const struct bkc_mode *mode, const char *word,
			 struct bkc_params *p, char **error)
{
	if (!mode->has_top) {
		*error = "This mode has its bitmaps where its metadata is";
		return -EINVAL;
	}
	if (p->bitmaps) {
		*error = "Parameter given twice";
		return -EINVAL;
	}
	p->bitmaps = word;
	return 0;
}

/* A bitmap, and no number: for the table's first resume alone, never printed. */
static int parse_sync(const struct bkc_mode *mode, const char *word,
		      struct bkc_params *p, char **error)
{
	if (!bkc_has_dual_writes(mode)) {
		*error = "sync needs mode mirror";
		return -EINVAL;
	}
	if (p->nosync) {
		*error = "sync and nosync exclude each other";
		return -EINVAL;
	}
	if (p->sync) {
		*error = "Parameter given twice";
		return -EINVAL;
	}
	if (!bkc_bitmap_is_name(word)) {
		*error = "Invalid name of a bitmap in sync";
		return -EINVAL;
	}
	p->sync = word;
	return 0;
}

/* Those whose value is a name. -ENOENT: it is none of them. */
static int parse_named(const struct bkc_mode *mode, const char *key,
		       const char *word, struct bkc_params *p, char **error)
{
	if (!strcmp(key, BLKCOPY_PARAM_BITMAPS))
		return parse_bitmaps(mode, word, p, error);
	if (!strcmp(key, BLKCOPY_PARAM_SYNC))
		return parse_sync(mode, word, p, error);
	return -ENOENT;
}

static int parse_params(struct dm_arg_set *as, const struct bkc_mode *mode,
			struct bkc_params *p, char **error)
{
	static const struct dm_arg count_arg = {
		0, 2 * (BKC_PARAM_NR + 2), "Invalid number of parameters"
	};
	unsigned int argc;
	int r;

	r = dm_read_arg_group(&count_arg, as, &argc, error);
	if (r)
		return r;
	if (argc % 2) {
		*error = "Number of parameters must be even";
		return -EINVAL;
	}
	for (; argc; argc -= 2) {
		u32 before = p->given;
		const char *key = dm_shift_arg(as);
		const char *word = dm_shift_arg(as);
		enum bkc_param_id id;

		r = parse_named(mode, key, word, p, error);
		if (!r)
			continue;
		if (r != -ENOENT)
			return r;
		r = bkc_parse_param(key, word, p, &id);
		if (r == -ENOENT) {
			*error = "Unknown parameter";
			return -EINVAL;
		}
		if (r) {
			*error = keys[id].error;
			return -EINVAL;
		}
		if (before & BIT(id)) {
			*error = "Parameter given twice";
			return -EINVAL;
		}
		if (id != BKC_PARAM_SEGMENT && !bkc_param_applies(mode, key)) {
			*error = "Parameter needs a mode that copies";
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * bkc_parse_options - "[<#features> <f>*] [<#params> (<key> <value>)*]"
 * @as: what is left of the line; all of it must be used
 * @mode: decides which words have a meaning
 * @p: set to the defaults, then to what is given
 * @error: names the offending argument
 *
 * Process context. Returns 0 or -EINVAL.
 */
int bkc_parse_options(struct dm_arg_set *as, const struct bkc_mode *mode,
		      struct bkc_params *p, char **error)
{
	int r;

	bkc_default_params(p);
	if (!as->argc)
		return 0;
	r = parse_features(as, mode, p, error);
	if (r || !as->argc)
		return r;
	r = parse_params(as, mode, p, error);
	if (!r && as->argc) {
		*error = "Too many arguments";
		r = -EINVAL;
	}
	return r;
}

/*
 * The inverse: appends to result at sz, returns the new length. Prints what is
 * in force: features that are on, parameters that were given or set.
 */
ssize_t bkc_print_options(const struct bkc_params *p, char *result,
			  ssize_t sz, unsigned int maxlen)
{
	unsigned int nr_params = 2 * (hweight32(p->given) + !!p->bitmaps);
	unsigned int nr_features = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		nr_features += *feature(p, i) && !features[i].one_shot;
	if (nr_features || nr_params)
		DMEMIT(" %u", nr_features);
	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (*feature(p, i) && !features[i].one_shot)
			DMEMIT(" %s", features[i].word);
	if (nr_params)
		DMEMIT(" %u", nr_params);
	for (i = 0; i < BKC_PARAM_NR; i++) {
		if (!(p->given & BIT(i)))
			continue;
		if (keys[i].words)
			DMEMIT(" %s %s", keys[i].key,
			       keys[i].words[p->value[i]]);
		else
			DMEMIT(" %s %u", keys[i].key, p->value[i]);
	}
	if (p->bitmaps)
		DMEMIT(" %s %s", BLKCOPY_PARAM_BITMAPS, p->bitmaps);
	return sz;
}
