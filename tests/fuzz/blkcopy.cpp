// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/blkcopy.hpp"
#include "round_trip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz::round_trip(data, size, [](std::string_view text) {
		return blkctl::table::parse_blkcopy(text);
	});
}
