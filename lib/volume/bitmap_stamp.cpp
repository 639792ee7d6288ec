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

Result<uint32_t> stamp_at(Context &context, const meta::Superblock &super, const table::Leg &data)
{
	return content_stamp(context.probe, data.device, data.offset, super.geometry.sectors);
}

// Without a stamp the bitmaps would be believed, whatever is written now.
Result<void> write_down(Context &context, DevNo bitmaps, const table::Leg &data, std::string &note)
{
	BLKCTL_TRY(auto written, open_super(context, bitmaps));
	auto &super = written.super;
	const auto stamp = stamp_at(context, super, data);

	if (stamp) {
		super.legs[0].stamp = *stamp;
	} else {
		super.legs[0].stamp.reset();
		super.unsealed = true;
		add_note(note, super.name + ": its data could not be looked at (" +
				       stamp.error().why +
				       "); its bitmaps are inconsistent, and the next backup "
				       "with one is a full one");
	}
	return meta::update_superblock(*written.device, super);
}

Result<void> write_back(Context &context, DevNo bitmaps, uint32_t stamp)
{
	BLKCTL_TRY(auto written, open_super(context, bitmaps));

	written.super.legs[0].stamp = stamp;
	return meta::update_superblock(*written.device, written.super);
}

// Returns the stamp that was taken off, if it was right.
Result<std::optional<uint32_t>> compare(Context &context, DevNo bitmaps, const table::Leg &data,
					std::string &note)
{
	BLKCTL_TRY(auto written, open_super(context, bitmaps));
	auto &super = written.super;
	const auto before = super.legs[0].stamp;

	if (!before)
		return before;
	const auto stamp = stamp_at(context, super, data);
	const bool same = stamp && *stamp == *before;
	super.legs[0].stamp.reset();
	if (!same)
		super.unsealed = true;
	const auto result = meta::update_superblock(*written.device, super);
	// One that stays makes the bitmaps inconsistent for nothing the next time, and no more.
	if (same)
		return result ? before : std::nullopt;
	if (!result)
		return result.error();
	add_note(note,
		 super.name + ": " +
			 (stamp ? "it was written to while it was not active"
				: "its data could not be looked at (" + stamp.error().why + ")") +
			 "; its bitmaps are inconsistent, and the next backup with one is "
			 "a full one");
	return std::optional<uint32_t>();
}

} // namespace

void add_bitmap_stamp(Change &change, const Volume &volume)
{
	auto &context = change.context();
	const auto data = data_of(volume);
	const auto bitmaps = volume.table.bitmaps;

	if (!bitmaps || !data)
		return;
	change.add({"write down what its data looks like, for its bitmaps",
		    [&context, &change, name = volume.name(), bitmaps = *bitmaps,
		     data = *data]() -> Result<void> {
			    auto &note = change.outcome().note;
			    const auto result = write_down(context, bitmaps, data, note);
			    // The volume is gone all the same.
			    if (!result)
				    add_note(note,
					     name +
						     ": what its data looks like could not be "
						     "written down (" +
						     result.error().why +
						     "); writes to it from here on are not "
						     "seen, and in no bitmap");
			    return {};
		    },
		    {}});
}

void add_bitmap_check(Change &change, const Place &bitmaps, std::function<table::Leg()> data)
{
	auto &context = change.context();
	const auto taken = std::make_shared<std::optional<uint32_t>>();

	change.add({"make sure that nobody has written past the bitmaps on " + bitmaps.text,
		    [&context, &change, bitmaps, data = std::move(data), taken]() -> Result<void> {
			    BLKCTL_TRY(*taken, compare(context, *bitmaps.devno, data(),
						       change.outcome().note));
			    return {};
		    },
		    [&context, bitmaps, taken]() -> Result<void> {
			    if (!*taken)
				    return {};
			    return write_back(context, *bitmaps.devno, **taken);
		    }});
}

} // namespace blkctl::volume
