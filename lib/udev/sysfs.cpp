// SPDX-License-Identifier: GPL-2.0-or-later
#include "udev/sysfs.hpp"
#include "base/files.hpp"
#include <algorithm>
#include <charconv>
#include <dirent.h>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace blkctl::udev::sysfs
{

namespace
{

std::vector<std::string> names_in(const std::string &path)
{
	const std::unique_ptr<DIR, int (*)(DIR *)> dir(opendir(path.c_str()), closedir);
	std::vector<std::string> names;

	while (const auto *entry = dir ? readdir(dir.get()) : nullptr)
		if (entry->d_name[0] != '.')
			names.emplace_back(entry->d_name);
	std::sort(names.begin(), names.end());
	return names;
}

bool is_there(const std::string &path)
{
	struct stat st;
	return stat(path.c_str(), &st) == 0;
}

std::optional<DevNo> devno_in(const std::string &path)
{
	const auto line = read_line(path);
	return line ? parse_devno(*line) : std::nullopt;
}

} // namespace

std::string folder(DevNo device)
{
	return "/sys/dev/block/" + device.str();
}

bool exists(DevNo device)
{
	return is_there(folder(device));
}

std::optional<DevNo> by_name(std::string_view name)
{
	std::string file(name);

	if (file.empty() || file.starts_with('.'))
		return std::nullopt;
	std::replace(file.begin(), file.end(), '/', '!');
	return devno_in("/sys/class/block/" + file + "/dev");
}

std::string kernel_name(DevNo device)
{
	char target[4096];
	const auto length = readlink(folder(device).c_str(), target, sizeof(target));

	if (length <= 0)
		return {};
	const std::string_view path(target, static_cast<size_t>(length));
	std::string name(path.substr(path.rfind('/') + 1));
	std::replace(name.begin(), name.end(), '!', '/');
	return name;
}

uint64_t number(DevNo device, const std::string &file)
{
	const auto line = read_line(folder(device) + "/" + file);
	uint64_t value = 0;

	if (line)
		std::from_chars(line->data(), line->data() + line->size(), value);
	return value;
}

bool has_write_cache(DevNo device)
{
	return read_line(folder(device) + "/queue/write_cache") == "write back";
}

std::string dm_name(DevNo device)
{
	return read_line(folder(device) + "/dm/name").value_or("");
}

std::string dm_uuid(DevNo device)
{
	return read_line(folder(device) + "/dm/uuid").value_or("");
}

std::vector<DevNo> all()
{
	std::vector<DevNo> found;

	for (const auto &name : names_in("/sys/class/block"))
		if (const auto devno = devno_in("/sys/class/block/" + name + "/dev"))
			found.push_back(*devno);
	return found;
}

std::optional<DevNo> whole_disk(DevNo partition)
{
	if (!is_there(folder(partition) + "/partition"))
		return std::nullopt;
	return devno_in(folder(partition) + "/../dev");
}

std::vector<DevNo> partitions(DevNo disk)
{
	std::vector<DevNo> found;

	for (const auto &name : names_in(folder(disk))) {
		const auto path = folder(disk) + "/" + name;
		if (!is_there(path + "/partition"))
			continue;
		if (const auto devno = devno_in(path + "/dev"))
			found.push_back(*devno);
	}
	return found;
}

namespace
{

// Of a folder of links to block devices.
std::vector<DevNo> linked_in(const std::string &path)
{
	std::vector<DevNo> found;

	for (const auto &name : names_in(path))
		if (const auto devno = devno_in(fmt::format("{}/{}/dev", path, name)))
			found.push_back(*devno);
	return found;
}

} // namespace

std::vector<DevNo> holders(DevNo device)
{
	return linked_in(folder(device) + "/holders");
}

std::vector<DevNo> slaves(DevNo device)
{
	return linked_in(folder(device) + "/slaves");
}

std::string loop_file(DevNo device)
{
	return read_line(folder(device) + "/loop/backing_file").value_or("");
}

std::vector<DevNo> btrfs_with(DevNo device)
{
	const std::string all_of_them = "/sys/fs/btrfs";

	for (const auto &uuid : names_in(all_of_them)) {
		auto found = linked_in(fmt::format("{}/{}/devices", all_of_them, uuid));
		if (std::find(found.begin(), found.end(), device) != found.end())
			return found;
	}
	return {};
}

std::vector<std::pair<DevNo, std::string>> loops()
{
	std::vector<std::pair<DevNo, std::string>> found;

	for (const auto &name : names_in("/sys/block")) {
		if (!name.starts_with("loop"))
			continue;
		const auto file = read_line("/sys/block/" + name + "/loop/backing_file");
		const auto devno = devno_in("/sys/block/" + name + "/dev");
		if (file && devno)
			found.emplace_back(*devno, *file);
	}
	return found;
}

} // namespace blkctl::udev::sysfs
