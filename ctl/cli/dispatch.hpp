// SPDX-License-Identifier: GPL-2.0-or-later
// From argv to an exit status: finds the verb, parses, runs, and prints the
// one line that says why it gave up.
#ifndef BLKCTL_CLI_DISPATCH_HPP
#define BLKCTL_CLI_DISPATCH_HPP

#include <string>
#include <vector>

#include "base/error.hpp"

namespace blkctl::cli
{

Status dispatch(const std::vector<std::string> &words);

} // namespace blkctl::cli

#endif
