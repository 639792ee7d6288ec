// SPDX-License-Identifier: GPL-2.0-or-later
// What is parsed, printed and parsed again is the same.
#ifndef BLKCTL_FUZZ_ROUND_TRIP_HPP
#define BLKCTL_FUZZ_ROUND_TRIP_HPP

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace fuzz
{

template <typename Parse> int round_trip(const uint8_t *data, size_t size, Parse parse)
{
	const auto value = parse({reinterpret_cast<const char *>(data), size});
	if (!value)
		return 0;
	const auto again = parse(print(*value));
	if (!again || *again != *value)
		std::abort();
	return 0;
}

} // namespace fuzz

#endif
