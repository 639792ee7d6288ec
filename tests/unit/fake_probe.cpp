// SPDX-License-Identifier: GPL-2.0-or-later
// What the recorded host knows of its block devices.
#include "fake_host.hpp"
#include <fcntl.h>
#include <filesystem>

namespace blkctl::fake
{

void Probe::add(DevNo devno, const std::string &path, uint64_t sectors)
{
	devices[devno] = {.devno = devno,
			  .kernel_name = path.substr(path.rfind('/') + 1),
			  .path = path,
			  .sectors = sectors};
}

Result<DevNo> Probe::resolve(std::string_view text)
{
	for (const auto &[devno, device] : devices)
		if (device.path == text || device.kernel_name == text || devno.str() == text)
			return devno;
	if (mapper)
		for (const auto &[devno, device] : mapper->devices)
			if ("/dev/mapper/" + device.info.name == text || devno.str() == text)
				return devno;
	return no_device(std::string(text));
}

Result<udev::BlockDevice> Probe::describe(DevNo device)
{
	if (const auto found = devices.find(device); found != devices.end())
		return found->second;
	if (mapper && mapper->devices.count(device)) {
		const auto &dm = mapper->devices.at(device);
		return udev::BlockDevice{.devno = device,
					 .kernel_name = "dm-" + std::to_string(device.minor),
					 .path = "/dev/mapper/" + dm.info.name,
					 .sectors = dm::table_sectors(dm.live)};
	}
	return no_device(device.str());
}

std::vector<DevNo> Probe::built_on(DevNo device)
{
	const auto found = lower.find(device);
	auto below = found == lower.end() ? std::vector<DevNo>() : found->second;

	for (const auto &loop : loop_devices)
		if (const auto on = devices_of(loop.file); loop.devno == device && on)
			below.insert(below.end(), on->begin(), on->end());
	return below;
}

Result<std::vector<DevNo>> Probe::devices_of(const std::string &file)
{
	if (!unknown.empty() && file.starts_with(unknown + "/"))
		return Error{.what = "find the device of", .device = file, .why = "no device"};
	for (const auto &[folder, devices] : filesystems)
		if (file.starts_with(folder + "/"))
			return devices;
	return std::vector<DevNo>();
}

Result<std::vector<udev::Use>> Probe::uses(DevNo device)
{
	std::vector<udev::Use> found;

	if (const auto known = used.find(device); known != used.end())
		found = known->second;
	// What sysfs shows as holders.
	if (mapper)
		for (const auto &[devno, dm] : mapper->devices)
			for (const auto *table : {&dm.live, &dm.inactive})
				for (const auto lower : devices_in(*table))
					if (lower == device)
						found.push_back({udev::Use::Kind::held,
								 "/dev/mapper/" + dm.info.name,
								 devno, device});
	return found;
}

Result<std::optional<udev::Signature>> Probe::signature(DevNo device)
{
	const auto found = signatures.find(device);
	if (found == signatures.end())
		return std::optional<udev::Signature>();
	return std::optional(found->second);
}

Result<std::string> Probe::identity(DevNo device)
{
	if (const auto found = identities.find(device); found != identities.end())
		return found->second;
	for (const auto &loop : loop_devices)
		if (loop.devno == device)
			return "file:" + loop.file;
	if (mapper && mapper->devices.count(device))
		return "dm:" + mapper->devices.at(device).info.uuid;
	BLKCTL_TRY(const auto block, describe(device));
	return "name:" + block.kernel_name;
}

Result<DevNo> Probe::find_identity(const std::string &identity)
{
	for (const auto &[devno, known] : identities)
		if (known == identity)
			return devno;
	for (const auto &loop : loop_devices)
		if ("file:" + loop.file == identity)
			return loop.devno;
	if (mapper)
		for (const auto &[devno, device] : mapper->devices)
			if ("dm:" + device.info.uuid == identity)
				return devno;
	for (const auto &[devno, device] : devices)
		if (!identities.count(devno) && "name:" + device.kernel_name == identity)
			return devno;
	return no_device(identity);
}

Result<std::vector<uint8_t>> Probe::read(DevNo device, uint64_t at, size_t count)
{
	if (unreadable.count(device))
		return Error{.what = "read", .device = device.str(), .why = "Input/output error"};
	std::vector<uint8_t> found(count, content.count(device) ? content.at(device) : 0);
	for (const auto &[place, value] : bytes[device])
		if (place >= at && place - at < count)
			found[place - at] = value;
	return found;
}

UniqueFd Probe::hold(DevNo device)
{
	held.push_back(device);
	return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

} // namespace blkctl::fake
