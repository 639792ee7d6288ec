// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/view.hpp"
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace blkctl::table;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const auto value = parse_view({reinterpret_cast<const char *>(data), size});
	if (!value)
		return 0;
	const auto again = parse_view(print(*value));
	if (!again || *again != *value)
		std::abort();
	return 0;
}
