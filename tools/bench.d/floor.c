// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floor of any mirror: a target that clones each write to a second leg,
 * and does nothing else. What a real target costs above this is its own.
 *   <start> <len> floor <base> <top>
 */
#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/module.h>

struct floor {
	struct dm_dev *leg[2];
	struct bio_set bios;
};

struct pair {
	atomic_t pending;
};

static void top_done(struct bio *clone)
{
	struct bio *bio = clone->bi_private;
	struct pair *pair = dm_per_bio_data(bio, sizeof(*pair));

	if (clone->bi_status)
		bio->bi_status = clone->bi_status;
	bio_put(clone);
	if (atomic_dec_and_test(&pair->pending))
		bio_endio(bio);
}

/* After the last leg bio_endio() comes through here again: then it is over. */
static int floor_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct pair *pair = dm_per_bio_data(bio, sizeof(*pair));

	if (bio_data_dir(bio) == READ || atomic_dec_return(&pair->pending) <= 0)
		return DM_ENDIO_DONE;
	return DM_ENDIO_INCOMPLETE;
}

static int floor_map(struct dm_target *ti, struct bio *bio)
{
	struct pair *pair = dm_per_bio_data(bio, sizeof(*pair));
	struct floor *f = ti->private;
	struct bio *clone;

	bio_set_dev(bio, f->leg[0]->bdev);
	if (bio_data_dir(bio) == READ)
		return DM_MAPIO_REMAPPED;
	atomic_set(&pair->pending, 2);
	clone = bio_alloc_clone(f->leg[1]->bdev, bio, GFP_NOIO, &f->bios);
	clone->bi_private = bio;
	clone->bi_end_io = top_done;
	submit_bio_noacct(clone);
	return DM_MAPIO_REMAPPED;
}

static void floor_dtr(struct dm_target *ti)
{
	struct floor *f = ti->private;
	int i;

	for (i = 0; i < 2; i++)
		if (f->leg[i])
			dm_put_device(ti, f->leg[i]);
	bioset_exit(&f->bios);
	kfree(f);
}

static int floor_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct floor *f;
	int i, r;

	if (argc != 2)
		return -EINVAL;
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	ti->private = f;
	ti->per_io_data_size = sizeof(struct pair);
	r = bioset_init(&f->bios, BIO_POOL_SIZE, 0, 0);
	for (i = 0; i < 2 && !r; i++)
		r = dm_get_device(ti, argv[i], dm_table_get_mode(ti->table), &f->leg[i]);
	if (r)
		floor_dtr(ti);
	return r;
}

static struct target_type floor_target = {
	.name = "floor",
	.version = {1, 0, 0},
	.module = THIS_MODULE,
	.ctr = floor_ctr,
	.dtr = floor_dtr,
	.map = floor_map,
	.end_io = floor_end_io,
};
module_dm(floor);

MODULE_DESCRIPTION("dm target that clones each write to a second leg");
MODULE_LICENSE("GPL");
