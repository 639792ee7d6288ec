// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/volume.hpp"
#include "table/view.hpp"
#include "uapi/blkcopy.h"
#include "volume/uuid.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

// Layers that are looked through; nobody makes so many.
constexpr int deepest = 32;

constexpr std::string_view mapper_folder = "/dev/mapper/";

Error not_found(std::string_view text, std::string why, std::string next = "blkctl list")
{
	return {.status = Status::not_found,
		.what = "find",
		.device = std::string(text),
		.why = std::move(why),
		.next = std::move(next)};
}

bool is_volume_table(const dm::Table &table)
{
	return table.size() == 1 && table[0].type == BLKCOPY_TARGET;
}

Kind kind_of(Context &context, const dm::Info &info, const table::Blkcopy &table)
{
	if (is_volume_uuid(info.uuid))
		return Kind::created;
	auto base = context.dm.info(table.base.device);
	// Layers are the volume's own, whatever is below them.
	for (int i = 0; base && is_layer_uuid(base->uuid) && i < deepest; i++) {
		const auto live = context.dm.table(base->devno, dm::Slot::live, false);
		const auto parsed = live && is_volume_table(*live)
					    ? table::parse_blkcopy((*live)[0].params)
					    : Result<table::Blkcopy>(Error{});
		base = parsed ? context.dm.info(parsed->base.device) : Result<dm::Info>(Error{});
	}
	return base && is_hidden_uuid(base->uuid) ? Kind::stacked : Kind::absorbed;
}

// Table and status are two calls: a switch between them makes a pair that never was.
constexpr int read_tries = 5;

// False if they are of two tables.
Result<bool> read_lines(Context &context, Volume &volume)
{
	const auto devno = volume.devno();
	BLKCTL_TRY(const auto live, context.dm.table(devno, dm::Slot::live, false));
	if (live.size() == 1 && live[0].type == BLKCOPY_VIEW_TARGET) {
		BLKCTL_TRY(const auto view, table::parse_view(live[0].params));
		return not_found(volume.name(), "it is a view of " + view.live.str(),
				 "blkctl show " + view.live.str());
	}
	if (!is_volume_table(live))
		return not_found(volume.name(), "not a volume of blkctl",
				 "blkctl attach " + volume.name());
	BLKCTL_TRY(const auto status, context.dm.status(devno));
	if (!is_volume_table(status))
		return not_found(volume.name(), "its table was replaced just now");

	volume.sectors = dm::table_sectors(live);
	BLKCTL_TRY(volume.table, table::parse_blkcopy(live[0].params));
	BLKCTL_TRY(volume.status, table::parse_status(status[0].params));
	return volume.table.mode == volume.status.mode;
}

Result<Volume> read_volume(Context &context, const dm::Info &info)
{
	Volume volume;

	volume.info = info;
	volume.lvm = is_lvm_uuid(info.uuid);
	for (int i = 0; i < read_tries; i++) {
		BLKCTL_TRY(const bool whole, read_lines(context, volume));
		if (!whole)
			continue;
		volume.kind = kind_of(context, info, volume.table);
		return volume;
	}
	return Error{.status = Status::busy,
		     .what = "look at",
		     .device = info.name,
		     .why = "its table changes all the time"};
}

} // namespace

std::string_view word(Kind kind)
{
	switch (kind) {
	case Kind::created:
		return "created";
	case Kind::absorbed:
		return "absorbed";
	case Kind::stacked:
		break;
	}
	return "stacked";
}

std::string_view word(JobState state)
{
	switch (state) {
	case JobState::none:
		return "none";
	case JobState::copying:
		return "copying";
	case JobState::paused:
		return "paused";
	case JobState::ready:
		return "ready";
	case JobState::pivoted:
		return "pivoted";
	case JobState::aborted:
		return "aborted";
	case JobState::failed:
		return "failed";
	case JobState::needs_attention:
		return "needs-attention";
	case JobState::preserving:
		break;
	}
	return "preserving";
}

bool Volume::is_unreadable() const
{
	return table.is_durable() && status.health == table::Health::fail;
}

bool Volume::is_preserving() const
{
	return table.mode == table::Mode::backup && status.phase == table::Phase::preserving;
}

bool Volume::is_filling() const
{
	return is_preserving() && !table.features.paused;
}

