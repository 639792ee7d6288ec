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

std::string file_of(const Context &context, DevNo device)
{
	return context.run_dir + "/" + std::to_string(device.major) + "-" +
	       std::to_string(device.minor) + ".json";
}

// A device number may come back on another device: the UUID tells, or the name where there is
// none.
std::string identity(const dm::Info &info)
{
	return info.uuid.empty() ? "name " + info.name : "uuid " + info.uuid;
}

std::string text_at(const json::object &object, std::string_view key)
{
	const auto *value = object.if_contains(key);
	return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

} // namespace

void remember_switch(Context &context, const dm::Info &info, const LastSwitch &last)
{
	json::object object;

	object["schema"] = 1;
	object["identity"] = identity(info);
	object["verb"] = last.verb;
	object["stall_ms"] = last.stall_ms;
	object["time"] = last.time;
	if (last.target)
		object["target"] = last.target->str();
	if (make_folder(context.run_dir))
		(void)replace_file(file_of(context, info.devno), json::serialize(object) + "\n");
}

void forget_switch(Context &context, const dm::Info &info)
{
	unlink(file_of(context, info.devno).c_str());
}

std::optional<LastSwitch> last_switch(Context &context, const dm::Info &info)
{
	const auto text = read_file(file_of(context, info.devno));
	json::error_code error;
	const auto value = json::parse(text.value_or(""), error);

	if (error || !value.is_object())
		return std::nullopt;
	const auto &object = value.get_object();
	const auto *stall = object.if_contains("stall_ms");
	if (text_at(object, "identity") != identity(info) || !stall || !stall->is_number())
		return std::nullopt;

	LastSwitch last;
	last.verb = text_at(object, "verb");
	last.stall_ms = stall->to_number<double>(error);
	last.time = text_at(object, "time");
	last.target = parse_devno(text_at(object, "target"));
	return last;
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
