// SPDX-License-Identifier: GPL-2.0-or-later
// A device number. Tables name devices by it, and jobs are keyed by it: names change.
#ifndef BLKCTL_BASE_DEVNO_HPP
#define BLKCTL_BASE_DEVNO_HPP

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace blkctl
{

struct DevNo {
	uint32_t major = 0;
	uint32_t minor = 0;

	auto operator<=>(const DevNo &) const = default;

	static DevNo from(dev_t dev);
	dev_t dev() const;
	std::string str() const; // "253:0"
};

// Parses "MAJ:MIN", decimal, the kernel's 12 and 20 bits; nullopt for anything else.
std::optional<DevNo> parse_devno(std::string_view text);

} // namespace blkctl

#endif
