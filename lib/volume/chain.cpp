// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/chain.hpp"
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

} // namespace blkctl::volume
