// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/group.hpp"
#include <algorithm>
#include <set>

namespace blkctl::volume
{

Result<std::vector<Volume>> open_all(Change &change, const std::vector<std::string> &names)
{
	std::vector<std::pair<DevNo, size_t>> order;
	std::vector<Volume> volumes(names.size());

	for (size_t i = 0; i < names.size(); i++) {
		BLKCTL_TRY(const auto found, find_device(change.context(), names[i]));
		order.emplace_back(found.devno, i);
	}
	std::sort(order.begin(), order.end());
	for (size_t i = 0; i < order.size(); i++) {
		const auto &name = names[order[i].second];
		if (i > 0 && order[i].first == order[i - 1].first)
			return refusal(Status::usage, change.verb(), name, "it is named twice");
		BLKCTL_TRY(const auto info, change.open(name));
		BLKCTL_TRY(volumes[order[i].second], find_for_change(change, info.devno));
	}
	return volumes;
}

Result<void> check_apart(Change &change, const std::vector<Volume> &volumes)
{
	for (const auto &volume : volumes) {
		const auto under = below(change.context(), {volume.table.base.device});
		for (const auto &other : volumes)
			if (std::find(under.begin(), under.end(), other.devno()) != under.end())
				return refusal(Status::usage, change.verb(), volume.name(),
					       "it is on " + other.name() +
						       ", and both cannot change at one instant",
					       "blkctl " + change.verb() + " of one of them");
	}
	return {};
}

Result<void> check_stores(Change &change, const std::vector<std::string> &stores)
{
	std::set<std::string> seen;

	for (const auto &each : stores) {
		const auto store = change.context().probe.resolve(each);
		if (!seen.insert(store ? store->str() : each).second)
			return refusal(Status::usage, change.verb(), each,
				       "it cannot be the store of two volumes");
	}
	return {};
}

std::string names_of(const std::vector<Volume> &volumes)
{
	std::string names;

	for (const auto &volume : volumes)
		names += (names.empty() ? "" : ", ") + volume.name();
	return names;
}

} // namespace blkctl::volume
