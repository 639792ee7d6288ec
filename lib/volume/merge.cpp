// SPDX-License-Identifier: GPL-2.0-or-later
// commit and stream: two devices become one again, or a layer and the one below it.
#include "volume/boot.hpp"
#include "volume/chain.hpp"
#include "volume/damage.hpp"
#include "volume/leftovers.hpp"
#include "volume/lv.hpp"
#include "volume/metadata.hpp"
#include "volume/uuid.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace blkctl::volume
{

namespace
{

// What the job is about: the volume, or a hidden layer of it.
struct Job {
	Volume volume = {};
	std::vector<Volume> layers = {}; // below the volume, the lowest first
	Volume layer = {}; // the one that is merged; the volume itself if none is named
	table::Mode mode = table::Mode::commit;

	bool is_hidden() const { return number_of(layer) != 0; }
	dm::ResumeOptions options() const
	{
		return {.visibility =
				is_hidden() ? dm::Visibility::hidden : dm::Visibility::visible};
	}
	// The layers below the one that is merged.
	std::vector<Volume> below() const
	{
		auto found = layers;
		const auto end = std::find_if(found.begin(), found.end(), [&](const Volume &each) {
			return each.devno() == layer.devno();
		});
		found.erase(end, found.end());
		return found;
	}
};

// Of a layer's metadata.
std::string meta_file(Context &context, const table::Blkcopy &table)
{
	const auto meta = table.meta_device();

	return meta ? file_behind(context, *meta) : "";
}

// A layer that is needed no more: its loop devices. Its base is another layer, or stays as it is.
void add_loop_releases(Change &change, const Volume &layer)
{
	if (const auto meta = layer.table.meta_device())
		add_loop_release(change, *meta);
	if (layer.table.top)
		add_loop_release(change, layer.table.top->device);
}

/*
 * The entry as the tables are then; the metadata kept of `from` is that of `to` by then. `alone`:
 * all the volume is on by then, if that is one device.
 */
Result<void> add_entry_update(Change &change, const Job &job, unsigned from, unsigned to,
			      const std::optional<table::Leg> &alone)
{
	auto &context = change.context();
	const auto devno = job.volume.devno();
	const auto &name = job.volume.name();

	BLKCTL_TRY(const bool written, is_written_down(context, job.volume));
	if (!written)
		return {};
	if (alone) {
		BLKCTL_TRY(const bool returns, add_return_from(change, job.volume, *alone));
		if (returns)
			return {};
	}
	BLKCTL_CHECK(add_entry(change, job.volume,
			       "write in " + context.tab_file + " what " + name + " is on now",
			       [&context, devno, from,
				to](const auto &before) -> Result<std::optional<tab::Entry>> {
				       auto was = before;
				       if (was && from != to) {
					       std::erase_if(was->layers, [&](const auto &l) {
						       return l.number == to;
					       });
					       for (auto &layer : was->layers)
						       if (layer.number == from)
							       layer.number = to;
				       }
				       BLKCTL_TRY(const auto now, find(context, devno));
				       BLKCTL_TRY(const auto entry, entry_of(context, now, was));
				       return std::optional(entry);
			       }));
	return add_hold(change, job.volume.info);
}

// Metadata that is kept of a layer whose own commit is over.
Result<std::string> kept_file(Context &context, const Job &job, const Volume &layer)
{
	BLKCTL_TRY(const auto entry, find_entry(context, job.volume));

	for (const auto &each : entry ? entry->layers : std::vector<tab::Layer>())
		if (each.number == number_of(layer) && !layer.table.meta_device())
			return each.meta;
	return std::string();
}

/*
 * All of it is in base, and durably so: the metadata says it too. A base that is a layer gives its
 * table, and its state, to the one above. Killed between the switch and the end, files are left.
 */
Result<Outcome> finish_commit(Change &change, const Job &job)
{
	auto &context = change.context();
	const auto &layer = job.layer;
	const auto below = job.below();
	const auto meta = meta_file(context, layer.table);

	change.message(layer.info, "phase finish");
	if (below.empty()) {
		change.load(layer.info, track_table(layer, layer.table.base));
		change.switch_table(layer.info, {}, layer.table.base.device, job.options());
		add_loop_releases(change, layer);
		// What a layer was over is known by its metadata alone.
		if (job.is_hidden())
			return change.finish(layer.info);
		BLKCTL_CHECK(add_entry_update(change, job, 0, 0, layer.table.base));
		add_unmake(change, meta);
		return change.finish(layer.info);
	}
	const auto &lower = below.back();
	if (lower.state() != JobState::none)
		return refusal(Status::busy, change.verb(), job.volume.name(),
			       "the layer below is merged itself",
			       "blkctl commit " + job.volume.name() + " --layer " +
				       std::to_string(number_of(lower)));
	auto table = lower.table;
	table.bitmaps = layer.table.bitmaps;
	change.load(layer.info, blkcopy_table(lower.sectors, table));
	change.switch_table(layer.info, {}, lower.table.base.device, job.options());
	change.remove_hidden(lower.info);
	add_loop_releases(change, layer);
	// Its own commit is over: what is below it now is all there is.
	const bool is_alone =
		!job.is_hidden() && below.size() == 1 && lower.table.mode == table::Mode::track;
	BLKCTL_CHECK(add_entry_update(change, job, number_of(lower), number_of(layer),
				      is_alone ? std::optional(lower.table.base) : std::nullopt));
	add_unmake(change, meta);
	if (is_alone) {
		BLKCTL_TRY(const auto kept, kept_file(context, job, lower));
		add_unmake(change, kept);
	}
	return change.finish(layer.info);
}

// All of it is in top. Every layer below goes.
Result<Outcome> finish_stream(Change &change, const Job &job)
{
	auto &context = change.context();
	const auto &volume = job.volume;
	std::vector<std::string> files;
	auto below = job.layers;

	std::reverse(below.begin(), below.end());
	change.message(volume.info, "phase finish");
	change.load(volume.info, track_table(volume, *volume.table.top));
	change.switch_table(volume.info, {}, volume.table.top->device);
	for (const auto &layer : below) {
		change.remove_hidden(layer.info);
		add_loop_releases(change, layer);
		BLKCTL_TRY(auto kept, kept_file(context, job, layer));
		files.push_back(layer.table.meta_device() ? meta_file(context, layer.table)
							  : std::move(kept));
	}
	add_loop_release(change, *volume.table.meta_device());
	BLKCTL_CHECK(add_entry_update(change, job, 0, 0, *volume.table.top));
	// Whoever is killed in here finds the rest by the metadata that says it is streamed.
	for (const auto &file : files)
		add_unmake(change, file);
	add_unmake(change, meta_file(context, volume.table));
	return change.finish(volume.info);
}

Result<Outcome> start_job(Change &change, const Job &job)
{
	const auto &layer = job.layer;
	auto table = layer.table;

	// Once they are back as they should be there would be two merges at the same time.
	for (const auto &each : job.layers)
		BLKCTL_CHECK(check_came_back_whole(change.context(), change.verb(),
						   job.volume.name(), each));
	table.mode = job.mode;
	table.features.copy_on_read = false;
	table.features.paused = false;
	change.load(layer.info, blkcopy_table(layer.sectors, table));
	change.switch_table(layer.info, {}, {}, job.options());
	change.outcome().copy = copy_id(layer);
	change.outcome().copy->mode = job.mode;
	return change.finish(layer.info);
}

// Whoever says it again wants it done: also of a volume that was made not to be filled.
Result<Outcome> go_on(Change &change, const Volume &layer)
{
	auto table = layer.table;

	table.features.paused = false;
	add_told(change, layer, [table](tab::Entry &entry) { keep_told(table, entry); });
	change.message(layer.info, "copy resume");
	change.outcome().copy = copy_id(layer);
	change.outcome().note = layer.name() + ": it was paused, and goes on";
	return change.finish(layer.info);
}

Result<Job> find_job(Change &change, const MergeRequest &request, table::Mode mode)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto found, change.open(request.name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	Job job{.volume = volume, .layers = {}, .layer = volume, .mode = mode};

	BLKCTL_TRY(job.layers, layers_below(context, volume));
	if (!request.layer)
		return job;
	for (const auto &layer : job.layers)
		if (number_of(layer) == *request.layer) {
			BLKCTL_TRY(job.layer,
				   find_for_change(change, layer.devno(), Hidden::allowed));
			return job;
		}
	return refusal(Status::not_found, change.verb(), volume.name(),
		       "it has no layer " + std::to_string(*request.layer),
		       "blkctl show " + volume.name());
}

// Layers that are merged at the same time would take each other's base away.
Result<void> check_alone(Change &change, const Job &job)
{
	auto all = job.layers;

	all.push_back(job.volume);
	for (const auto &each : all) {
		const auto number = number_of(each);
		if (each.devno() == job.layer.devno() || each.state() == JobState::none)
			continue;
		const auto what = number ? fmt::format("of its layer {}", number) : "of it";
		const auto option = number ? fmt::format(" --layer {}", number) : "";
		const auto word = table::word(each.table.mode);
		return refusal(Status::busy, change.verb(), job.volume.name(),
			       fmt::format("a {} {} runs", word, what),
			       fmt::format("blkctl {} {}{}, to finish it", word, job.volume.name(),
					   option));
	}
	return {};
}

Result<Outcome> run_job(Context &context, const MergeRequest &request, Run run, table::Mode mode)
{
	Change change(context, std::string(word(mode)), run);
	BLKCTL_TRY(const auto job, find_job(change, request, mode));
	const auto &layer = job.layer;
	const auto now = layer.table.mode;
	const bool wanted = now == mode || now == table::Mode::overlay;
	const bool durable = layer.table.is_durable();

	// Before all else: it holds the layers and the metadata that it names, and would go live
	// with the next RESUME of anybody.
	BLKCTL_CHECK(clear_stale(change, job.volume.info));
	if (job.is_hidden())
		BLKCTL_CHECK(clear_stale(change, layer.info));
	// What a killed command has left to do.
	BLKCTL_TRY(const auto leftovers, add_leftovers(change, job.volume, job.layers));
	if (leftovers == Leftovers::of_end && (!durable || now == table::Mode::overlay)) {
		if (durable)
			add_note(change.outcome().note,
				 "only what a killed command had left was cleared away: " +
					 layer.name() +
					 " is a snapshot, and the same again is its end");
		return change.finish(job.volume.info);
	}
	if (leftovers == Leftovers::of_snapshot && !durable)
		return change.finish(job.volume.info);
	BLKCTL_CHECK(check_came_back_whole(context, change.verb(), job.volume.name(), layer));
	if (!durable)
		return refusal(Status::not_found, change.verb(), layer.name(),
			       "it is no overlay: all of it is on one device",
			       "blkctl snapshot " + job.volume.name() + "=STORE");
	if (!wanted)
		return refusal(Status::busy, change.verb(), layer.name(),
			       "a " + std::string(word(now)) + " of it runs",
			       "blkctl " + std::string(word(now)) + " " + job.volume.name() +
				       ", to finish it");
	BLKCTL_CHECK(check_alone(change, job));
	if (layer.is_unreadable())
		return damaged(context, change.verb(), job.volume.name(), layer);
	if (now == table::Mode::overlay)
		return start_job(change, job);

	switch (layer.state()) {
	case JobState::ready:
		return mode == table::Mode::commit ? finish_commit(change, job)
						   : finish_stream(change, job);
	case JobState::needs_attention:
	case JobState::failed:
		return refusal(Status::needs_attention, change.verb(), layer.name(),
			       "it was stopped: " + layer.errors_text(),
			       "blkctl resume " + layer.name() + ", once the device is well");
	case JobState::paused:
		return go_on(change, layer);
	default:
		break;
	}
	change.outcome().copy = copy_id(layer);
	return change.nothing_to_do(layer.info);
}

} // namespace

Result<Outcome> commit(Context &context, const MergeRequest &request, Run run)
{
	return run_job(context, request, run, table::Mode::commit);
}

Result<Outcome> stream(Context &context, const std::string &name, Run run)
{
	return run_job(context, {.name = name}, run, table::Mode::stream);
}

} // namespace blkctl::volume
