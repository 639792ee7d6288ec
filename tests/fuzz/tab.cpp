// SPDX-License-Identifier: GPL-2.0-or-later
#include "tab/tab.hpp"
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace blkctl::tab;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const std::string_view text(reinterpret_cast<const char *>(data), size);
	const auto tab = Tab::parse(text);

	// What makes no sense stays as it is, and what does comes back as it was.
	if (Tab::parse(tab.print()).print() != tab.print())
		std::abort();
	for (const auto &entry : tab.entries()) {
		const auto again = parse_entry(print(entry));
		if (!again || *again != entry)
			std::abort();
	}
	return 0;
}
