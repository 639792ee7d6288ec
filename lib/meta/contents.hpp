// SPDX-License-Identifier: GPL-2.0-or-later
// Everything on a metadata device, as far as it is believed, and what is wrong with the rest.
#ifndef BLKCTL_META_CONTENTS_HPP
#define BLKCTL_META_CONTENTS_HPP

#include "meta/bitmap.hpp"
#include "meta/device.hpp"
#include "meta/map.hpp"
#include "meta/map_sectors.hpp"
#include "meta/superblock.hpp"
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::meta
{

enum class Place { superblock, intent, exact };
std::string_view word(Place place);

/*
 * What a bad sector means. Of a bitmap, bits that are doubtful or lost count as all changed, a
 * record that is doubtful may have missed writes, one that is lost loses the bitmap.
 *   torn      left by a stop without warning: of an exact sector the slot that is good counts,
 *             be it the older one; an intent sector counts as all marked, the bits of a bitmap
 *             that were never written before as all changed. Nothing is wrong.
 *   spare     the other copy or slot is good and known to be the newest, or nothing is kept
 *             there: nothing is lost, but there is no second one
 *   marked    an intent sector after a stop in good order: counts as all marked
 *   doubtful  a good slot is left, but maybe the newer one is lost: not believed
 *   lost      nothing good is left
 */
enum class Verdict { torn, spare, marked, doubtful, lost };
std::string_view word(Verdict verdict);

struct Finding {
	Place place = Place::exact;
	uint64_t index = 0; // the copy of the superblock, or which sector of its kind
	unsigned slot = 0;  // of an exact sector
	// Nothing: the sector is good in itself, but not as it was left (see exact_sum).
	std::optional<Damage> damage = {};
	Verdict verdict = Verdict::torn;

	bool operator==(const Finding &) const = default;
};
// "exact sector 3, slot 1: it is blank (torn)"
std::string describe(const Finding &finding);

// The slots of an exact sector: which one counts.
struct ExactState {
	std::optional<unsigned> good = {}; // the newest good slot
	uint64_t generation = 0;           // its; 0 if there is none, 1 if it was never written
	unsigned bad = 0;                  // slots that are bad

	bool is_lost() const { return !good && bad > 0; }
};

struct Contents {
	Superblock super = {};
	unsigned super_copy = 0; // the one that counts
	BlockMap map = BlockMap();
	SegmentMap segments = SegmentMap();
	std::vector<ExactState> exact = {};
	// What the good slots of doubtful sectors say, by index.
	std::map<uint64_t, Words> doubtful = {};
	// Of mode track, instead of the map: in the order of their slots.
	std::vector<Bitmap> bitmaps = {};
	// Slots whose record cannot be read: if there was a bitmap, it is lost.
	std::vector<uint32_t> lost_bitmaps = {};
	std::vector<Finding> findings = {};

	uint64_t count(Verdict verdict) const;
	// Nobody needs to look at it: all that was found is torn.
	bool is_well() const;
	std::vector<Range> unreadable() const; // blocks
	// What counts as changed of a bitmap: while it records, the marked segments as well.
	Changes changed(const Bitmap &bitmap) const;
	bool is_inconsistent(const Bitmap &bitmap) const
	{
		return bitmap.inconsistent || super.unsealed;
	}
};

/*
 * Reads all of it. Errors: those of read_superblock(). Bad sectors are no errors but findings;
 * blocks whose state is not believed are lost in the map, granules count as changed.
 */
Result<Contents> read_contents(Device &device);

// exact_sum over these generations.
uint32_t sum_of(const std::vector<ExactState> &exact);

// Reads each slot of exact sector `index`; shared with repair.
using OnSlot = std::function<void(uint64_t index, unsigned slot, const Decoded<Exact> &found)>;
void each_slot(Device &device, const Superblock &super, const OnSlot &call);

} // namespace blkctl::meta

#endif
