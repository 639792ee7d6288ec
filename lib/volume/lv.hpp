// SPDX-License-Identifier: GPL-2.0-or-later
// Attached LVs. LVM activates an LV where its own metadata has it: once some of what it holds is
// elsewhere it must not, and we bring it back in its stead. Internal to the library.
#ifndef BLKCTL_VOLUME_LV_HPP
#define BLKCTL_VOLUME_LV_HPP

#include "lvm/lvm.hpp"
#include "tab/tab.hpp"
#include "volume/steps.hpp"
#include <functional>
#include <optional>
#include <string>

namespace blkctl::volume
{

// What the tab has of an LV: Entry::lv. Empty if the device is none.
std::string lv_id(const dm::Info &info);

// The LV that goes by it, if LVM has one. Errors: failed.
Result<std::optional<lvm::LogicalVolume>> find_lv(Context &context, const std::string &id);

// Where LVM has all of it, if that is in one piece and its PV is there.
std::optional<table::Leg> place_of(Context &context, const lvm::LogicalVolume &lv);

// The table that LVM gives it. Errors: not_found (a PV), failed (of a type that we do not make).
Result<dm::Table> lvm_table(Context &context, const std::string &verb,
			    const lvm::LogicalVolume &lv);

/*
 * The LV of an entry that is to be brought back in LVM's stead. Errors: not_found, needs_attention
 * (LVM calls it something else by now).
 */
Result<lvm::LogicalVolume> find_lv_of(Context &context, const std::string &verb,
				      const tab::Entry &entry);

/*
 * Whether `leg` is in a PV: others use that too, and it has to be where LVM has the LV of this
 * entry. Errors: those of find_lv_of(), and needs_attention (it is not; it has another size).
 */
Result<bool> is_in_pv(Context &context, const std::string &verb, const tab::Entry &entry,
		      const table::Leg &leg, uint64_t sectors);

// Whether LVM calls an LV what its entry does: it would come up by a name that nobody looks for.
// Errors: needs_attention.
Result<void> check_lv_name(Context &context, const std::string &verb, const lvm::LogicalVolume &lv,
			   const tab::Entry &entry);

// Errors: needs_attention.
Result<void> check_size(const std::string &verb, const lvm::LogicalVolume &lv, uint64_t sectors);

/*
 * Whether a volume can be made again after a boot: it was created, or it is an LV that can be put
 * together from what LVM says of it. Errors: failed.
 */
Result<bool> can_come_back(Context &context, const Volume &volume);

// Whether LVM leaves an LV to us. Errors: failed.
Result<bool> is_held(Context &context, const dm::Info &info);

// Whether a volume that is on `base` alone is an LV where LVM has it. Errors: failed.
Result<bool> is_where_lvm_has_it(Context &context, const Volume &volume, const table::Leg &base);

// Whether an entry says that its LV is on the hidden device with the table that LVM gives it.
bool is_on_hidden(const tab::Entry &entry);

// Whether an entry says that all of its LV is on LVM's extents: whatever LVM did to it since, that
// is right.
bool is_on_extents(Context &context, const tab::Entry &entry);

// Of such a one, whether LVM has since given it another size, another type or, of one in one piece,
// another place.
bool was_changed(Context &context, const tab::Entry &entry, const lvm::LogicalVolume &lv);

// Adds that LVM leaves an LV to us from here on, or that it has it again. Nothing for another
// device, if it is so, and for an LV that LVM does not know. Errors: failed.
// `stays`: as of add_entry().
Result<void> add_hold(Change &change, const dm::Info &info,
		      const std::function<bool()> &stays = {});
void add_hold(Change &change, const lvm::LogicalVolume &lv);
Result<void> add_release(Change &change, const dm::Info &info);
void add_release(Change &change, const lvm::LogicalVolume &lv);

} // namespace blkctl::volume

#endif
