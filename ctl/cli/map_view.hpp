// SPDX-License-Identifier: GPL-2.0-or-later
// The block map as a picture of signs.
#ifndef BLKCTL_CLI_MAP_VIEW_HPP
#define BLKCTL_CLI_MAP_VIEW_HPP

#include "volume/block_map.hpp"
#include "volume/volume.hpp"
#include <string>
#include <vector>

namespace blkctl::cli
{

// What one sign of the picture stands for.
enum class Cell { base, both, top, zero, mixed };

// One cell for each of `count` equal ranges of the map (the last may be shorter).
std::vector<Cell> map_cells(const volume::BlockMap &map, uint64_t blocks, uint64_t count);

std::string draw_map(const volume::Volume &volume, const volume::BlockMap &map, unsigned columns);

} // namespace blkctl::cli

#endif
