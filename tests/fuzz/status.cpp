// SPDX-License-Identifier: GPL-2.0-or-later
#include "round_trip.hpp"
#include "table/blkcopy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz::round_trip(data, size, [](std::string_view text) {
		return blkctl::table::parse_status(text);
	});
}
