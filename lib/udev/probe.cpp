// SPDX-License-Identifier: GPL-2.0-or-later
#include "udev/probe.hpp"

namespace blkctl::udev
{

std::string describe(const Use &use, const std::string &path)
{
	switch (use.kind) {
	case Use::Kind::mounted:
		return path + " is mounted on " + use.by;
	case Use::Kind::swap:
		return path + " is in use as swap";
	case Use::Kind::held:
		return path + " is held by " + use.by;
	case Use::Kind::claimed:
		break;
	}
	return path + " is in use";
}

} // namespace blkctl::udev
