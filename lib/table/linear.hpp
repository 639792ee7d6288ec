// SPDX-License-Identifier: GPL-2.0-or-later
// A linear line's parameters.
#ifndef BLKCTL_TABLE_LINEAR_HPP
#define BLKCTL_TABLE_LINEAR_HPP

#include "table/blkcopy.hpp"

namespace blkctl::table
{

struct Linear {
	Leg lower = {};

	bool operator==(const Linear &) const = default;
};

// "MAJ:MIN OFFSET" (sectors). Errors: failed, naming the argument.
Result<Linear> parse_linear(std::string_view params);
std::string print(const Linear &table);

} // namespace blkctl::table

#endif
