// SPDX-License-Identifier: GPL-2.0-or-later
// What `check` found, as JSON.
#ifndef BLKCTL_REPORT_JSON_META_HPP
#define BLKCTL_REPORT_JSON_META_HPP

#include "volume/offline.hpp"

namespace blkctl::report
{

// {"schema":1,"type":"check",...}: how the metadata stands, what is bad, which blocks cannot be
// read; of mode track which bitmaps there are, instead of counts of blocks.
std::string json_check(const volume::Checked &checked);

// The blocks and bitmaps that a repair could not or should not believe, with its outcome.
std::string json_repair(const volume::Repaired &repaired, bool dry_run);

} // namespace blkctl::report

#endif
