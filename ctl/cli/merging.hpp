// SPDX-License-Identifier: GPL-2.0-or-later
// commit and stream: started, waited for, finished.
#ifndef BLKCTL_CLI_MERGING_HPP
#define BLKCTL_CLI_MERGING_HPP

#include "cli/common.hpp"

namespace blkctl::cli
{

// `said`: the line it ends with.
Status run_merge(const Arguments &args, Operation operation, const std::string &said);

std::vector<Option> merge_options();

} // namespace blkctl::cli

#endif
