// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/chain.hpp"
#include "volume/steps.hpp"
#include "volume/uuid.hpp"
#include <algorithm>

namespace blkctl::volume
{

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
