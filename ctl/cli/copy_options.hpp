// SPDX-License-Identifier: GPL-2.0-or-later
// The knobs of a copy as they are typed: options of `copy`, KEY=VALUE of `set`.
#ifndef BLKCTL_CLI_COPY_OPTIONS_HPP
#define BLKCTL_CLI_COPY_OPTIONS_HPP

#include "cli/arguments.hpp"
#include "cli/verb.hpp"
#include "table/blkcopy.hpp"
#include <string>
#include <utility>
#include <vector>

namespace blkctl::cli
{

// --mode, --rate, --inflight, --run, --on-base-error, --on-top-error.
std::vector<Option> copy_options();
table::Params read_copy_options(const Arguments &args);

// "mode=dual" as the library's setting {"copy_mode", "dual"}.
std::pair<std::string, std::string> read_setting(const std::string &word);

} // namespace blkctl::cli

#endif
