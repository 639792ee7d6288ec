// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/backup_item.hpp"
#include "base/files.hpp"
#include "uapi/blkcopy.h"
#include "volume/bitmap_notes.hpp"
#include "volume/bitmaps.hpp"
#include "volume/steps.hpp"
#include "volume/store.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace blkctl::job
{

using volume::refusal;

std::string request_text(const BackupRequest &request, const std::string &group)
{
	// Without a bitmap it is full, said or not.
	const bool full = request.full && !request.bitmap.empty();

	return fmt::format("{} {} {} over \"{}\" bitmap \"{}\" {}, of {}", request.target,
			   transport::word(request.format), full ? "full" : "as is",
			   request.backing, request.bitmap, word(request.bitmap_mode), group);
}

Error bad_target(Status status, const BackupItem &item, std::string why, std::string next)
{
	return refusal(status, backup_verb, item.request.target, std::move(why), std::move(next));
}

Result<void> check_words(const BackupRequest &request)
{
	const auto wrong = [&](std::string why) {
		return refusal(Status::usage, backup_verb, request.name, std::move(why),
			       "blkctl help backup");
	};
	const bool qcow2 = request.format == transport::Format::qcow2;

	if (!request.backing.empty() && (!qcow2 || request.bitmap.empty() || request.full))
		return wrong("only an incremental qcow2 is over another one");
	if (qcow2 && request.is_incremental() && request.backing.empty())
		return wrong("an incremental qcow2 is over the backup before it, which is not "
			     "named; the first one is a full one");
	return {};
}

std::string why_full(volume::Context &context, const BackupItem &item,
		     const table::BitmapStatus &bitmap)
{
	using Kind = volume::BitmapNote::Kind;

	if (bitmap.state == BLKCOPY_BITMAP_INCONSISTENT)
		return "bitmap " + bitmap.name + " may have missed writes: this is a full backup";
	const auto note = volume::bitmap_note(context, item.volume, bitmap.name);
	switch (note.kind) {
	case Kind::backup: {
		const auto before = image_before(context, item.volume, item.request);
		// With none there, a full one would hide what is wrong with the request.
		if (before &&
		    std::find(note.images.begin(), note.images.end(), *before) == note.images.end())
			return "bitmap " + bitmap.name + " does not go on from " +
			       item.request.before() + ": this is a full backup";
		break;
	}
	case Kind::forgotten:
		return "what a backup that failed had to get from bitmap " + bitmap.name +
		       " was forgotten: this is a full backup";
	case Kind::none:
		return "no backup is known that bitmap " + bitmap.name +
		       " goes on from: this is a full backup";
	}
	return {};
}

Result<void> check_image_before(volume::Context &context, const BackupItem &item)
{
	using Kind = volume::BitmapNote::Kind;
	const auto &record = *item.record;

	if (record.full)
		return {};
	const auto note = volume::bitmap_note(context, item.volume, record.bitmap);
	const auto before = image_before(context, item.volume, item.request);
	if (note.kind == Kind::backup && before &&
	    std::find(note.images.begin(), note.images.end(), *before) != note.images.end())
		return {};
	return refusal(Status::failed, backup_verb, item.request.before(),
		       "it is not the image any more that bitmap \"" + record.bitmap +
			       "\" goes on from: it was replaced or written to meanwhile",
		       "the same again with that image back in its place; with this one it is a "
		       "full backup");
}

Result<void> decide(volume::Context &context, BackupItem &item)
{
	const auto &request = item.request;
	auto &record = *item.record;

	record.bitmap = request.bitmap;
	record.full = !request.is_incremental();
	if (!request.bitmap.empty()) {
		BLKCTL_TRY(const auto bitmap,
			   volume::bitmap_of(backup_verb, item.volume, request.bitmap));
		if (bitmap.state == BLKCOPY_BITMAP_DISABLED)
			return refusal(Status::busy, backup_verb, request.name,
				       "bitmap \"" + request.bitmap +
					       "\" is disabled: what has changed is not in it",
				       "blkctl bitmap enable " + request.name + " " +
					       request.bitmap + ", and a backup with --full");
		if (!record.full) {
			item.done.note = why_full(context, item, bitmap);
			record.full = !item.done.note.empty();
		}
	}
	return {};
}

Result<void> look_at_target(volume::Context &context, BackupItem &item)
{
	auto target = check_target(context, item.volume, item.request, item.record->full);
	if (!target) {
		auto error = target.error();
		// That it is a full one may be why.
		if (!item.done.note.empty())
			error.why = item.done.note + ", and " + error.why;
		return error;
	}
	item.target = std::move(*target);
	return {};
}

std::string store_of(volume::Context &context, const BackupItem &item)
{
	if (item.resumed && item.volume.table.top) {
		const auto top = item.volume.table.top->device;
		for (const auto &loop : context.probe.loops())
			if (loop.devno == top)
				return loop.file;
		return top.str();
	}
	if (!item.request.store.empty())
		return item.request.store;
	return context.state_dir + "/" + item.volume.name() + ".backup-store";
}

namespace
{

// What is asked for of the view, and is not in request_text(): one that is there stays as it is.
Result<void> check_same_view(volume::Context &context, const BackupItem &item,
			     const std::string &next)
{
	const auto &request = item.request;
	const auto no = [&](const std::string &why) {
		return refusal(Status::busy, backup_verb, item.volume.name(), why, next);
	};

	if (!item.volume.is_preserving())
		return {};
	if (!request.store.empty() && !volume::has_store(context, item.volume, request.store))
		return no("the store of the one that was interrupted is " +
			  store_of(context, item));
	// The status alone says so: what is written down of a backup has no word for it.
	if (request.whole_view && !item.record->full && item.volume.status.zero > 0)
		return no("the one that was interrupted was without --whole-view");
	return {};
}

// All was written when it was killed, and what bears the name now is that, and as large.
bool has_its_name(volume::Context &context, const BackupItem &item)
{
	auto whole = item.target;

	whole.in_place = true;
	if (item.target.in_place || identity_of(context, whole) != item.record->target)
		return false;
	const auto info = transport::look_at_image(whole.path, whole.format);
	return info && info->bytes == whole.bytes;
}

} // namespace

Result<bool> find_interrupted(volume::Context &context, BackupItem &item, const std::string &wanted)
{
	const auto record = volume::backup_record(context, item.volume.info);
	const bool armed = item.volume.table.mode == table::Mode::backup;
	const auto next = "that command again, or blkctl abort " + item.volume.name();

	if (!record || (!armed && !record->copied))
		return false;
	if (record->request != wanted)
		return refusal(Status::busy, backup_verb, item.volume.name(),
			       "another backup of it was interrupted: " + record->request, next);
	*item.record = *record;
	item.resumed = true;
	BLKCTL_CHECK(check_same_view(context, item, next));
	auto target = find_target(context, item.volume, item.request, record->full);
	if (!target)
		return target.error();
	item.target = std::move(*target);
	// Not begun yet: it will be looked at as if it were new.
	if (record->target.empty() || record->copied)
		return true;
	if (record->renaming && has_its_name(context, item)) {
		// The kill may have come before this, and the bits go next.
		BLKCTL_CHECK(sync_folder_of(item.target.path));
		// A link to it, where names are given by links.
		if (identity_of(context, item.target) == record->target)
			drop_target(item.target);
		item.record->copied = true;
		item.record->image = image_of(context, item.target, record->id).value_or("");
		return true;
	}
	if (identity_of(context, item.target) != record->target ||
	    !is_unfinished(context, item.target, record->id))
		return refusal(Status::busy, backup_verb, item.target.file(),
			       "it is not what this backup was written to",
			       "blkctl abort " + item.volume.name());
	return true;
}

} // namespace blkctl::job
