// SPDX-License-Identifier: GPL-2.0-or-later
// commit and stream: started, waited for, finished.
#ifndef BLKCTL_CLI_MERGING_HPP
#define BLKCTL_CLI_MERGING_HPP

#include "cli/common.hpp"

namespace blkctl::cli
{

// `option`: what to type behind the name to come back; `said`: the line it ends with.
using Merge =
	std::function<Result<volume::Outcome>(volume::Context &, const std::string &, volume::Run)>;
Status run_merge(const Arguments &args, const Merge &operation, const std::string &option,
		 const std::string &said);

std::vector<Option> merge_options();
std::vector<Rule> merge_rules();

} // namespace blkctl::cli

#endif
