// SPDX-License-Identifier: GPL-2.0-or-later
// Small files, whole.
#ifndef BLKCTL_BASE_FILES_HPP
#define BLKCTL_BASE_FILES_HPP

#include "base/error.hpp"
#include <optional>
#include <string>

namespace blkctl
{

// A whole file (procfs and sysfs too); nullopt if it cannot be read.
std::optional<std::string> read_file(const std::string &path);

// The first line of a file, without its newline; nullopt if it cannot be read.
std::optional<std::string> read_line(const std::string &path);

// Replaces a file: a reader sees the old or the new content, whole. Errors: failed.
Result<void> replace_file(const std::string &path, const std::string &content);

// Makes a folder (0700) unless it is there. Errors: failed.
Result<void> make_folder(const std::string &path);

} // namespace blkctl

#endif
