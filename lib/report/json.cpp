// SPDX-License-Identifier: GPL-2.0-or-later
// The JSON of reports, outcomes, progress, events and errors. Members are only ever added; a
// change of meaning would be a new schema number.
#include "report/json.hpp"
#include "report/json_event.hpp"
#include "volume/boot.hpp"
#include "volume/chain.hpp"
#include "volume/damage.hpp"
#include <boost/json.hpp>

namespace json = boost::json;

namespace blkctl::report
{

namespace
{

constexpr int schema = 1;
constexpr uint64_t bytes_in_sector = 512;

json::value text_or_null(const std::string &text)
{
	return text.empty() ? json::value(nullptr) : json::value(text);
}

template <class T> json::value value_or_null(const std::optional<T> &value)
{
	return value ? json::value(*value) : json::value(nullptr);
}

json::object device_object(DevNo device, const std::string &path, uint64_t offset)
{
	json::object object;

	object["device"] = device.str();
	object["path"] = text_or_null(path);
	object["offset_bytes"] = offset * bytes_in_sector;
	return object;
}

json::object job_object(const job::Job &job)
{
	json::object object;

	object["state"] = job::word(job.state);
	object["percent"] = job.percent();
	object["total_bytes"] = job.total_bytes;
	object["done_bytes"] = job.done_bytes;
	object["copied_bytes"] = job.copied_bytes;
	object["inflight_bytes"] = job.inflight_bytes;
	object["rate_bytes"] = job.rate_bytes;
	object["rate_limit_bytes"] = value_or_null(job.rate_limit_bytes);
	object["source_errors"] = job.base_errors;
	object["target_errors"] = job.top_errors;
	return object;
}

json::object blocks_object(const table::BlkcopyStatus &status)
{
	json::object object;

	object["base_only"] = status.base_only;
	object["both"] = status.both;
	object["top_only"] = status.top_only;
	object["zero"] = status.zero;
	object["total"] = status.total;
	return object;
}

json::value job_value(const Row &row)
{
	const auto &params = row.volume.table.params;

	if (row.job.state == job::State::none)
		return nullptr;
	auto object = job_object(row.job);
	object["copy_mode"] = word(params.copy_mode.value_or(table::CopyMode::dual));
	object["on_source_error"] = word(params.on_base_error.value_or(table::Policy::report));
	object["on_target_error"] = word(params.on_top_error.value_or(table::Policy::report));
	object["fills"] = row.volume.is_filling();
	if (row.volume.table.top)
		object["target"] = device_object(row.volume.table.top->device, row.target_path,
						 row.volume.table.top->offset);
	return object;
}

json::array bitmaps_array(const table::BlkcopyStatus &status)
{
	json::array list;

	for (const auto &bitmap : status.bitmaps) {
		json::object object;
		object["name"] = bitmap.name;
		object["state"] = bitmap.state;
		object["dirty_blocks"] = bitmap.dirty_blocks;
		object["dirty_bytes"] =
			bitmap.dirty_blocks * status.block_sectors * bytes_in_sector;
		object["block_bytes"] = status.block_sectors * bytes_in_sector;
		object["granularity_bytes"] = value_or_null(bitmap.granule_bytes());
		list.push_back(std::move(object));
	}
	return list;
}

json::value last_value(const std::optional<volume::LastSwitch> &last)
{
	if (!last)
		return nullptr;
	json::object object;
	object["verb"] = last->verb;
	object["time"] = last->time;
	object["stall_ms"] = last->stall_ms;
	object["target"] = last->target ? json::value(last->target->str()) : json::value(nullptr);
	return object;
}

json::value backup_value(const std::optional<job::BackupLeft> &backup)
{
	if (!backup)
		return nullptr;
	json::object object;
	object["target"] = text_or_null(backup->target);
	object["full"] = backup->full;
	object["bitmap"] = text_or_null(backup->bitmap);
	object["runs"] = backup->runs;
	object["copied"] = backup->copied;
	object["safe_bytes"] = backup->safe_bytes;
	return object;
}

// The lowest first.
json::value layers_value(const Row &row)
{
	json::array list;

	for (const auto &layer : row.layers) {
		const auto &table = layer.volume.table;
		json::object object;
		object["number"] = layer.number;
		object["name"] = layer.volume.name();
		object["device"] = layer.volume.devno().str();
		object["mode"] = word(table.mode);
		object["phase"] = word(layer.volume.status.phase);
		object["health"] = word(layer.volume.status.health);
		object["base"] =
			device_object(table.base.device, layer.base_path, table.base.offset);
		object["top"] =
			table.top ? json::value(device_object(table.top->device, layer.target_path,
							      table.top->offset))
				  : json::value(nullptr);
		object["metadata"] = text_or_null(layer.meta_path);
		object["blocks"] = blocks_object(layer.volume.status);
		list.push_back(std::move(object));
	}
	return list;
}

json::object row_object(const Row &row)
{
	const auto &volume = row.volume;
	json::object object;

	object["name"] = volume.name();
	object["uuid"] = text_or_null(volume.info.uuid);
	object["device"] = volume.devno().str();
	object["kind"] = word(volume.kind);
	object["lvm"] = volume.lvm;
	object["size_bytes"] = volume.sectors * bytes_in_sector;
	object["block_bytes"] = volume.table.block_sectors * bytes_in_sector;
	object["read_only"] = volume.info.read_only;
	object["suspended"] = volume.info.suspended;
	object["loaded_table"] = volume.info.inactive_table;
	object["open_count"] = volume.info.open_count;
	object["mode"] = word(volume.table.mode);
	object["phase"] = word(volume.status.phase);
	object["health"] = word(volume.status.health);
	object["source"] =
		device_object(volume.table.base.device, row.base_path, volume.table.base.offset);
	object["top"] =
		volume.table.top
			? json::value(device_object(volume.table.top->device, row.target_path,
						    volume.table.top->offset))
			: json::value(nullptr);
	object["metadata"] = text_or_null(row.meta_path);
	object["bitmaps"] = bitmaps_array(volume.status);
	object["bitmaps_metadata"] = text_or_null(row.bitmaps_path);
	object["at_boot"] = row.at_boot;
	object["layers"] = layers_value(row);
	object["meta_commits"] = volume.status.meta_commits;
	object["meta_torn"] = volume.status.meta_torn;
	object["state"] = job::word(row.job.state);
	object["job"] = job_value(row);
	object["blocks"] = blocks_object(volume.status);
	object["backup"] = backup_value(row.backup);
	object["stall_ms"] = row.last ? json::value(row.last->stall_ms) : json::value(nullptr);
	object["last_switch"] = last_value(row.last);
	return object;
}

json::object with_schema()
{
	json::object object;

	object["schema"] = schema;
	return object;
}

json::value cell_value(const Column &column, const std::string &text)
{
	json::error_code error;

	if (text.empty())
		return nullptr;
	auto number = column.is_text ? json::value() : json::parse(text, error);
	return column.is_text || error ? json::value(text) : number;
}

} // namespace

std::string json_list(const std::vector<Column> &columns,
		      const std::vector<std::vector<std::string>> &rows)
{
	auto object = with_schema();
	json::array volumes;

	for (const auto &row : rows) {
		json::object volume;
		for (size_t i = 0; i < columns.size() && i < row.size(); i++)
			volume[columns[i].id] = cell_value(columns[i], row[i]);
		volumes.push_back(std::move(volume));
	}
	object["volumes"] = std::move(volumes);
	return json::serialize(object);
}

std::string json_list(const std::vector<const Row *> &rows)
{
	auto object = with_schema();
	json::array volumes;

	for (const auto *row : rows)
		volumes.push_back(row_object(*row));
	object["volumes"] = std::move(volumes);
	return json::serialize(object);
}

std::string json(const Row &row)
{
	auto object = with_schema();

	object["volume"] = row_object(row);
	return json::serialize(object);
}

std::string json_bitmaps(const volume::Volume &volume)
{
	auto object = with_schema();

	object["name"] = volume.name();
	object["bitmaps"] = bitmaps_array(volume.status);
	return json::serialize(object);
}

std::string json_progress(const volume::Volume &volume, const job::Job &job,
			  const job::Meter &meter)
{
	auto object = with_schema();
	const auto left = meter.left();

	object["type"] = "progress";
	object["name"] = volume.name();
	object["device"] = volume.devno().str();
	object["phase"] = word(volume.status.phase);
	object["ready"] = job.state == job::State::ready || job.state == job::State::pivoted;
	for (auto &member : job_object(job))
		object[member.key()] = member.value();
	object["bytes_per_second"] = static_cast<uint64_t>(meter.bytes_per_second());
	object["seconds_left"] = left ? json::value(left->count()) : json::value(nullptr);
	return json::serialize(object);
}

std::string json_outcome(const std::string &verb, const std::string &name, bool dry_run,
			 bool already, const std::vector<std::string> &steps,
			 const std::optional<double> &stall_ms,
			 const std::optional<double> &freeze_ms,
			 const std::optional<uint64_t> &to_copy_bytes)
{
	auto object = with_schema();
	json::array list;

	for (const auto &step : steps)
		list.push_back(json::value(step));
	object["type"] = "outcome";
	object["verb"] = verb;
	object["name"] = name;
	object["dry_run"] = dry_run;
	object["already"] = already;
	object["steps"] = std::move(list);
	object["stall_ms"] = value_or_null(stall_ms);
	object["freeze_ms"] = value_or_null(freeze_ms);
	if (to_copy_bytes)
		object["to_copy_bytes"] = *to_copy_bytes;
	return json::serialize(object);
}

std::string json_error(const Error &error)
{
	auto object = with_schema();

	object["type"] = "error";
	object["status"] = static_cast<int>(error.status);
	object["what"] = error.what;
	object["device"] = text_or_null(error.device);
	object["why"] = error.why;
	object["next"] = text_or_null(error.next);
	object["message"] = error.message();
	return json::serialize(object);
}

std::string json_event(const job::Event &event)
{
	auto object = with_schema();

	object["type"] = "event";
	object["event"] = job::word(event.kind);
	object["time"] = event.time;
	object["name"] = event.name;
	object["device"] = event.device.str();
	object["before"] = job::word(event.before);
	object["after"] = job::word(event.after);
	object["detail"] = text_or_null(event.detail);
	return json::serialize(object);
}

Row make_row(volume::Context &context, const volume::Volume &volume)
{
	Row row;

	row.volume = volume;
	row.job = job::job_of(volume);
	row.base_path = volume::device_path(context, volume.table.base.device);
	if (row.job.target)
		row.target_path = volume::device_path(context, *row.job.target);
	if (const auto meta = volume.table.meta_device())
		row.meta_path = volume::device_path(context, *meta);
	if (volume.table.bitmaps)
		row.bitmaps_path = volume::device_path(context, *volume.table.bitmaps);
	row.at_boot = volume::comes_back_at_boot(context, volume);
	row.last = volume::last_switch(context, volume.info);
	row.backup = job::backup_of(context, volume);
	if (volume.is_unreadable())
		row.to_mend = volume::how_to_mend(context, volume.name(), volume);
	const auto layers = volume::layers_below(context, volume);
	for (const auto &layer : layers ? *layers : std::vector<volume::Volume>()) {
		const auto &table = layer.table;
		LayerRow found{.number = volume::number_of(layer), .volume = layer};
		found.base_path = volume::device_path(context, table.base.device);
		if (table.top)
			found.target_path = volume::device_path(context, table.top->device);
		if (const auto meta = table.meta_device())
			found.meta_path = volume::device_path(context, *meta);
		row.layers.push_back(std::move(found));
	}
	return row;
}

} // namespace blkctl::report
