// SPDX-License-Identifier: GPL-2.0-or-later
// One volume whole, for a person.
#ifndef BLKCTL_CLI_SHOW_TEXT_HPP
#define BLKCTL_CLI_SHOW_TEXT_HPP

#include "report/report.hpp"
#include <string>

namespace blkctl::cli
{

std::string show_text(const report::Row &row);

} // namespace blkctl::cli

#endif
