// SPDX-License-Identifier: GPL-2.0-or-later
// What a snapshot and a view have in common: a store, and an instant from which it is used.
// Internal to the library.
#ifndef BLKCTL_VOLUME_STORE_HPP
#define BLKCTL_VOLUME_STORE_HPP

#include "volume/metadata.hpp"
#include "volume/target.hpp"
#include <optional>
#include <string>

namespace blkctl::volume
{

// Whether the top of a volume is this store, device or file.
bool has_store(Context &context, const Volume &volume, const std::string &store);

// Errors: busy, if the volume is not on its base alone.
Result<void> check_plain(const std::string &verb, const Volume &volume);

// Device or file, made if it is not there; adds what comes before its use. Errors: usage (it is the
// source, on the volume, or smaller), busy (in use; another tool has loaded a table).
Result<Place> add_store(Change &change, const TargetRules &rules, const Volume &volume,
			const std::string &text);

// Adds the switch to the loaded table at an instant at which filesystems are frozen, if they are
// to be. `before`: as of Change::switch_table().
void add_instant(Change &change, const dm::Info &device, bool no_freeze,
		 const std::optional<dm::Table> &before = {});

} // namespace blkctl::volume

#endif
