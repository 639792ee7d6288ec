// SPDX-License-Identifier: GPL-2.0-or-later
// What LVM knows of its LVs, and whether it may activate them. Lvm is the seam that unit tests put
// recorded ones behind; Commands (commands.hpp) runs lvm itself.
#ifndef BLKCTL_LVM_LVM_HPP
#define BLKCTL_LVM_LVM_HPP

#include "base/error.hpp"
#include <cstdint>
#include <string>
#include <vector>

namespace blkctl::lvm
{

// Where a stripe is; of a linear segment all of it.
struct Stripe {
	std::string pv = {}; // its path, as LVM names it
	uint64_t offset = 0; // from the beginning of the PV, 512-byte sectors

	bool operator==(const Stripe &) const = default;
};

struct Segment {
	std::string type = {}; // "linear", "striped", "thin", ...
	uint64_t sectors = 0;
	uint64_t stripe_sectors = 0;      // of a striped one
	std::vector<Stripe> stripes = {}; // of these two types only

	bool operator==(const Segment &) const = default;
};

struct LogicalVolume {
	std::string id = {}; // of the VG and the LV, 64 characters: its device is "LVM-" + id
	std::string group = {};
	std::string name = {};
	std::string mapper_name = {};       // of its device: "vg0-home"
	bool is_skipped = false;            // activated only when that is insisted on
	std::vector<Segment> segments = {}; // one after the other

	std::string path() const { return group + "/" + name; }
	uint64_t sectors() const;
	bool operator==(const LogicalVolume &) const = default;
};

class Lvm
{
      public:
	virtual ~Lvm() = default;

	// Every LV that is not a part of another; none where there is no LVM. Errors: failed, with
	// what it said.
	virtual Result<std::vector<LogicalVolume>> list() = 0;

	// Whether "vgchange -ay", and LVM at boot, pass over it. What is active stays as it is.
	// Errors: failed.
	virtual Result<void> set_skipped(const LogicalVolume &lv, bool skipped) = 0;
};

} // namespace blkctl::lvm

#endif
