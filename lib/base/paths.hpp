// SPDX-License-Identifier: GPL-2.0-or-later
// Which file a path leads to, and whether there is anything in it.
#ifndef BLKCTL_BASE_PATHS_HPP
#define BLKCTL_BASE_PATHS_HPP

#include "base/error.hpp"
#include <cstdint>
#include <optional>
#include <string>

namespace blkctl
{

// Whether two paths lead to one file.
bool is_same_file(const std::string &a, const std::string &b);

// A path as the kernel would show it: without links, "..", and slashes too many. Its end need not
// be there.
std::string canonical_path(const std::string &path);

// What tells a file as it is now from every other, and from itself once it has been written to,
// whatever it is called and after a boot. Nothing: it is not there.
std::optional<std::string> content_identity(const std::string &path);

// The 4 KiB, by their offset, that the first byte of a file is in that is not 0; nothing: there is
// none. Holes are not read. Errors: failed.
Result<std::optional<uint64_t>> first_content(const std::string &path);

} // namespace blkctl

#endif
