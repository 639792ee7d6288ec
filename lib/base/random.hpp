// SPDX-License-Identifier: GPL-2.0-or-later
// Random identifiers. Internal to the library.
#ifndef BLKCTL_BASE_RANDOM_HPP
#define BLKCTL_BASE_RANDOM_HPP

#include "base/error.hpp"
#include <string>

namespace blkctl
{

// 32 random hex digits in lower case: the middle of a device's UUID. Errors: failed.
Result<std::string> random_hex();

} // namespace blkctl

#endif
