// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/view.hpp"
#include "table/words.hpp"
#include "uapi/blkcopy.h"

namespace blkctl::table
{

Result<View> parse_view(std::string_view params)
{
	Words words("view", params);
	View view;

	BLKCTL_TRY(view.live, words.device("the volume"));
	if (words.done())
		return view;
	BLKCTL_TRY(const auto features, words.number<uint32_t>("the number of features"));
	for (uint32_t i = 0; i < features; i++) {
		BLKCTL_TRY(const auto word, words.word("a feature"));
		if (word != BLKCOPY_VIEW_DISCARDS || view.discards)
			return words.bad("a feature", word, "one that is known");
		view.discards = true;
	}
	BLKCTL_CHECK(words.end());
	return view;
}

std::string print(const View &table)
{
	return table.live.str() + (table.discards ? " 1 " BLKCOPY_VIEW_DISCARDS : "");
}

} // namespace blkctl::table
