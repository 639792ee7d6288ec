// SPDX-License-Identifier: GPL-2.0-or-later
// A view's parameters.
#ifndef BLKCTL_TABLE_VIEW_HPP
#define BLKCTL_TABLE_VIEW_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include <string>
#include <string_view>

namespace blkctl::table
{

struct View {
	DevNo live = {};       // the volume it is a view of
	bool discards = false; // what is discarded on it is not kept for it any more

	bool operator==(const View &) const = default;
};

// "MAJ:MIN [#FEATURES [discards]]". Errors: failed, naming the argument.
Result<View> parse_view(std::string_view params);
std::string print(const View &table);

} // namespace blkctl::table

#endif
