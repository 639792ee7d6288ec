// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/mounts.hpp"
#include <algorithm>
#include <vector>

namespace blkctl::volume
{

namespace
{

struct Above {
	std::vector<DevNo> devices = {}; // the device itself, and what is on top of it
	std::map<DevNo, std::string> mounts = {};
};

Result<Above> find_above(Context &context, DevNo device)
{
	Above found{.devices = {device}};
	auto &devices = found.devices;

	for (size_t i = 0; i < devices.size(); i++) {
		BLKCTL_TRY(const auto uses, context.probe.uses(devices[i]));
		for (const auto &use : uses) {
			if (use.kind == udev::Use::Kind::mounted)
				found.mounts.emplace(use.device, use.by);
			const bool is_new = std::find(devices.begin(), devices.end(), use.holder) ==
					    devices.end();
			if (use.kind == udev::Use::Kind::held && is_new)
				devices.push_back(use.holder);
		}
	}
	return found;
}

} // namespace

Result<std::map<DevNo, std::string>> mounts_above(Context &context, DevNo device)
{
	BLKCTL_TRY(auto found, find_above(context, device));

	return std::move(found.mounts);
}

Result<std::optional<udev::BlockDevice>> keeps_flushes(Context &context, DevNo device)
{
	BLKCTL_TRY(const auto own, context.probe.describe(device));
	if (!own.write_cache)
		return std::optional<udev::BlockDevice>();
	BLKCTL_TRY(const auto found, find_above(context, device));

	for (const auto &each : found.devices)
		if (const auto block = context.probe.describe(each); block && !block->write_cache)
			return std::optional(*block);
	return std::optional<udev::BlockDevice>();
}

bool has_mounts_further_up(Context &context, DevNo device)
{
	const auto found = mounts_above(context, device);

	return found && std::any_of(found->begin(), found->end(),
				    [&](const auto &each) { return each.first != device; });
}

} // namespace blkctl::volume
