// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to the library.
#ifndef BLKCTL_REPORT_JSON_HPP
#define BLKCTL_REPORT_JSON_HPP

#include "report/fields.hpp"
#include "report/report.hpp"
#include <string>
#include <vector>

namespace blkctl::report
{

// {"schema":1,"volumes":[...]} in this order.
std::string json_list(const std::vector<const Row *> &rows);

// The same with these members alone: text, numbers, and null for what is empty.
std::string json_list(const std::vector<Column> &columns,
		      const std::vector<std::vector<std::string>> &rows);

} // namespace blkctl::report

#endif
