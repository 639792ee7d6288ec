// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/group.hpp"
#include <algorithm>
#include <set>

namespace blkctl::volume
{

namespace
{

struct Part {
	DevNo device = {};
	std::string text = {}; // as it is said to be on something
};

// What a volume is made from. Its layers are below its base.
std::vector<Part> parts_of(Context &context, const Volume &volume)
{
	const auto &table = volume.table;
	std::vector<Part> parts{{table.base.device, "it"}};
	const auto add = [&](const std::optional<DevNo> &device, const char *what) {
		if (!device)
			return;
		const auto file = file_behind(context, *device);
		parts.push_back(
			{*device, std::string("its ") + what + " " +
					  (file.empty() ? device_path(context, *device) : file)});
	};

	if (table.top)
		add(table.top->device, table.mode == table::Mode::mirror ? "target" : "store");
	add(table.meta_device(), "metadata");
	add(table.bitmaps, "metadata");
	return parts;
}

// Whether a device is on another volume.
bool is_over(Context &context, DevNo device, const Volume &other)
{
	const auto under = below(context, {device});
	return std::find(under.begin(), under.end(), other.devno()) != under.end();
}

constexpr const char *not_together = ", and both cannot change at one instant";

} // namespace

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
	const auto check = [&](const Volume &volume, const Volume &other) -> Result<void> {
		for (const auto &part : parts_of(change.context(), volume))
			if (is_over(change.context(), part.device, other))
				return refusal(Status::usage, change.verb(), volume.name(),
					       part.text + " is on " + other.name() + not_together,
					       "blkctl " + change.verb() + " of one of them");
		return {};
	};

	for (const auto &volume : volumes)
		for (const auto &other : volumes)
			if (other.devno() != volume.devno())
				BLKCTL_CHECK(check(volume, other));
	return {};
}

Result<void> check_places(Change &change, const std::vector<Volume> &volumes, const Volume &volume,
			  const std::vector<Place> &places)
{
	const auto check = [&](const Place &place, const Volume &other) -> Result<void> {
		BLKCTL_TRY(const auto found, found_on(change.context(), other, place));
		if (!found)
			return {};
		return refusal(Status::usage, change.verb(), volume.name(),
			       *found + " is on " + other.name() + not_together,
			       elsewhere(change.verb()));
	};

	for (const auto &place : places)
		for (const auto &other : volumes)
			if (other.devno() != volume.devno())
				BLKCTL_CHECK(check(place, other));
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
