// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/dump.hpp"
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace blkctl::meta;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const auto value = parse_dump({reinterpret_cast<const char *>(data), size});
	if (!value)
		return 0;
	const auto again = parse_dump(print(*value));
	if (!again || again->super != value->super || !(again->map == value->map) ||
	    !(again->segments == value->segments) || again->bitmaps != value->bitmaps)
		std::abort();
	return 0;
}
