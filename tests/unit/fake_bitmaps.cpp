// SPDX-License-Identifier: GPL-2.0-or-later
// The bitmaps of a recorded host: which there are, their states, and how much is in them.
#include "fake_host.hpp"
#include <algorithm>
#include <cerrno>
#include <sstream>

namespace blkctl::fake
{

Result<void> Mapper::bitmap_message(Device &device, const std::string &text)
{
	std::istringstream words(text);
	std::string word, name;
	words >> word >> word >> name;
	auto &all = device.status.bitmaps;
	const auto bitmap = std::find_if(all.begin(), all.end(),
					 [&](const auto &one) { return one.name == name; });

	if (word == "add") {
		uint32_t granule = device.status.block_sectors;
		words >> granule;
		all.push_back({name, 0, "recording", granule});
		return {};
	}
	if (bitmap == all.end())
		return Error{.why = "no such bitmap", .sys_errno = ENOENT};
	const bool frozen = bitmap->state == "frozen";
	if ((word == "freeze" && frozen) || (word == "thaw" && !frozen))
		return Error{.why = "not so", .sys_errno = EBUSY};
	if (word == "remove") {
		all.erase(bitmap);
		return {};
	}
	if (word == "clear")
		bitmap->dirty_blocks = 0;
	if (word != "merge")
		bitmap->state = word == "freeze"    ? "frozen"
				: word == "disable" ? "disabled"
						    : "recording";
	return {};
}

} // namespace blkctl::fake
