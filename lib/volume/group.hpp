// SPDX-License-Identifier: GPL-2.0-or-later
// Several volumes that change at one instant. Internal to the library.
#ifndef BLKCTL_VOLUME_GROUP_HPP
#define BLKCTL_VOLUME_GROUP_HPP

#include "volume/metadata.hpp"
#include "volume/steps.hpp"
#include <string>
#include <vector>

namespace blkctl::volume
{

/*
 * The volumes of these names, in the order of the names, each locked; two commands that want the
 * same ones take their locks in one order. Errors: as Change::open(), and usage (one is named
 * twice).
 */
Result<std::vector<Volume>> open_all(Change &change, const std::vector<std::string> &names);

/*
 * Errors: usage, if one is below another, or below its store or metadata. What that one writes
 * while it is frozen would wait for the thaw of the one below, and that for its freeze.
 */
Result<void> check_apart(Change &change, const std::vector<Volume> &volumes);

// The same of the new store and metadata of one of them.
Result<void> check_places(Change &change, const std::vector<Volume> &volumes, const Volume &volume,
			  const std::vector<Place> &places);

// Errors: usage, if two are to have the same store.
Result<void> check_stores(Change &change, const std::vector<std::string> &stores);

// "a, b"
std::string names_of(const std::vector<Volume> &volumes);

} // namespace blkctl::volume

#endif
