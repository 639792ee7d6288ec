// SPDX-License-Identifier: GPL-2.0-or-later
// The layers of a volume: hidden devices below it, each an overlay or a stream of its own over the
// next. The kernel's tables are the only list of them.
#ifndef BLKCTL_VOLUME_CHAIN_HPP
#define BLKCTL_VOLUME_CHAIN_HPP

#include "volume/volume.hpp"
#include <vector>

namespace blkctl::volume
{

// How many there may be, the volume itself among them.
inline constexpr size_t most_layers = 8;

// The hidden layers below a volume, the lowest first. Errors: those of find(), failed (too many).
Result<std::vector<Volume>> layers_below(Context &context, const Volume &volume);

// The number of a hidden layer; 0 for the volume itself.
unsigned number_of(const Volume &layer);

/*
 * What happens to a hidden device happens to its volume, whose metadata and entry in the tab would
 * not be told. Errors: usage, if it is one, naming the volume.
 */
Result<void> check_not_hidden(Context &context, const std::string &verb, DevNo device);

/*
 * Of a volume, or a layer of it, in mode track over a layer: its commit had merged all, its end was
 * still to come, and an earlier version has brought it back without its metadata. The tab has that
 * still, and nothing is to be written down instead. Errors: needs_attention.
 */
Result<void> check_came_back_whole(Context &context, const std::string &verb,
				   const std::string &volume, const Volume &layer);

} // namespace blkctl::volume

#endif
