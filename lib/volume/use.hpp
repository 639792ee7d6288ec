// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a device may be taken. Internal to the library.
#ifndef BLKCTL_VOLUME_USE_HPP
#define BLKCTL_VOLUME_USE_HPP

#include "base/error.hpp"
#include "udev/probe.hpp"
#include "volume/context.hpp"
#include <optional>
#include <string>
#include <vector>

namespace blkctl::volume
{

// The use that forbids to take a device; that the dm device `own` holds it is none. Waits a
// second for who has it open for moments only.
Result<std::optional<udev::Use>> foreign_use(Context &context, DevNo device,
					     const std::optional<DevNo> &own);

// Errors: busy, if a dm device is open, naming by whom where that can be told.
Result<void> check_closed(Context &context, const std::string &verb, const dm::Info &info);

// What to run about a use: how to end it where that is plain, how to look at it elsewhere.
std::string next_about(Context &context, const udev::Use &use);

// A suspended dm device among these and what is below them: whoever reads from it hangs.
std::optional<dm::Info> suspended_below(Context &context, const std::vector<DevNo> &devices);

} // namespace blkctl::volume

#endif
