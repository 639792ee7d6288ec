// SPDX-License-Identifier: GPL-2.0-or-later
// Names that last over a boot. Pure, for tests. Internal to the library.
#ifndef BLKCTL_UDEV_IDENTITY_HPP
#define BLKCTL_UDEV_IDENTITY_HPP

#include <string>
#include <string_view>
#include <vector>

namespace blkctl::udev
{

// What is known of a device that a name could be made of.
struct Traits {
	std::string dm_uuid = {};
	std::string dm_name = {};
	std::string loop_file = {};
	std::string partuuid = {};
	std::vector<std::string> links = {}; // all that lead to it: "/dev/disk/by-id/wwn-0x5"
	std::string kernel_name = {};
};

// Whether it names a device by one of the kinds of identities; a file is named by its path.
bool is_identity(std::string_view text);

// The best of them; see Probe::identity().
std::string identity_of(const Traits &traits);

} // namespace blkctl::udev

#endif
