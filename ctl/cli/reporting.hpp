// SPDX-License-Identifier: GPL-2.0-or-later
// The report options of list and show, with lvm's grammar.
#ifndef BLKCTL_CLI_REPORTING_HPP
#define BLKCTL_CLI_REPORTING_HPP

#include "cli/arguments.hpp"
#include "cli/verb.hpp"
#include "report/report.hpp"
#include <string>
#include <vector>

namespace blkctl::cli
{

std::vector<Option> report_options();

std::vector<Rule> report_rules();

// Whether one was given that asks for more than the format.
bool shapes_report(const Arguments &args);

// --json or --reportformat json.
bool wants_json(const Arguments &args);

// Whether only the list of fields is asked for: that needs no volume and no rights.
bool wants_field_list(const Arguments &args);

// The report the options ask for, ready to print.
std::string render_report(const Arguments &args, const std::vector<report::Row> &rows);

} // namespace blkctl::cli

#endif
