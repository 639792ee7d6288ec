// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/linear.hpp"
#include "table/words.hpp"

namespace blkctl::table
{

Result<Linear> parse_linear(std::string_view params)
{
	Words words("linear", params);
	Linear linear;

	BLKCTL_TRY(linear.lower.device, words.device("the device"));
	BLKCTL_TRY(linear.lower.offset, words.number<uint64_t>("the offset"));
	BLKCTL_CHECK(words.end());
	return linear;
}

std::string print(const Linear &table)
{
	return table.lower.device.str() + " " + std::to_string(table.lower.offset);
}

} // namespace blkctl::table
