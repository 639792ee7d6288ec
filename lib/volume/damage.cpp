// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/damage.hpp"
#include "volume/metadata.hpp"

namespace blkctl::volume
{

bool is_damaged(const Volume &volume)
{
	const bool merges = volume.table.mode == table::Mode::commit ||
			    volume.table.mode == table::Mode::stream;

	return merges && volume.is_unreadable();
}

std::string how_to_mend(Context &context, const std::string &name, const Volume &layer)
{
	const auto device = layer.table.meta_device();
	// The loop device of a file is gone by then.
	const auto file = device ? file_behind(context, *device) : "";
	const auto meta = !file.empty() ? file : device ? device_path(context, *device) : "META";

	return "blkctl deactivate " + name + ", then blkctl check " + meta + " and blkctl repair " +
	       meta;
}

Error damaged(Context &context, const std::string &verb, const std::string &name,
	      const Volume &layer)
{
	const auto why = is_damaged(layer)
				 ? "the " + std::string(word(layer.table.mode)) + " stands still"
				 : "nobody knows where all of its blocks are";

	return refusal(Status::needs_attention, verb, name,
		       why + ": some of its metadata cannot be read",
		       how_to_mend(context, name, layer));
}

} // namespace blkctl::volume
