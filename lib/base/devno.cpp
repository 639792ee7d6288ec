// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/devno.hpp"
#include <charconv>
#include <sys/sysmacros.h>

namespace blkctl
{

DevNo DevNo::from(dev_t dev)
{
	return {gnu_dev_major(dev), gnu_dev_minor(dev)};
}

dev_t DevNo::dev() const
{
	return gnu_dev_makedev(major, minor);
}

std::string DevNo::str() const
{
	return std::to_string(major) + ":" + std::to_string(minor);
}

static bool parse_part(std::string_view text, uint32_t max, uint32_t &out)
{
	// from_chars takes no sign for an unsigned type and no blanks; that is all we want.
	auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
	return error == std::errc() && end == text.data() + text.size() && out <= max;
}

std::optional<DevNo> parse_devno(std::string_view text)
{
	const auto colon = text.find(':');
	DevNo devno;

	if (colon == std::string_view::npos ||
	    !parse_part(text.substr(0, colon), (1u << 12) - 1, devno.major) ||
	    !parse_part(text.substr(colon + 1), (1u << 20) - 1, devno.minor))
		return std::nullopt;
	return devno;
}

} // namespace blkctl
