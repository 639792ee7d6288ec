// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/bitmap_stamp.hpp"
#include "volume/content_stamp.hpp"
#include "volume/recorded.hpp"

namespace blkctl::volume
{

namespace
{

// The one device that has all the volume holds, and that a mount of it would write to.
std::optional<table::Leg> data_of(const Volume &volume)
{
	using Phase = table::Phase;
	const auto phase = volume.status.phase;

	switch (volume.table.mode) {
	case table::Mode::track:
	case table::Mode::backup:
		return volume.table.base;
	case table::Mode::mirror:
		return phase == Phase::pivoted ? volume.table.top : volume.table.base;
	case table::Mode::stream:
		return phase == Phase::streamed ? volume.table.top : std::nullopt;
	case table::Mode::commit:
		return phase == Phase::merged ? std::optional(volume.table.base) : std::nullopt;
	case table::Mode::overlay:
		break;
	}
	return std::nullopt;
}

constexpr const char *void_text =
	"; its bitmaps are inconsistent, and the next backup with one is a full one";

// Nothing is believed of them from here on.
Result<void> distrust(meta::Device &device, meta::Superblock super)
{
	super.legs[0].stamp.reset();
	super.unsealed = true;
	return meta::update_superblock(device, super);
}

Result<uint32_t> stamp_at(Context &context, const meta::Superblock &super, const table::Leg &data)
{
	return content_stamp(context.probe, data.device, data.offset, super.geometry.sectors);
}

// Without a stamp, and sealed, the bitmaps would be believed, whatever is written now. What was not
// sealed is, in the same write: a kill in between leaves bitmaps that are inconsistent.
Result<void> write_down(Context &context, DevNo bitmaps, const table::Leg &data, bool was_open,
			std::string &note)
{
	BLKCTL_TRY(auto written, open_super(context, bitmaps));
	auto &super = written.super;
	const auto stamp = stamp_at(context, super, data);

	// One that was not closed speaks of an earlier time; and one that could not even be opened
	// may have been unsealed before.
	const bool good = stamp && super.clean && was_open;
	super.legs[0].stamp = good ? std::optional(*stamp) : std::nullopt;
	super.unsealed = !good;
	if (!good)
		add_note(note, super.name + ": " +
				       (stamp ? "not all could be written to their metadata"
					      : "its data could not be looked at (" +
							stamp.error().why + ")") +
				       void_text);
	return meta::update_superblock(*written.device, super);
}

// The kernel takes a stamp that was right off, when it opens it.
Result<void> compare(Context &context, DevNo bitmaps, const table::Leg &data, std::string &note)
{
	BLKCTL_TRY(auto written, open_super(context, bitmaps));
	auto &super = written.super;
	const auto before = super.legs[0].stamp;

	if (!before)
		return {};
	const auto stamp = stamp_at(context, super, data);
	if (stamp && *stamp == *before)
		return {};
	BLKCTL_CHECK(distrust(*written.device, super));
	add_note(note,
		 super.name + ": " +
			 (stamp ? "it was written to while it was not active"
				: "its data could not be looked at (" + stamp.error().why + ")") +
			 void_text);
	return {};
}

} // namespace

WasOpen add_bitmap_look(Change &change, const Volume &volume)
{
	auto &context = change.context();
	auto was_open = std::make_shared<bool>(false);

	if (volume.table.bitmaps && data_of(volume))
		change.add(
			{"look whether its bitmaps are in order",
			 [&context, bitmaps = *volume.table.bitmaps, was_open]() -> Result<void> {
				 const auto device = context.open_meta(
					 device_path(context, bitmaps), meta::Access::read);
				 const auto super =
					 device ? meta::read_superblock(**device)
						: Result<meta::Superblock>(device.error());
				 *was_open = super && !super->clean && !super->unsealed;
				 return {};
			 },
			 {}});
	return was_open;
}

void add_bitmap_stamp(Change &change, const Volume &volume, const WasOpen &was_open)
{
	auto &context = change.context();
	const auto data = data_of(volume);
	const auto bitmaps = volume.table.bitmaps;

	if (!bitmaps || !data)
		return;
	change.add({"write down what its data looks like, for its bitmaps",
		    [&context, &change, name = volume.name(), bitmaps = *bitmaps, data = *data,
		     was_open]() -> Result<void> {
			    auto &note = change.outcome().note;
			    const auto result = write_down(context, bitmaps, data, *was_open, note);
			    // The volume is gone all the same.
			    if (!result)
				    add_note(note,
					     name +
						     ": what its data looks like could not be "
						     "written down (" +
						     result.error().why +
						     "); if anything writes to it now, make "
						     "its next backup with --full");
			    return {};
		    },
		    {}});
}

void add_bitmap_check(Change &change, const Place &bitmaps, std::function<table::Leg()> data)
{
	auto &context = change.context();

	change.add({"make sure that nobody has written past the bitmaps on " + bitmaps.text,
		    [&context, &change, bitmaps, data = std::move(data)]() -> Result<void> {
			    return compare(context, *bitmaps.devno, data(), change.outcome().note);
		    },
		    {}});
}

Result<void> void_bitmaps(Context &context, const tab::Entry &entry)
{
	BLKCTL_TRY(const auto place, find_place(context, entry.bitmaps));
	const auto path = place.block ? place.block->path : place.file;
	BLKCTL_TRY(const auto device, context.open_meta(path, meta::Access::write));
	BLKCTL_TRY(auto super, meta::read_superblock(*device));

	if (super.mode != meta::Mode::track || super.name != entry.name)
		return {};
	return distrust(*device, super);
}

void add_bitmap_doubt(Change &change, const Place &bitmaps, const std::string &why)
{
	auto &context = change.context();

	change.add({"write down that the bitmaps on " + bitmaps.text + " may have missed writes",
		    [&context, &change, bitmaps, why]() -> Result<void> {
			    BLKCTL_TRY(auto written, open_super(context, *bitmaps.devno));
			    BLKCTL_CHECK(distrust(*written.device, written.super));
			    add_note(change.outcome().note,
				     written.super.name + ": " + why + void_text);
			    return {};
		    },
		    {}});
}

} // namespace blkctl::volume
