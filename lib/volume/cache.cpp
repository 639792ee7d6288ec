// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/cache.hpp"
#include "base/files.hpp"
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <unistd.h>

namespace json = boost::json;

namespace blkctl::volume
{

namespace
{

constexpr const char *switch_file = ".json";
constexpr const char *origin_file = ".origin.json";
constexpr auto lock_timeout = std::chrono::seconds(10);
constexpr const char *backup_file = ".backup.json";
constexpr const char *frozen_file = ".frozen.json";

std::string file_of(const Context &context, DevNo device, const char *suffix)
{
	return context.run_dir + "/" + std::to_string(device.major) + "-" +
	       std::to_string(device.minor) + suffix;
}

std::string text_at(const json::object &object, std::string_view key)
{
	const auto *value = object.if_contains(key);
	return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

uint64_t number_at(const json::object &object, std::string_view key)
{
	const auto *value = object.if_contains(key);
	json::error_code error;

	return value && value->is_number() ? value->to_number<uint64_t>(error) : 0;
}

bool flag_at(const json::object &object, std::string_view key)
{
	const auto *value = object.if_contains(key);
	return value && value->is_bool() && value->get_bool();
}

json::object about(const dm::Info &info)
{
	json::object object;

	object["schema"] = 1;
	object["identity"] = identity_of(info);
	return object;
}

void write(Context &context, DevNo device, const char *suffix, const json::object &object)
{
	if (make_folder(context.run_dir))
		(void)replace_file(file_of(context, device, suffix),
				   json::serialize(object) + "\n");
}

// What was written about this very device.
std::optional<json::object> read(Context &context, const dm::Info &info, const char *suffix)
{
	const auto text = read_file(file_of(context, info.devno, suffix));
	json::error_code error;
	const auto value = json::parse(text.value_or(""), error);

	if (error || !value.is_object() ||
	    text_at(value.get_object(), "identity") != identity_of(info))
		return std::nullopt;
	return value.get_object();
}

} // namespace

void remember_switch(Context &context, const dm::Info &info, const LastSwitch &last)
{
	auto object = about(info);

	object["verb"] = last.verb;
	object["stall_ms"] = last.stall_ms;
	object["time"] = last.time;
	if (last.target)
		object["target"] = last.target->str();
	write(context, info.devno, switch_file, object);
}

void forget_switch(Context &context, const dm::Info &info)
{
	unlink(file_of(context, info.devno, switch_file).c_str());
}

std::optional<LastSwitch> last_switch(Context &context, const dm::Info &info)
{
	const auto object = read(context, info, switch_file);
	const auto *stall = object ? object->if_contains("stall_ms") : nullptr;
	json::error_code error;

	if (!stall || !stall->is_number())
		return std::nullopt;

	LastSwitch last;
	last.verb = text_at(*object, "verb");
	last.stall_ms = stall->to_number<double>(error);
	last.time = text_at(*object, "time");
	last.target = parse_devno(text_at(*object, "target"));
	return last;
}

void remember_origin(Context &context, const dm::Info &info, const table::Leg &origin)
{
	auto object = about(info);

	object["device"] = origin.device.str();
	object["offset"] = origin.offset;
	write(context, info.devno, origin_file, object);
}

void forget_origin(Context &context, const dm::Info &info)
{
	unlink(file_of(context, info.devno, origin_file).c_str());
}

std::optional<table::Leg> origin(Context &context, const dm::Info &info)
{
	const auto object = read(context, info, origin_file);
	const auto *offset = object ? object->if_contains("offset") : nullptr;
	const auto device = object ? parse_devno(text_at(*object, "device")) : std::nullopt;
	json::error_code error;

	if (!device || !offset || !offset->is_number())
		return std::nullopt;
	return table::Leg{*device, offset->to_number<uint64_t>(error)};
}

void remember_frozen(Context &context, const dm::Info &info, const std::string &bitmap)
{
	auto object = about(info);

	object["bitmap"] = bitmap;
	write(context, info.devno, frozen_file, object);
}

void forget_frozen(Context &context, const dm::Info &info)
{
	unlink(file_of(context, info.devno, frozen_file).c_str());
}

std::optional<std::string> frozen_bitmap(Context &context, const dm::Info &info)
{
	const auto object = read(context, info, frozen_file);
	return object ? std::optional(text_at(*object, "bitmap")) : std::nullopt;
}

Result<void> remember_backup(Context &context, const dm::Info &info, const BackupRecord &record)
{
	auto object = about(info);

	object["id"] = record.id;
	object["request"] = record.request;
	object["bitmap"] = record.bitmap;
	if (record.kept)
		object["kept"] = *record.kept;
	object["full"] = record.full;
	object["path"] = record.path;
	object["target"] = record.target;
	object["store"] = record.store;
	object["renaming"] = record.renaming;
	object["copied"] = record.copied;
	object["image"] = record.image;
	object["done"] = record.done;
	BLKCTL_CHECK(make_folder(context.run_dir));
	return replace_file(file_of(context, info.devno, backup_file),
			    json::serialize(object) + "\n");
}

std::optional<BackupRecord> backup_record(Context &context, const dm::Info &info)
{
	const auto object = read(context, info, backup_file);
	BackupRecord record;

	if (!object)
		return std::nullopt;
	record = {.id = text_at(*object, "id"),
		  .request = text_at(*object, "request"),
		  .bitmap = text_at(*object, "bitmap"),
		  .full = flag_at(*object, "full"),
		  .path = text_at(*object, "path"),
		  .target = text_at(*object, "target"),
		  .store = text_at(*object, "store"),
		  .renaming = flag_at(*object, "renaming"),
		  .copied = flag_at(*object, "copied"),
		  .image = text_at(*object, "image"),
		  .done = number_at(*object, "done")};
	if (object->contains("kept"))
		record.kept = number_at(*object, "kept");
	return record;
}

Result<void> update_backup(Context &context, const dm::Info &info, const BackupRecord &record)
{
	BLKCTL_TRY(const auto lock, lock_backup(context, info, record.id));
	return remember_backup(context, info, record);
}

Result<Lock> lock_backup(Context &context, const dm::Info &info, const std::string &id)
{
	BLKCTL_TRY(auto lock, Lock::volume(context.run_dir, info.devno, lock_timeout));
	const auto now = backup_record(context, info);

	if (now && now->id == id)
		return lock;
	return given_up(info);
}

Error given_up(const dm::Info &info)
{
	return {.status = Status::aborted,
		.what = "backup",
		.device = info.name,
		.why = "it was given up meanwhile"};
}

void forget_backup(Context &context, const dm::Info &info)
{
	unlink(file_of(context, info.devno, backup_file).c_str());
}

std::string identity_of(const dm::Info &info)
{
	return info.uuid.empty() ? "name " + info.name : "uuid " + info.uuid;
}

std::string timestamp(bool milliseconds)
{
	const auto now = std::chrono::system_clock::now();
	const auto seconds = std::chrono::system_clock::to_time_t(now);
	const auto ms =
		std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()) %
		1000;
	std::tm utc{};
	char date[32], all[48];

	gmtime_r(&seconds, &utc);
	std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	if (milliseconds)
		std::snprintf(all, sizeof(all), "%s.%03dZ", date, static_cast<int>(ms.count()));
	else
		std::snprintf(all, sizeof(all), "%sZ", date);
	return all;
}

} // namespace blkctl::volume
