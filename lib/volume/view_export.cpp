// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/view_export.hpp"
#include "table/view.hpp"
#include "uapi/blkcopy.h"
#include "volume/bitmaps.hpp"
#include "volume/cache.hpp"
#include "volume/lock.hpp"
#include "volume/steps.hpp"
#include <fmt/format.h>

namespace blkctl::volume
{

namespace
{

constexpr const char *export_verb = "export";

constexpr uint64_t sector_size = 512;

// Who freezes, thaws or clears a bitmap has the lock for moments.
constexpr std::chrono::seconds lock_patience{10};

Result<transport::ExportedBitmap> kept_by(Context &context, const Volume &volume,
					  const std::string &bitmap)
{
	// Refuses one that is not there, or inconsistent.
	BLKCTL_TRY(const auto runs, read_bitmap(context, volume, bitmap));
	BLKCTL_TRY(const auto status, bitmap_of(export_verb, volume, bitmap));
	if (status.state != BLKCOPY_BITMAP_FROZEN || frozen_bitmap(context, volume.info) != bitmap)
		return refusal(Status::busy, export_verb, volume.name(),
			       fmt::format("bitmap \"{}\" was not frozen at the view's instant: "
					   "what it has is not of the view",
					   bitmap),
			       fmt::format("blkctl view with --bitmap {}, of a new view", bitmap));
	return transport::ExportedBitmap{.name = bitmap,
					 .granularity = volume.status.block_sectors * sector_size,
					 .dirty = ranges_of(volume, runs)};
}

// The volume that a device is a view of.
Result<DevNo> volume_of(Context &context, const dm::Info &info)
{
	BLKCTL_TRY(const auto live, context.dm.table(info.devno, dm::Slot::live, false));
	if (live.size() != 1 || live[0].type != BLKCOPY_VIEW_TARGET)
		return refusal(Status::not_found, export_verb, info.name,
			       "it is no view of a volume", "blkctl help view");
	BLKCTL_TRY(const auto params, table::parse_view(live[0].params));
	return params.live;
}

} // namespace

Result<ViewExport> view_export(Context &context, const std::string &view,
			       const std::vector<std::string> &bitmaps)
{
	BLKCTL_TRY(const auto info, find_device(context, view));
	BLKCTL_TRY(const auto devno, volume_of(context, info));
	BLKCTL_TRY(const auto lock, Lock::volume(context.run_dir, devno, lock_patience));
	BLKCTL_TRY(const auto volume, find(context, devno));
	ViewExport found;

	if (!volume.is_preserving())
		return refusal(Status::failed, export_verb, info.name,
			       fmt::format("nothing can be read from it any more: {} does not keep "
					   "old data for it",
					   volume.name()),
			       "blkctl remove " + info.name);
	found.volume = volume.name();
	found.request.path = device_path(context, info.devno);
	found.request.bytes = volume.sectors * sector_size;
	found.request.name = info.name;
	for (const auto &bitmap : bitmaps) {
		BLKCTL_TRY(auto exported, kept_by(context, volume, bitmap));
		found.request.bitmaps.push_back(std::move(exported));
	}
	return found;
}

} // namespace blkctl::volume
