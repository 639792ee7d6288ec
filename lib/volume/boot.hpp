// SPDX-License-Identifier: GPL-2.0-or-later
// What a verb writes down so that its volume comes back at boot. Internal to the library.
#ifndef BLKCTL_VOLUME_BOOT_HPP
#define BLKCTL_VOLUME_BOOT_HPP

#include "tab/tab.hpp"
#include "volume/metadata.hpp"
#include <functional>
#include <optional>
#include <string>

namespace blkctl::volume
{

// A file that is not there is an empty one. Errors: failed.
Result<tab::Tab> read_tab(Context &context);

// The entry of this name, if there is one. An error is no answer: who decides by it where a volume
// is must not go on, as what is written down may bring back what is stale. Errors: of read_tab().
Result<std::optional<tab::Entry>> find_entry(Context &context, const std::string &name);

// The same of a volume, by what it is: its LV, its UUID, the metadata that it is on; by its name
// only where the entry says none of these. Names change while it is there, LVM's above all.
Result<std::optional<tab::Entry>> find_entry(Context &context, const Volume &volume);

// From the entry there is to the one there shall be; none: it goes.
using ChangeEntry =
	std::function<Result<std::optional<tab::Entry>>(const std::optional<tab::Entry> &before)>;

/*
 * Adds that change of the entry of a volume, in words `text`. Undone by the entry there was, unless
 * it is `for_good`, or holds whatever has failed: `stays` says so then. One that was written under
 * another name goes by the name the volume has now. Errors: needs_attention (it has metadata, and
 * that goes by the other name), busy (the tab has another volume of this name), those of
 * read_tab().
 */
Result<void> add_entry(Change &change, const Volume &volume, const std::string &text,
		       const ChangeEntry &make, bool for_good = false,
		       const std::function<bool()> &stays = {});

// The same of a volume that is not there yet, or not any more, by its name alone.
void add_entry(Change &change, const std::string &name, const std::string &text,
	       const ChangeEntry &make, bool for_good = false);

// What a table tells the volume's job, as the entry keeps it.
void keep_told(const table::Blkcopy &table, tab::Entry &entry);

// Adds that the entry of a volume with layers says what `tell` writes there. To go before the
// messages that tell it the kernel: one that is refused takes it back. Where it cannot be written
// or read, it is a note. False, and nothing, if it says so already, or there is no such entry: the
// job ends with the running system.
bool add_told(Change &change, const Volume &volume, const std::function<void(tab::Entry &)> &tell);

// The entry of a device that is an attached LV, whatever it was called when that was written.
// Errors: of read_tab().
Result<std::optional<tab::Entry>> find_lv_entry(Context &context, const dm::Info &device);

// Where a volume is on one device, as its entry has it; if that is there.
std::optional<table::Leg> leg_in(Context &context, const tab::Entry &entry);

// Whether the volume's coming back is written down, and not that of another one of its name.
// Errors: of read_tab().
Result<bool> is_written_down(Context &context, const Volume &volume);

// The same, and not only for who names it; nor refused, as what a killed pivot leaves is. No, where
// the tab cannot be read: this is for whoever looks.
bool comes_back_at_boot(Context &context, const Volume &volume);

// Has the outcome say so if one of them has no name that lasts over a boot. Nothing at a device
// that is not there yet.
void say_if_nameless(Change &change, const std::vector<DevNo> &devices);

// As an entry names a metadata device: a file by its path, a device by its identity.
Result<std::string> meta_text(Context &context, DevNo device);

// The entry of a volume as its tables are now; of what they do not say, such as the metadata that
// is kept of a layer whose commit is over, as it was before. Errors: needs_attention (nothing says
// what a layer is over).
Result<tab::Entry> entry_of(Context &context, const Volume &volume,
			    const std::optional<tab::Entry> &before);

// The same once a new layer with this metadata is above it, told what `table` says, whose base gets
// this number; 0: it has no layer yet.
Result<tab::Entry> entry_above(Context &context, const Volume &volume,
			       const std::optional<tab::Entry> &before, unsigned number, DevNo meta,
			       const table::Blkcopy &table);

// Adds that a volume on one device comes back with this metadata, and with a job that is told what
// `table` says, in words `how`. Errors: failed.
Result<void> add_first_layer(Change &change, const Volume &volume, const Place &place,
			     const table::Blkcopy &table, const std::string &how);

// Adds that the volume is on `base` alone, and of an LV that LVM leaves it to us. Otherwise as
// add_entry(). Errors: failed.
Result<void> add_alone(Change &change, const Volume &volume, const table::Leg &base, bool for_good);

/*
 * Adds, before a pivot, that the volume is on one of its base and `target`, and that only the
 * kernel knows on which: either alone would be stale if it were wrong. Of an LV that LVM leaves it
 * to us from then on. Errors: failed.
 */
Result<void> add_undecided(Change &change, const Volume &volume, const table::Leg &target,
			   const std::function<bool()> &stays);

// Adds, after it, that it is on the target alone. For good. Errors: of add_entry().
Result<void> add_decided(Change &change, const Volume &volume, const table::Leg &target);

/*
 * Adds that the volume is on `base` alone from now on, if that it comes back is written down. An LV
 * that is where LVM has it is LVM's again. `for_good`: what it was on before is stale, whatever
 * becomes of the steps after this one. Errors: failed.
 */
Result<void> add_plain_entry(Change &change, const Volume &volume, const table::Leg &base,
			     bool for_good = false);

/*
 * Adds that LVM has its LV again if a volume that is written down is on `base` alone, and that is
 * where LVM has it, and it has no bitmaps on metadata. False, and nothing, if not. Errors: failed.
 */
Result<bool> add_return_from(Change &change, const Volume &volume, const table::Leg &base);

// Adds what add_plain_entry() does if the volume is written down as being on another device than
// its base, or as undecided: a pivot was killed that has not been. Errors: failed.
Result<void> add_entry_repair(Change &change, const Volume &volume);

// Adds that LVM has its LV again, wherever it has it, and that nothing is written down of it. For
// good. Errors: failed.
Result<void> add_return(Change &change, const Volume &volume);

// Adds that there is no entry of this name, if there is one. Errors: of read_tab().
Result<void> add_entry_removal(Change &change, const std::string &name, bool for_good = false);

// Adds the end of the metadata of a copy, or of a view, that is over: it is of no use. `kept`: what
// the volume is on alone, where that is not written down yet.
Result<void> add_end_of_metadata(Change &change, const Volume &volume,
				 const std::optional<table::Leg> &kept);

// Writes down what the base of a new snapshot looks like, now that nobody writes to it. Never
// fails: it is one check less.
void remember_base(Context &context, const std::string &name, const table::Leg &base,
		   uint64_t sectors);

} // namespace blkctl::volume

#endif
