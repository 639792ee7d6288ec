// SPDX-License-Identifier: GPL-2.0-or-later
// Events as JSON lines.
#ifndef BLKCTL_REPORT_JSON_EVENT_HPP
#define BLKCTL_REPORT_JSON_EVENT_HPP

#include "job/watcher.hpp"
#include <string>

namespace blkctl::report
{

// {"schema":1,"event":...}, compact, no newline at the end.
std::string json_event(const job::Event &event);

} // namespace blkctl::report

#endif
