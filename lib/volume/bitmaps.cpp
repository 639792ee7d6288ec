// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/bitmaps.hpp"
#include "meta/bitmap.hpp"
#include "uapi/blkcopy.h"
#include "volume/bitmap_notes.hpp"
#include "volume/cache.hpp"
#include "volume/steps.hpp"
#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace blkctl::volume
{

namespace
{

const table::BitmapStatus *look_for(const Volume &volume, const std::string &bitmap)
{
	const auto &all = volume.status.bitmaps;
	const auto found = std::find_if(all.begin(), all.end(),
					[&](const auto &one) { return one.name == bitmap; });
	return found == all.end() ? nullptr : &*found;
}

Error no_such(const std::string &verb, const Volume &volume, const std::string &bitmap)
{
	return refusal(Status::not_found, verb, volume.name(),
		       fmt::format("it has no bitmap \"{}\"", bitmap),
		       "blkctl bitmap list " + volume.name());
}

Error inconsistent(const std::string &verb, const Volume &volume, const std::string &bitmap)
{
	return refusal(Status::needs_attention, verb, volume.name(),
		       fmt::format("bitmap \"{}\" may have missed writes: nobody knows what has "
				   "changed; begin anew, with a full backup",
				   bitmap),
		       fmt::format("blkctl bitmap clear {} {}", volume.name(), bitmap));
}

Result<void> check_new(const std::string &bitmap, const NewBitmap &options)
{
	if (!meta::is_bitmap_name(bitmap))
		return refusal(Status::usage, "bitmap add", bitmap,
			       fmt::format("a name has letters, digits and -_.+: and {} of them "
					   "at most",
					   BLKCOPY_BITMAP_NAME_MAX));
	if (options.granularity_sectors && !std::has_single_bit(*options.granularity_sectors))
		return refusal(Status::usage, "bitmap add", bitmap,
			       "the granularity is no power of two");
	return {};
}

struct Found {
	Volume volume;
	table::BitmapStatus bitmap;
};

Result<Found> find_bitmap(Change &change, const std::string &name, const std::string &bitmap)
{
	BLKCTL_TRY(const auto found, change.open(name));
	BLKCTL_TRY(auto volume, find_for_change(change, found.devno));
	const auto *status = look_for(volume, bitmap);
	if (!status)
		return no_such(change.verb(), volume, bitmap);
	const auto record = backup_record(change.context(), volume.info);
	if (record && record->bitmap == bitmap && volume.table.mode == table::Mode::backup)
		return refusal(Status::busy, change.verb(), volume.name(),
			       fmt::format("a backup uses bitmap \"{}\"", bitmap),
			       fmt::format("that backup again, to its end, or blkctl abort {}",
					   volume.name()));
	auto copy = *status;
	return Found{std::move(volume), std::move(copy)};
}

// Adds that it goes on from no backup any more. Before the bits go, or are not recorded: after a
// kill in between the next backup is a full one.
void add_end_of_note(Change &change, const Volume &volume, const std::string &bitmap)
{
	auto &context = change.context();

	if (has_bitmap_note(context, volume.name(), bitmap))
		change.add({"forget of which backup bitmap " + bitmap + " is",
			    [&context, name = volume.name(), bitmap] {
				    return drop_bitmap_note(context, name, bitmap);
			    },
			    {}});
}

// What it keeps is of another instant than a view's from now on.
void add_end_of_instant(Change &change, const Volume &volume, const std::string &bitmap)
{
	auto &context = change.context();

	if (frozen_bitmap(context, volume.info) == bitmap)
		change.add({"forget which view bitmap " + bitmap + " is of",
			    [&context, info = volume.info]() -> Result<void> {
				    forget_frozen(context, info);
				    return {};
			    },
			    {}});
}

Result<Outcome> send(Context &context, const std::string &name, const std::string &bitmap,
		     const std::string &word, Run run)
{
	Change change(context, "bitmap " + word, run);
	BLKCTL_TRY(const auto found, find_bitmap(change, name, bitmap));
	if (word != "enable")
		add_end_of_note(change, found.volume, bitmap);
	add_end_of_instant(change, found.volume, bitmap);
	change.message(found.volume.info, fmt::format("bitmap {} {}", word, bitmap));
	return change.finish(found.volume.info);
}

} // namespace

Result<Outcome> bitmap_add(Context &context, const std::string &name, const std::string &bitmap,
			   const NewBitmap &options, Run run)
{
	Change change(context, "bitmap add", run);
	BLKCTL_CHECK(check_new(bitmap, options));
	BLKCTL_TRY(const auto found, change.open(name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));

	if (look_for(volume, bitmap))
		return refusal(Status::failed, change.verb(), volume.name(),
			       fmt::format("it has a bitmap \"{}\"", bitmap),
			       fmt::format("blkctl bitmap clear {} {}", volume.name(), bitmap));
	if (volume.status.bitmaps.size() >= BLKCOPY_BITMAPS_MAX)
		return refusal(Status::failed, change.verb(), volume.name(),
			       fmt::format("it has {} bitmaps, as many as there can be",
					   BLKCOPY_BITMAPS_MAX),
			       "blkctl bitmap remove " + volume.name() + " BITMAP");
	const auto granule = options.granularity_sectors.value_or(volume.table.block_sectors);
	if (granule < volume.table.block_sectors || granule > BLKCOPY_GRANULE_SECTORS_MAX)
		return refusal(Status::usage, change.verb(), volume.name(),
			       fmt::format("a granularity is from a block, {} bytes, to 1 GiB",
					   uint64_t{volume.table.block_sectors} * 512));
	add_end_of_note(change, volume, bitmap);
	change.message(volume.info,
		       fmt::format("bitmap add {} {}{}", bitmap, granule,
				   options.disabled ? " " BLKCOPY_BITMAP_DISABLED : ""),
		       "bitmap remove " + bitmap);
	return change.finish(volume.info);
}

Result<Outcome> bitmap_remove(Context &context, const std::string &name, const std::string &bitmap,
			      Run run)
{
	return send(context, name, bitmap, "remove", run);
}

Result<Outcome> bitmap_clear(Context &context, const std::string &name, const std::string &bitmap,
			     Run run)
{
	return send(context, name, bitmap, "clear", run);
}

Result<Outcome> bitmap_enable(Context &context, const std::string &name, const std::string &bitmap,
			      bool enable, Run run)
{
	return send(context, name, bitmap, enable ? "enable" : "disable", run);
}

Result<Outcome> bitmap_freeze(Context &context, const std::string &name, const std::string &bitmap,
			      Run run)
{
	Change change(context, "bitmap freeze", run);
	BLKCTL_TRY(const auto found, find_bitmap(change, name, bitmap));
	if (found.bitmap.state == BLKCOPY_BITMAP_INCONSISTENT)
		change.outcome().note = "it may have missed writes: all counts as changed";
	if (found.bitmap.state == BLKCOPY_BITMAP_FROZEN)
		return refusal(Status::busy, change.verb(), found.volume.name(),
			       fmt::format("bitmap \"{}\" is frozen already", bitmap),
			       fmt::format("blkctl bitmap thaw {} {}, if that backup has failed",
					   found.volume.name(), bitmap));
	add_end_of_instant(change, found.volume, bitmap);
	change.message(found.volume.info, "bitmap freeze " + bitmap, "bitmap thaw " + bitmap);
	return change.finish(found.volume.info);
}

Result<Outcome> bitmap_thaw(Context &context, const std::string &name, const std::string &bitmap,
			    Run run)
{
	Change change(context, "bitmap thaw", run);
	BLKCTL_TRY(const auto found, find_bitmap(change, name, bitmap));
	if (found.bitmap.state != BLKCOPY_BITMAP_FROZEN)
		return refusal(Status::busy, change.verb(), found.volume.name(),
			       fmt::format("bitmap \"{}\" is not frozen", bitmap));
	add_end_of_instant(change, found.volume, bitmap);
	change.message(found.volume.info, "bitmap thaw " + bitmap);
	return change.finish(found.volume.info);
}

Result<Outcome> bitmap_merge(Context &context, const std::string &name, const std::string &bitmap,
			     const std::string &source, Run run)
{
	Change change(context, "bitmap merge", run);
	BLKCTL_TRY(const auto found, find_bitmap(change, name, bitmap));
	const auto *from = look_for(found.volume, source);
	if (!from)
		return no_such(change.verb(), found.volume, source);
	for (const auto *one : {&found.bitmap, from})
		if (one->state == BLKCOPY_BITMAP_INCONSISTENT)
			return inconsistent(change.verb(), found.volume, one->name);
	if (found.bitmap.state == BLKCOPY_BITMAP_FROZEN)
		return refusal(Status::busy, change.verb(), found.volume.name(),
			       fmt::format("bitmap \"{}\" is frozen: a backup reads it", bitmap));
	change.message(found.volume.info, fmt::format("bitmap merge {} {}", bitmap, source));
	return change.finish(found.volume.info);
}

Result<table::BitmapStatus> bitmap_of(const std::string &verb, const Volume &volume,
				      const std::string &bitmap)
{
	const auto *status = look_for(volume, bitmap);

	if (!status)
		return no_such(verb, volume, bitmap);
	return *status;
}

Result<std::vector<BlockRun>> read_bitmap(Context &context, const Volume &volume,
					  const std::string &bitmap)
{
	const auto *status = look_for(volume, bitmap);
	if (!status)
		return no_such("bitmap dump", volume, bitmap);
	if (status->state == BLKCOPY_BITMAP_INCONSISTENT)
		return inconsistent("bitmap dump", volume, bitmap);
	return read_runs(context, volume, "bitmap list " + bitmap, status->dirty_blocks);
}

} // namespace blkctl::volume
