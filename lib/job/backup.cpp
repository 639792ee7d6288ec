// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/backup.hpp"
#include "base/random.hpp"
#include "base/size.hpp"
#include "job/backup_copy.hpp"
#include "job/backup_item.hpp"
#include "volume/bitmap_notes.hpp"
#include "volume/bitmaps.hpp"
#include "volume/cache.hpp"
#include "volume/lock.hpp"
#include "volume/view.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <unistd.h>

namespace blkctl::job
{

namespace
{

using volume::refusal;

constexpr auto lock_timeout = std::chrono::seconds(2);

// Whoever backs a volume up has it.
std::string job_lock(const std::string &name)
{
	return volume::backup_view(name) + ".job";
}

struct Work {
	volume::Context &context;
	const BackupOptions &options;
	std::vector<BackupItem> items = {};
	std::vector<volume::Lock> locks = {};
	BackupResult result = {};
	bool may_come_back = false;

	std::vector<std::string> names() const;
	Result<void> lock(const std::string &name);
	Result<void> check_distinct() const;
	Result<void> check_group(const std::string &id) const;
	Result<void> open(const std::vector<BackupRequest> &requests, volume::Run run);
	bool is_copied() const;
	std::optional<Error> broken() const;
	void say_note(const BackupItem &item) const;
	Result<void> arm(volume::Run run);
	Result<std::vector<Range>> ranges_of(const BackupItem &item) const;
	Result<std::unique_ptr<transport::Image>> open_image(BackupItem &item) const;
	Result<void> note_kept(BackupItem &item) const;
	CopyHooks hooks_of(BackupItem &item, BackupStage stage, uint64_t total,
			   uint64_t before) const;
	Result<bool> copy(BackupItem &item);
	Result<bool> run_all();
	void note_left() const;
	Result<void> end(bool clear);
	Error interrupted() const;
};

std::vector<std::string> Work::names() const
{
	std::vector<std::string> names;

	for (const auto &item : items)
		names.push_back(item.volume.name());
	return names;
}

// A name is somebody's for as long as this call works.
Result<void> Work::lock(const std::string &name)
{
	auto lock = volume::Lock::name(context.run_dir, name, lock_timeout);
	if (!lock)
		return lock.error();
	locks.push_back(std::move(*lock));
	return {};
}

// No two targets or stores are one.
Result<void> Work::check_distinct() const
{
	std::set<std::string> keys;

	for (const auto &item : items)
		for (const auto &each : {item.request.target, store_of(context, item)})
			if (!keys.insert(key_of(context, each)).second)
				return refusal(Status::usage, backup_verb, each,
					       "it cannot be two of the targets and stores");
	return {};
}

// Several that go on are the ones that were begun together.
Result<void> Work::check_group(const std::string &id) const
{
	const auto is_other = [&](const BackupItem &item) {
		return !item.resumed || item.record->id != id;
	};

	if (std::none_of(items.begin(), items.end(), is_other))
		return {};
	return refusal(Status::busy, backup_verb, items.front().volume.name(),
		       "of some of these a backup was interrupted, of another instant",
		       "blkctl abort of each of them");
}

Result<void> Work::open(const std::vector<BackupRequest> &requests, volume::Run run)
{
	BLKCTL_TRY(const auto fresh_id, random_hex());
	std::vector<dm::Info> infos;
	std::string group, id;

	for (const auto &request : requests) {
		BLKCTL_CHECK(check_words(request));
		BLKCTL_TRY(const auto info, volume::find_device(context, request.name));
		group += (group.empty() ? "" : ", ") + info.name;
		// Before its lock is, which is ours.
		for (const auto &other : infos)
			if (other.devno == info.devno)
				return refusal(Status::usage, backup_verb, info.name,
					       "it is named twice");
		infos.push_back(info);
	}
	for (size_t i = 0; i < requests.size(); i++) {
		const auto &request = requests[i];
		const auto &info = infos[i];
		BackupItem item{.request = request};
		item.view = volume::backup_view(info.name);
		if (run == volume::Run::doit && !lock(job_lock(info.name)))
			return refusal(Status::busy, backup_verb, info.name, "a backup of it runs",
				       "blkctl show " + info.name);
		BLKCTL_TRY(item.volume, volume::find(context, info.devno));
		item.request.name = item.volume.name();
		const auto wanted = request_text(item.request, group);
		BLKCTL_TRY(const bool found, find_interrupted(context, item, wanted));
		if (found)
			id = item.record->id;
		else
			BLKCTL_CHECK(decide(context, item));
		item.record->request = wanted;
		item.record->path = request.target;
		item.done.name = item.volume.name();
		item.done.target = request.target;
		item.done.full = item.record->full;
		item.done.resumed = found;
		if (found && item.record->copied && request.verify)
			item.done.note = "it was copied before this call, which does not compare "
					 "it any more";
		items.push_back(std::move(item));
	}
	BLKCTL_CHECK(check_distinct());
	if (!id.empty())
		BLKCTL_CHECK(check_group(id));
	for (auto &item : items) {
		if (id.empty())
			item.record->id = fresh_id;
		if (run == volume::Run::doit && !lock(lock_name_of(context, item.request.target)))
			return bad_target(
				Status::busy, item,
				"another backup is written to it, or it is being restored");
		// Behind the lock: the backup that had it may have left an image there.
		if (item.record->target.empty())
			BLKCTL_CHECK(look_at_target(context, item));
	}
	return {};
}

void Work::say_note(const BackupItem &item) const
{
	if (!item.done.note.empty())
		options.on_note(item.volume.name(), item.done.note);
}

// The views, all of one instant.
Result<void> Work::arm(volume::Run run)
{
	std::vector<volume::ViewRequest> requests;

	for (auto &item : items) {
		if (item.record->copied)
			continue;
		const auto store = store_of(context, item);
		const auto loops = context.probe.loops();
		const bool in_use = std::any_of(loops.begin(), loops.end(), [&](const auto &loop) {
			return loop.file == store;
		});
		requests.push_back({.name = item.volume.name(),
				    .view = item.view,
				    .store = store,
				    .bitmap = item.request.bitmap,
				    // What is not copied needs no room in the store.
				    .only_changed = !item.record->full && !item.request.whole_view,
				    .on_store_error = item.request.on_store_error,
				    .fill = item.request.fill,
				    .no_freeze = item.request.no_freeze,
				    .force = item.request.force,
				    .record = item.record,
				    .again = item.resumed});
		// Of one that ended with the host.
		if (run == volume::Run::doit && !item.resumed && item.request.store.empty() &&
		    !in_use)
			BLKCTL_CHECK(context.loops.unmake(store));
		if (!item.resumed && !context.probe.resolve(store) &&
		    access(store.c_str(), F_OK) != 0)
			item.record->store = store;
	}
	BLKCTL_TRY(const auto outcome, volume::view_all(context, requests, run));
	result.steps = outcome.steps;
	result.stall_ms = outcome.stall_ms;
	result.freeze_ms = outcome.freeze_ms;
	if (run == volume::Run::dry)
		return {};
	for (auto &item : items) {
		BLKCTL_TRY(item.volume, volume::find(context, item.volume.devno()));
		if (!item.record->copied)
			BLKCTL_CHECK(note_kept(item));
	}
	return {};
}

// How many blocks are in the bitmap: with another number it is another freeze, by somebody else.
Result<void> Work::note_kept(BackupItem &item) const
{
	auto &record = *item.record;

	if (record.bitmap.empty())
		return {};
	BLKCTL_TRY(const auto bitmap, volume::bitmap_of(backup_verb, item.volume, record.bitmap));
	if (record.kept && *record.kept != bitmap.dirty_blocks)
		return refusal(Status::busy, backup_verb, item.volume.name(),
			       "bitmap \"" + record.bitmap +
				       "\" was frozen anew: it is not of the view's instant",
			       "blkctl abort " + item.volume.name());
	if (record.kept)
		return {};
	// It was decided before the freeze, and from here on nobody clears it.
	if (!record.full && !why_full(context, item, bitmap).empty())
		return refusal(Status::busy, backup_verb, item.volume.name(),
			       "bitmap \"" + record.bitmap + "\" was cleared just now",
			       "blkctl abort " + item.volume.name() + ", and the same again");
	record.kept = bitmap.dirty_blocks;
	return volume::update_backup(context, item.volume.info, record);
}

Result<std::vector<Range>> Work::ranges_of(const BackupItem &item) const
{
	if (item.record->full)
		return std::vector<Range>{{0, item.bytes()}};
	BLKCTL_TRY(const auto runs, volume::read_bitmap(context, item.volume, item.record->bitmap));
	return volume::ranges_of(item.volume, runs);
}

// Which file or device it is is written down before a byte is written to it.
Result<std::unique_ptr<transport::Image>> Work::open_image(BackupItem &item) const
{
	auto &record = *item.record;

	if (!record.target.empty()) {
		BLKCTL_TRY(auto image, open_target(context, item.target));
		// As what it was left is past with the first byte.
		BLKCTL_CHECK(note_unfinished(context, item.target, record.full, record.id));
		return image;
	}
	BLKCTL_TRY(auto image, begin_target(context, item.target));
	BLKCTL_CHECK(note_backing(item.target));
	// Behind the note of what it is over: what is written to after this look shows by that.
	const auto good = check_image_before(context, item);
	if (!good) {
		drop_target(item.target);
		return good.error();
	}
	BLKCTL_CHECK(note_unfinished(context, item.target, record.full, record.id));
	record.target = identity_of(context, item.target).value_or("");
	record.done = 0;
	BLKCTL_CHECK(volume::update_backup(context, item.volume.info, record));
	return image;
}

CopyHooks Work::hooks_of(BackupItem &item, BackupStage stage, uint64_t total, uint64_t before) const
{
	CopyHooks hooks;

	hooks.cancelled = options.cancelled;
	if (options.on_progress)
		hooks.on_progress =
			progress_of(total, before, options.interval,
				    [this, &item, stage](const Job &job, const Meter &meter) {
					    options.on_progress(item.request, stage, job, meter);
				    });
	if (stage == BackupStage::copying)
		hooks.on_safe = [this, &item](uint64_t offset) {
			item.record->done = offset;
			(void)volume::update_backup(context, item.volume.info, *item.record);
		};
	return hooks;
}

// The view is broken when its store is: that is why it cannot be read.
Error explain(volume::Context &context, const BackupItem &item, Error error)
{
	const auto now = volume::find(context, item.volume.devno());

	error.what = backup_verb;
	if (now && now->status.phase == table::Phase::broken) {
		error.device = item.volume.name();
		error.why = "its store has failed or is full, and with it the view is gone";
		error.next = "blkctl backup with another --store";
	}
	return error;
}

bool Work::is_copied() const
{
	return std::all_of(items.begin(), items.end(),
			   [](const BackupItem &item) { return item.record->copied; });
}

// An interrupted one that there is nothing left of to go on with.
std::optional<Error> Work::broken() const
{
	for (const auto &item : items)
		if (item.resumed && !item.record->copied && !item.volume.is_preserving())
			return explain(context, item,
				       bad_target(Status::failed, item, "the view has ended"));
	return std::nullopt;
}

// False: it was interrupted.
Result<bool> Work::copy(BackupItem &item)
{
	const auto total_ranges = ranges_of(item);
	if (!total_ranges)
		return explain(context, item, total_ranges.error());
	const auto view = context.dm.find_name(item.view);
	if (!view)
		return view.error();
	auto source = options.open_view(volume::device_path(context, view->devno));
	if (!source)
		return explain(context, item, source.error());
	const bool begun = !item.record->target.empty();
	auto target = open_image(item);
	may_come_back = !target && begun;
	if (!target)
		return explain(context, item, target.error());
	item.opened = true;
	const auto total = total_of(*total_ranges);
	const auto left = from(*total_ranges, item.record->done);

	item.done.bytes = total;
	// A part that is made anew reads as zeroes, but for what it is over.
	const CopyStyle style{.fresh = !item.target.in_place && item.record->full,
			      .bytes_per_second = item.request.bytes_per_second};
	auto hooks = hooks_of(item, BackupStage::copying, total, total - total_of(left));
	hooks.on_progress(0);
	auto moved = copy_ranges(**source, **target, left, style, hooks);
	if (!moved)
		return explain(context, item, moved.error());
	item.done.data = moved->data;
	item.done.zeros = moved->zeros;
	// What was written before an interruption others may have overwritten on a device.
	const bool verify = item.request.verify || (begun && item.target.device);
	if (!moved->cancelled && verify) {
		moved = compare_ranges(**source, **target, *total_ranges,
				       hooks_of(item, BackupStage::verifying, total, 0));
		if (!moved)
			return explain(context, item, moved.error());
	}
	const auto closed = (*target)->close();
	if (!closed)
		return explain(context, item, closed.error());
	// It may have broken after the last read, and before what that had found was gone over.
	BLKCTL_TRY(const auto now, volume::find(context, item.volume.devno()));
	if (!now.is_preserving())
		return explain(context, item,
			       bad_target(Status::failed, item, "the view has ended"));
	if (moved->cancelled)
		return false;
	// Only what is still ours, and still what we have written to, gets a name.
	item.record->renaming = !item.target.in_place;
	BLKCTL_CHECK(volume::update_backup(context, item.volume.info, *item.record));
	if (identity_of(context, item.target) != item.record->target)
		return bad_target(Status::failed, item, "somebody has replaced it meanwhile");
	const auto named = finish_target(context, item.volume, item.request, item.target);
	// All of it is written: the same again has only to name it.
	may_come_back = !named && named.error().status == Status::busy;
	if (!named)
		return named.error();
	item.record->copied = true;
	// Now: until its end, where others come after it, somebody else may write to it.
	item.record->image = image_of(context, item.target, item.record->id).value_or("");
	BLKCTL_CHECK(volume::update_backup(context, item.volume.info, *item.record));
	return true;
}

Error Work::interrupted() const
{
	return refusal(Status::timed_out, backup_verb, items.front().volume.name(),
		       "interrupted; the volume keeps what it held",
		       "the same command to go on, or blkctl abort " + items.front().volume.name());
}

Result<bool> Work::run_all()
{
	for (auto &item : items) {
		if (item.record->copied)
			continue;
		BLKCTL_TRY(const bool whole, copy(item));
		if (!whole)
			return false;
	}
	return true;
}

// Of what another call has written to, or somebody has replaced, nobody knows whose it is by now.
void Work::note_left() const
{
	const auto is_ours = [&](const BackupItem &item) {
		const auto &target = item.record->target;
		return target.empty() ||
		       (item.opened && identity_of(context, item.target) == target);
	};

	for (const auto &item : items)
		if (!item.record->copied && is_ours(item))
			job::note_left(context, item.target, item.record->id);
}

Result<void> Work::end(bool clear)
{
	bool noted = true;

	for (const auto &item : items) {
		const auto &bitmap = item.record->bitmap;
		if (item.record->copied) {
			note_finished(context, item.target, item.record->id);
			// Before its bits go. They are kept if it cannot be noted: without them
			// nothing goes on from what the old note says. One that was killed behind
			// its switch has done both; or it was given up then, which keeps the bits.
			if (!bitmap.empty() && item.volume.table.mode == table::Mode::backup)
				noted = volume::note_backup(context, item.volume.info, *item.record,
							    !clear) &&
					noted;
			continue;
		}
		if (identity_of(context, item.target) == item.record->target)
			drop_target(item.target);
		// What it was to get is forgotten: the next one cannot mend it. It is kept if that
		// cannot be written down.
		if (clear)
			noted = noted &&
				note_unfinished(context, item.target, true, item.record->id) &&
				(bitmap.empty() ||
				 volume::note_forgotten(context, item.volume, bitmap));
	}
	note_left();
	for (auto &item : items) {
		if (!clear || noted || item.record->bitmap.empty())
			continue;
		item.done.note =
			"its bitmap keeps its bits: what they are would be written down in " +
			context.state_dir + ", and cannot be";
		say_note(item);
	}
	BLKCTL_TRY(const auto outcome, volume::end_backup(context, names(), items[0].record->id,
							  clear && noted, volume::Run::doit));
	result.steps.insert(result.steps.end(), outcome.steps.begin(), outcome.steps.end());
	return {};
}

} // namespace

std::optional<BackupLeft> backup_of(volume::Context &context, const volume::Volume &volume)
{
	const auto record = volume::backup_record(context, volume.info);

	if (!record || (volume.table.mode != table::Mode::backup && !record->copied))
		return std::nullopt;
	// Shared: who only looks is nobody that works.
	const auto lock = volume::Lock::shared_name(context.run_dir, job_lock(volume.name()),
						    std::chrono::milliseconds(0));
	return BackupLeft{.target = record->path,
			  .full = record->full,
			  .bitmap = record->bitmap,
			  .runs = !lock && lock.error().status == Status::busy,
			  .copied = record->copied,
			  .safe_bytes = record->done};
}

Result<BackupResult> backup(volume::Context &context, const std::vector<BackupRequest> &requests,
			    const BackupOptions &options, volume::Run run)
{
	Work work{.context = context, .options = options};
	const auto mode = requests.front().bitmap_mode;

	BLKCTL_CHECK(work.open(requests, run));
	if (const auto broken = work.broken()) {
		if (run == volume::Run::doit)
			BLKCTL_CHECK(work.end(mode == BitmapMode::always));
		return *broken;
	}
	for (const auto &item : work.items)
		work.say_note(item);
	// One that was killed in its end has no view and no frozen bitmap any more.
	if (!work.is_copied())
		BLKCTL_CHECK(work.arm(run));
	if (run == volume::Run::dry) {
		for (auto &item : work.items) {
			const auto ranges = work.ranges_of(item);
			const auto bytes = ranges ? total_of(*ranges) : item.bytes();
			item.done.bytes = bytes;
			work.result.steps.push_back(fmt::format(
				"copy {} of it to {}", format_size(bytes), item.request.target));
			work.result.steps.push_back("remove " + item.view);
			work.result.volumes.push_back(item.done);
		}
		return std::move(work.result);
	}
	const auto whole = work.run_all();
	if (whole && !*whole) {
		work.note_left();
		return work.interrupted();
	}
	// What it was written to is not there now, or its name is taken: neither need stay so.
	if (!whole && work.may_come_back)
		return whole.error();
	const auto ended = work.end(whole ? mode != BitmapMode::never : mode == BitmapMode::always);
	if (!whole)
		return whole.error();
	if (!ended)
		return ended.error();
	for (auto &item : work.items)
		work.result.volumes.push_back(std::move(item.done));
	return std::move(work.result);
}

} // namespace blkctl::job
