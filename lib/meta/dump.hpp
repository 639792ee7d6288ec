// SPDX-License-Identifier: GPL-2.0-or-later
// Metadata as JSON, and back: restore(dump(x)) holds what x held, and dumps to the same text.
#ifndef BLKCTL_META_DUMP_HPP
#define BLKCTL_META_DUMP_HPP

#include "meta/contents.hpp"
#include "meta/format.hpp"
#include <functional>
#include <string>
#include <string_view>

namespace blkctl::meta
{

// What a dump says. Generations and the damage that was found are not in it.
struct Dump {
	Superblock super = {};
	BlockMap map = BlockMap();
	SegmentMap segments = SegmentMap();
	// Of mode track, instead of the map: in the slots from 0 on. What cannot be read counts as
	// changed, and a bitmap that is lost is not in it.
	std::vector<Bitmap> bitmaps = {};
};

Dump dump_of(const Contents &contents);

// Takes the text piece by piece. Errors: its own.
using Sink = std::function<Result<void>(std::string_view)>;

// One JSON object: the superblock by name, runs of blocks of equal state or bitmaps with the runs
// of granules that have changed, marked segments.
Result<void> print(const Dump &dump, const Sink &sink);
std::string print(const Dump &dump);

// Errors: usage, naming the member that is missing or makes no sense.
Result<Dump> parse_dump(std::string_view text);

/*
 * Writes a device that holds what the dump says; of blocks that are "unreadable" in it nothing is
 * made up: they stay unreadable. Errors: as of format().
 */
Result<void> restore(Device &device, const Dump &dump, Overwrite overwrite);

} // namespace blkctl::meta

#endif
