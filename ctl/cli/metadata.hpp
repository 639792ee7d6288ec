// SPDX-License-Identifier: GPL-2.0-or-later
// What the verbs about metadata devices share.
#ifndef BLKCTL_CLI_METADATA_HPP
#define BLKCTL_CLI_METADATA_HPP

#include "cli/verb.hpp"
#include "udev/system.hpp"
#include "volume/offline.hpp"
#include <memory>
#include <string>
#include <vector>

namespace blkctl::cli
{

// META, the device or file a verb is about.
Positional meta_positional();

// The running host as these verbs need it: without root and without the device-mapper.
struct OfflineHost {
	std::unique_ptr<udev::System> probe;
	volume::Offline offline() { return {.probe = *probe}; }
};
OfflineHost open_offline();

// "blocks 5-9, 77": for a person; of many only the first are named.
std::string ranges_text(const std::vector<meta::Range> &ranges, const std::string &of = "blocks");

} // namespace blkctl::cli

#endif
