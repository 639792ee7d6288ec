// SPDX-License-Identifier: GPL-2.0-or-later
// What a job may be told while it runs: the parameters that have a meaning then, by their keys.
// Internal to the library.
#ifndef BLKCTL_TABLE_SETTINGS_HPP
#define BLKCTL_TABLE_SETTINGS_HPP

#include "table/blkcopy.hpp"
#include <utility>

namespace blkctl::table
{

bool is_setting(std::string_view key);

// From the words that the kernel takes. Errors: usage, saying what would be right, or that there is
// no such key.
Result<void> set(Params &params, std::string_view key, std::string_view value);

// What is in force, in the kernel's words; its default if none is given.
std::string value_of(const Params &params, std::string_view key);

// The ones that are given, in the order of the table line.
std::vector<std::pair<std::string_view, std::string>> given(const Params &params);

// What a job has to be told again when it comes back: without what the kernel does anyway, and what
// the metadata says.
Params told(const Params &params);

} // namespace blkctl::table

#endif