JobState Volume::state() const
{
	// An older module does not say who it was; then errors are taken for the reason.
	const auto cause = status.cause.value_or(table::Cause::none);
	const bool by_policy = cause == table::Cause::none
				       ? status.base_errors != 0 || status.top_errors != 0
				       : cause == table::Cause::policy;

	// An overlay lasts as it is: nothing is done to it.
	if (table.mode == table::Mode::track || table.mode == table::Mode::overlay)
		return JobState::none;
	// Whatever it says of the rest: where some of its blocks are is not known.
	if (is_unreadable())
		return JobState::failed;
	switch (status.phase) {
	case table::Phase::idle:
	case table::Phase::copying:
	case table::Phase::streaming:
	case table::Phase::merging:
		break;
	case table::Phase::synced:
	case table::Phase::streamed:
	case table::Phase::merged:
		return JobState::ready;
	case table::Phase::pivoted:
		return JobState::pivoted;
	case table::Phase::preserving:
		return status.cause == table::Cause::policy ? JobState::needs_attention
							    : JobState::preserving;
	case table::Phase::broken:
	case table::Phase::aborted:
		return by_policy ? JobState::failed : JobState::aborted;
	}
	if (status.health == table::Health::fail)
		return JobState::failed;
	if (!table.features.paused)
		return JobState::copying;
	return by_policy ? JobState::needs_attention : JobState::paused;
}

std::string Volume::errors_text() const
{
	return std::to_string(status.base_errors) + " errors of the source, " +
	       std::to_string(status.top_errors) + " of the target";
}

CopyId copy_id(const Volume &volume)
{
	return {.mode = volume.table.mode,
		.device = volume.devno(),
		.uuid = volume.info.uuid,
		.name = volume.name(),
		.base = volume.table.base,
		.top = volume.table.top};
}

Fate fate(const CopyId &id, const Volume &now)
{
	// A commit ends on its base, and goes on to nothing else.
	if (id.mode == table::Mode::commit && now.table.mode != table::Mode::commit)
		return Fate::pivoted;
	if (now.table.base == id.base)
		return now.table.top == id.top ? Fate::there : Fate::aborted;
	return now.table.base == id.top ? Fate::pivoted : Fate::replaced;
}

Result<dm::Info> find_device(Context &context, std::string_view text)
{
	const bool is_path = text.find('/') != std::string_view::npos;

	if (!is_path && !parse_devno(text)) {
		auto by_name = context.dm.find_name(text);
		if (by_name || by_name.error().status != Status::not_found)
			return by_name;
	}
	const auto devno = context.probe.resolve(text);
	if (devno) {
		auto by_number = context.dm.info(*devno);
		if (!by_number && by_number.error().status == Status::not_found)
			return not_found(text, "not a device-mapper device");
		return by_number;
	}
	// The node may be late, or udev absent.
	if (text.starts_with(mapper_folder))
		return context.dm.find_name(text.substr(mapper_folder.size()));
	return not_found(text, "no such volume or device");
}

Result<Volume> find(Context &context, DevNo device)
{
	BLKCTL_TRY(const auto info, context.dm.info(device));
	return read_volume(context, info);
}

Result<Volume> find(Context &context, std::string_view text)
{
	BLKCTL_TRY(const auto info, find_device(context, text));
	return find(context, info.devno);
}

Result<Listing> list(Context &context)
{
	Listing found;
	BLKCTL_TRY(const auto listed, context.dm.list());

	for (const auto &device : listed) {
		const auto live = context.dm.table(device.devno, dm::Slot::live, false);
		if (!live || !is_volume_table(*live))
			continue;
		const auto info = context.dm.info(device.devno);
		if (!info || is_layer_uuid(info->uuid))
			continue;
		auto volume = read_volume(context, *info);
		// It may have gone since it was listed.
		if (!volume && volume.error().status == Status::not_found)
			continue;
		if (volume)
			found.volumes.push_back(std::move(*volume));
		else
			found.unreadable.push_back({info->devno, volume.error()});
	}
	std::sort(found.volumes.begin(), found.volumes.end(),
		  [](const Volume &a, const Volume &b) { return a.name() < b.name(); });
	return found;
}

std::string device_path(Context &context, DevNo device)
{
	const auto found = context.probe.describe(device);
	return found && !found->path.empty() ? found->path : device.str();
}

} // namespace blkctl::volume
