// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to the library.
#ifndef BLKCTL_LVM_COMMANDS_HPP
#define BLKCTL_LVM_COMMANDS_HPP

#include "lvm/lvm.hpp"

namespace blkctl::lvm
{

// LVs as "lvs --reportformat json --segments" prints them with the columns of Commands, whose PVs
// are those of "pvs". Errors: failed, saying what is missing.
Result<std::vector<LogicalVolume>> parse_report(const std::string &lvs, const std::string &pvs);

// The lvm program.
class Commands final : public Lvm
{
      public:
	Result<std::vector<LogicalVolume>> list() override;
	Result<void> set_skipped(const LogicalVolume &lv, bool skipped) override;
};

} // namespace blkctl::lvm

#endif
