// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef BLKCTL_TESTS_UNITS_HPP
#define BLKCTL_TESTS_UNITS_HPP

#include <cstdint>

namespace blkctl
{

inline constexpr uint64_t kib = 1024, mib = 1024 * kib;

} // namespace blkctl

#endif
