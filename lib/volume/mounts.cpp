// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/mounts.hpp"
#include <algorithm>
#include <vector>

namespace blkctl::volume
{

Result<std::map<DevNo, std::string>> mounts_above(Context &context, DevNo device)
{
	std::vector<DevNo> devices{device};
	std::map<DevNo, std::string> found;

	for (size_t i = 0; i < devices.size(); i++) {
		BLKCTL_TRY(const auto uses, context.probe.uses(devices[i]));
		for (const auto &use : uses) {
			if (use.kind == udev::Use::Kind::mounted)
				found.emplace(use.device, use.by);
			const bool is_new = std::find(devices.begin(), devices.end(), use.holder) ==
					    devices.end();
			if (use.kind == udev::Use::Kind::held && is_new)
				devices.push_back(use.holder);
		}
	}
	return found;
}

bool has_mounts_further_up(Context &context, DevNo device)
{
	const auto found = mounts_above(context, device);

	return found && std::any_of(found->begin(), found->end(),
				    [&](const auto &each) { return each.first != device; });
}

} // namespace blkctl::volume
