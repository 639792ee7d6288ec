// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to the library.
#ifndef BLKCTL_REPORT_JSON_HPP
#define BLKCTL_REPORT_JSON_HPP

#include "report/report.hpp"
#include <string>
#include <vector>

namespace blkctl::report
{

// {"schema":1,"volumes":[...]} in this order.
std::string json_list(const std::vector<const Row *> &rows);

} // namespace blkctl::report

#endif
