// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/metadata.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli
{

Positional meta_positional()
{
	return {.name = "META",
		.help = "the metadata device: a block device, or the file behind one",
		.offer = Offer::block_device};
}

OfflineHost open_offline()
{
	return {.probe = take(udev::System::open())};
}

std::string ranges_text(const std::vector<meta::Range> &ranges, const std::string &of)
{
	constexpr size_t most = 8;
	std::string text = of;

	for (size_t i = 0; i < ranges.size() && i < most; ++i) {
		const auto &[first, count] = ranges[i];
		text += i ? ", " : " ";
		text += count == 1 ? fmt::format("{}", first)
				   : fmt::format("{}-{}", first, first + count - 1);
	}
	if (ranges.size() > most)
		text += fmt::format(" and {} more ranges", ranges.size() - most);
	return text;
}

} // namespace blkctl::cli
