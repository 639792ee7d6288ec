// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/chain.hpp"
#include "volume/steps.hpp"
#include "volume/uuid.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

bool is_below_a_volume(std::string_view uuid)
{
	return is_layer_uuid(uuid) || is_hidden_uuid(uuid);
}

// The name of the volume that a hidden device belongs to; empty if it is not there.
std::string owner_of(Context &context, const dm::Info &hidden)
{
	const auto listed = context.dm.list();
	std::vector<dm::Info> all;

	for (const auto &each : listed ? *listed : std::vector<dm::Listed>())
		if (const auto info = context.dm.info(each.devno))
			all.push_back(*info);
	for (const auto &each : all)
		if (!is_below_a_volume(each.uuid) && !is_view_uuid(each.uuid) &&
		    volume_hex(each.uuid, each.name) == hex_of(hidden.uuid))
			return each.name;
	// That of a device without a UUID has digits of its own.
	for (const auto &each : all) {
		const auto below = context.dm.deps(each.devno);
		if (below && std::find(below->begin(), below->end(), hidden.devno) != below->end())
			return is_below_a_volume(each.uuid) ? owner_of(context, each) : each.name;
	}
	return {};
}

} // namespace

Result<std::vector<Volume>> layers_below(Context &context, const Volume &volume)
{
	std::vector<Volume> layers;
	auto base = volume.table.base.device;

	for (;;) {
		const auto info = context.dm.info(base);
		if (!info || !is_layer_uuid(info->uuid))
			break;
		// More than anybody made: a table that leads to itself would go on for ever.
		if (layers.size() == 4 * most_layers)
			return Error{.what = "look at",
				     .device = volume.name(),
				     .why = "its layers have no end"};
		BLKCTL_TRY(auto layer, find(context, base));
		base = layer.table.base.device;
		layers.push_back(std::move(layer));
	}
	std::reverse(layers.begin(), layers.end());
	return layers;
}

unsigned number_of(const Volume &layer)
{
	return layer_number(layer.info.uuid);
}

Result<void> check_not_hidden(Context &context, const std::string &verb, DevNo device)
{
	const auto info = context.dm.info(device);

	// What is not there is said by whoever looks at it.
	if (!info || !is_below_a_volume(info->uuid))
		return {};
	const auto number = layer_number(info->uuid);
	const auto what =
		number ? "layer " + std::to_string(number) : std::string("the hidden device");
	const auto owner = owner_of(context, *info);
	if (owner.empty())
		return refusal(Status::usage, verb, info->name,
			       "it is " + what + " of a volume that is not there", "blkctl list");
	return refusal(Status::usage, verb, info->name, "it is " + what + " of the volume " + owner,
		       number ? "blkctl commit " + owner + " --layer " + std::to_string(number) +
					", to merge it; all else is done to " + owner
			      : "blkctl " + verb + " " + owner);
}

Result<void> check_came_back_whole(Context &context, const std::string &verb,
				   const std::string &volume, const Volume &layer)
{
	const auto below = context.dm.info(layer.table.base.device);

	if (layer.table.mode != table::Mode::track || !below || !is_layer_uuid(below->uuid))
		return {};
	return refusal(Status::needs_attention, verb, volume,
		       "the commit of " + layer.name() +
			       " is merged and not finished, and it came back without its metadata",
		       "blkctl deactivate " + volume + ", blkctl activate " + volume +
			       ", and blkctl commit of it again");
}

} // namespace blkctl::volume
