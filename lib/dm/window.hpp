// SPDX-License-Identifier: GPL-2.0-or-later
// Several devices change their tables at one instant: the only time something is suspended from
// user space. Internal to the library.
#ifndef BLKCTL_DM_WINDOW_HPP
#define BLKCTL_DM_WINDOW_HPP

#include "dm/mapper.hpp"
#include <string>
#include <vector>

namespace blkctl::dm
{

/*
 * Freezes the filesystems, suspends all devices, resumes all with the tables that were loaded,
 * thaws. Between, nothing is opened, allocated or waited for, memory is locked and signals are
 * blocked.
 *
 * A guard, a process of its own, outlives whoever is killed in there: until all are suspended it
 * takes everything back (the loaded tables are cleared), from then on it brings it to its end. It
 * does the same when the deadline passes. A maker that hangs in the freeze of one filesystem cannot
 * be killed: the others are thawed all the same.
 */
Result<GroupResult> run_window(const std::vector<DevNo> &devices, const GroupOptions &options,
			       const std::string &run_dir, std::chrono::milliseconds udev_timeout);

} // namespace blkctl::dm

#endif
