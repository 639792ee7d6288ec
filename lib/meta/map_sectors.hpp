// SPDX-License-Identifier: GPL-2.0-or-later
// The two kinds of sectors that hold bits: exact ones (two bits a block) and intent ones (one bit a
// segment).
#ifndef BLKCTL_META_MAP_SECTORS_HPP
#define BLKCTL_META_MAP_SECTORS_HPP

#include "meta/sector.hpp"

namespace blkctl::meta
{

// The slot that a generation is written to.
inline unsigned slot_of(uint64_t generation)
{
	return generation % 2;
}

struct Exact {
	Uuid uuid = {};
	uint64_t index = 0;
	uint64_t generation = BLKCOPY_META_FIRST_GENERATION;
	Words words = {};

	bool operator==(const Exact &) const = default;
};

struct Intent {
	Uuid uuid = {};
	uint64_t index = 0;
	uint64_t generation = BLKCOPY_META_FIRST_GENERATION;
	std::array<uint8_t, segments_a_sector / 8> bits = {};

	bool operator==(const Intent &) const = default;
};

// Inverse functions on all that decode takes.
Sector encode(const Exact &exact);
Sector encode(const Intent &intent);

// What is in the place of exact sector `index`, in one of its slots, whatever it says.
Decoded<Exact> decode_exact(SectorView sector, const Uuid &uuid, uint64_t index, unsigned slot);

// The same of a block map. Bits behind the last of `blocks` have to be 0.
Decoded<Exact> decode_exact(SectorView sector, const Uuid &uuid, uint64_t index, unsigned slot,
			    uint64_t blocks);

// The same for an intent sector and `segments`.
Decoded<Intent> decode_intent(SectorView sector, const Uuid &uuid, uint64_t index,
			      uint64_t segments);

} // namespace blkctl::meta

#endif
