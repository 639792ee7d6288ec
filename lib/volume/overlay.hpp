// SPDX-License-Identifier: GPL-2.0-or-later
// What a snapshot of one volume consists of, up to the switch and after it. Internal to the
// library.
#ifndef BLKCTL_VOLUME_OVERLAY_HPP
#define BLKCTL_VOLUME_OVERLAY_HPP

#include "volume/metadata.hpp"
#include "volume/steps.hpp"
#include <functional>
#include <string>
#include <vector>

namespace blkctl::volume
{

struct Prepared {
	Volume volume = {};
	unsigned number = 0;            // of a layer that comes next
	bool comes_back = false;        // at boot
	std::vector<Place> places = {}; // what is new: the store and its metadata
	std::string text = {};
	std::function<dm::Table()> table = {}; // once the plan has come to the switch
	// The same without the bitmaps: they are the volume's, and nobody else's for a moment.
	std::string rehearsal_text = {};
	std::function<dm::Table()> rehearsal = {};
};

// The overlay that was asked for, made before.
bool is_same_overlay(Context &context, const Volume &volume, const std::string &store);

// Adds all that comes before the switch. Errors: those of snapshot().
Result<Prepared> prepare_overlay(Change &change, const SnapshotRequest &request,
				 const Volume &volume);

// Adds what is written down once the base is frozen.
void add_remembering(Change &change, const Prepared &prepared);

} // namespace blkctl::volume

#endif
