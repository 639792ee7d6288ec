// SPDX-License-Identifier: GPL-2.0-or-later
// What making a volume consists of, whatever its first table is. Internal to the library.
#ifndef BLKCTL_VOLUME_MAKING_HPP
#define BLKCTL_VOLUME_MAKING_HPP

#include "tab/tab.hpp"
#include "volume/steps.hpp"
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace blkctl::volume
{

// Errors: usage, if dm cannot have the name.
// Whether a device can be another volume's than `name`: not one that a volume which is not active
// is on. What it holds alone may be no image of anything. Errors: busy.
Result<void> check_not_owned(Context &context, const std::string &name,
			     const udev::BlockDevice &device);
Result<void> check_name(const std::string &verb, const std::string &name);

// Errors: usage (a name that dm cannot have, block size).
Result<void> check_request(const std::string &name, uint32_t block_sectors);

// What a killed create left under this name: a device of ours without a live table.
bool is_half_made(const dm::Info &info);

// That the tab has a volume of this name, which is not active: it is not to be written over.
Error in_tab_already(const Context &context, const tab::Entry &entry);

Result<std::optional<dm::Info>> find_by_name(Context &context, const std::string &name);

// Errors: busy, if a device is in use by anybody but `own`.
Result<void> check_free_for(Context &context, const std::string &name, DevNo device,
			    const std::optional<DevNo> &own);

// Makes a device; it is filled in when the plan runs.
Step creation(Context &context, const std::string &name, const std::string &uuid,
	      const std::shared_ptr<dm::Info> &device, dm::Visibility visibility);

// Adds the making of the device a volume gets; it is filled in when the plan runs.
void add_creation(Change &change, const std::string &name, const std::string &uuid,
		  const std::shared_ptr<dm::Info> &device,
		  dm::Visibility visibility = dm::Visibility::visible);

// Adds loading its first table, in words `text`.
void add_first_load(Change &change, const std::shared_ptr<dm::Info> &device,
		    const std::string &text, const std::function<dm::Table()> &table);

// Adds bringing it up.
void add_first_resume(Change &change, const std::shared_ptr<dm::Info> &device,
		      dm::Visibility visibility = dm::Visibility::visible);

// Adds both, with a second look at the device below between them; what backup that holds is
// forgotten: it is written to from then on.
void add_first_table(Change &change, const std::shared_ptr<dm::Info> &device, DevNo lower,
		     const std::string &text, const std::function<dm::Table()> &table);

} // namespace blkctl::volume

#endif
