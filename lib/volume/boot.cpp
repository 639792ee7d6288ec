// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/boot.hpp"
#include "base/files.hpp"
#include "table/settings.hpp"
#include "volume/chain.hpp"
#include "volume/legs.hpp"
#include "volume/lv.hpp"
#include "volume/uuid.hpp"
#include <cerrno>
#include <unistd.h>

namespace blkctl::volume
{

namespace
{

constexpr auto tab_lock_timeout = std::chrono::seconds(10);
constexpr std::string_view file_kind = "file:";
constexpr std::string_view unlasting_kind = "name:";

constexpr const char *head = "# Volumes of blkctl that come back at boot; see blkctltab(5).\n"
			     "# NAME DEVICE METADATA [OPTIONS]\n";

Result<void> change_tab(Context &context, const std::function<void(tab::Tab &)> &how)
{
	BLKCTL_TRY(const auto lock, Lock::tab(context.run_dir, tab_lock_timeout));
	BLKCTL_TRY(auto tab, read_tab(context));
	const auto before = tab.print();

	how(tab);
	if (tab.print() == before)
		return {};
	return replace_file_durably(context.tab_file, tab.print());
}

// In place of `before`, which may have another name.
Result<void> set_entry(Context &context, const std::optional<tab::Entry> &before,
		       const std::optional<tab::Entry> &entry)
{
	const auto name = before ? before->name : std::string();

	return change_tab(context, [&](tab::Tab &tab) {
		if (!entry) {
			tab.remove(name);
			return;
		}
		if (tab.lines().empty())
			tab = tab::Tab::parse(head);
		tab.put(*entry, name);
	});
}

void keep_options(const std::optional<tab::Entry> &before, tab::Entry &entry)
{
	if (!before)
		return;
	entry.noauto = before->noauto;
	entry.initramfs = before->initramfs;
}

Result<void> set_bitmaps(Context &context, const Volume &volume, tab::Entry &entry)
{
	if (!volume.table.bitmaps)
		return {};
	BLKCTL_TRY(entry.bitmaps, meta_text(context, *volume.table.bitmaps));
	return {};
}

// An LV has LVM's UUID, and metadata has its own.
tab::Entry blank_entry(const Volume &volume)
{
	return {.name = volume.name(), .lv = lv_id(volume.info)};
}

// What a volume without metadata is made from. A layer is no device that is there after a boot:
// nothing but the metadata of what is over it has it made.
Result<tab::Entry> plain_entry(Context &context, const Volume &volume, const table::Leg &base)
{
	const auto below = context.dm.info(base.device);
	auto entry = blank_entry(volume);

	if (below && is_layer_uuid(below->uuid))
		return refusal(Status::needs_attention, "write down", volume.name(),
			       "it is on its layer " + below->name +
				       ", which is not there after a boot without its metadata",
			       "blkctl show " + volume.name());
	if (entry.lv.empty())
		entry.uuid = hex_of(volume.info.uuid);
	entry.sectors = volume.sectors;
	entry.offset = base.offset;
	entry.block_sectors = volume.table.block_sectors;
	BLKCTL_TRY(entry.device, context.probe.identity(base.device));
	BLKCTL_CHECK(set_bitmaps(context, volume, entry));
	return entry;
}

Result<void> add_alone_entry(Change &change, const Volume &volume, const table::Leg &base,
			     bool for_good)
{
	auto &context = change.context();

	return add_entry(
		change, volume,
		"write in " + context.tab_file + " that " + volume.name() + " is on " +
			device_path(context, base.device) + " alone",
		[&context, volume, base](const auto &before) -> Result<std::optional<tab::Entry>> {
			BLKCTL_TRY(auto entry, plain_entry(context, volume, base));
			keep_options(before, entry);
			return std::optional(entry);
		},
		for_good);
}

void note_untold(Change &change, const std::string &name, const Error &error)
{
	add_note(change.outcome().note, name + ": it cannot be written down (" + error.why +
						"): after a boot it is as before");
}

// What is written down of a layer, which its table does not name once its own commit is over.
std::optional<tab::Layer> kept_layer(const std::optional<tab::Entry> &before, unsigned number)
{
	for (const auto &layer : before ? before->layers : std::vector<tab::Layer>())
		if (layer.number == number)
			return layer;
	return std::nullopt;
}

// Of several, which an earlier version may have left, the one that has the name too.
std::optional<tab::Entry> pick(const tab::Tab &tab, const std::string &name,
			       const std::function<bool(const tab::Entry &)> &is_it)
{
	std::optional<tab::Entry> found;

	for (const auto &entry : tab.entries())
		if (is_it(entry) && (!found || entry.name == name))
			found = entry;
	return found;
}

// Whether it is made from the metadata that the volume's table names.
bool names_metadata(Context &context, const tab::Entry &entry, const Volume &volume)
{
	const auto meta = volume.table.meta_device();

	for (const auto &layer : meta ? entry.layers : std::vector<tab::Layer>())
		if (const auto place = find_place(context, layer.meta);
		    place && place->block && place->block->devno == *meta)
			return true;
	return false;
}

// The name that a volume's metadata goes by, where it can be read.
std::optional<std::string> name_in_metadata(Context &context, const Volume &volume)
{
	const auto meta =
		volume.table.meta_device() ? volume.table.meta_device() : volume.table.bitmaps;
	const auto device =
		meta ? context.open_meta(device_path(context, *meta), meta::Access::read)
		     : Result<std::unique_ptr<meta::Device>>(Error{});
	const auto super =
		device ? meta::read_superblock(**device) : Result<meta::Superblock>(Error{});

	return super && !super->name.empty() ? std::optional(super->name) : std::nullopt;
}

/*
 * Metadata goes by the name that the volume had when it was made, and comes back under no other;
 * nor can it be changed while it is in use.
 */
Result<void> check_name_now(Context &context, const std::string &verb, const Volume &volume)
{
	BLKCTL_TRY(const auto entry, find_entry(context, volume));
	BLKCTL_TRY(const auto named, find_entry(context, volume.name()));
	const auto &name = volume.name();

	if (named && named != entry)
		return refusal(Status::busy, verb, name,
			       context.tab_file + " has another volume of this name",
			       "rename this one, or take that line out to give the other one up");
	std::optional<std::string> made;
	if (!entry)
		made = name_in_metadata(context, volume);
	else if (!entry->layers.empty() || !entry->bitmaps.empty())
		made = entry->name;
	if (!made || *made == name)
		return {};
	return refusal(Status::needs_attention, verb, name,
		       "it was renamed, and its metadata goes by " + *made,
		       lv_id(volume.info).empty() ? "dmsetup rename " + name + " " + *made
						  : "lvrename it back");
}

using FindEntry = std::function<Result<std::optional<tab::Entry>>()>;

void add_change(Change &change, const std::string &text, const FindEntry &find,
		const ChangeEntry &make, bool for_good, const std::function<bool()> &stays)
{
	auto &context = change.context();
	const auto before = std::make_shared<std::optional<tab::Entry>>();
	const auto now = std::make_shared<std::optional<tab::Entry>>();

	change.add({text,
		    [&context, find, make, before, now]() -> Result<void> {
			    BLKCTL_TRY(*before, find());
			    BLKCTL_TRY(*now, make(*before));
			    return set_entry(context, *before, *now);
		    },
		    [&context, before, now, stays]() -> Result<void> {
			    return stays && stays() ? Result<void>()
						    : set_entry(context, *now, *before);
		    },
		    for_good});
}

} // namespace

Result<tab::Tab> read_tab(Context &context)
{
	const auto &file = context.tab_file;

	if (const auto text = read_file(file))
		return tab::Tab::parse(*text, file);
	const int err = access(file.c_str(), R_OK) == 0 ? EIO : errno;
	if (err == ENOENT)
		return tab::Tab();
	auto error = errno_error("read", file, err);
	error.why += ", and what is written down there is not known";
	return error;
}

Result<std::optional<tab::Entry>> find_entry(Context &context, const std::string &name)
{
	BLKCTL_TRY(const auto tab, read_tab(context));

	return tab.find(name);
}

Result<std::optional<tab::Entry>> find_entry(Context &context, const Volume &volume)
{
	if (!is_volume_uuid(volume.info.uuid))
		return find_lv_entry(context, volume.info);
	BLKCTL_TRY(const auto tab, read_tab(context));
	const auto &name = volume.name();
	const auto hex = hex_of(volume.info.uuid);
	const auto named = pick(tab, name, [&](const tab::Entry &entry) {
		return entry.name == name && entry.lv.empty() && entry.uuid.empty();
	});

	if (auto entry = pick(tab, name, [&](const auto &each) { return each.uuid == hex; }))
		return entry;
	// That of a volume with layers has its metadata alone.
	if (named && (named->layers.empty() || names_metadata(context, *named, volume)))
		return named;
	auto entry = pick(tab, name, [&](const tab::Entry &each) {
		return each.lv.empty() && names_metadata(context, each, volume);
	});
	return entry ? entry : named;
}

Result<std::optional<tab::Entry>> find_lv_entry(Context &context, const dm::Info &device)
{
	const auto lv = lv_id(device);

	if (lv.empty())
		return std::optional<tab::Entry>();
	BLKCTL_TRY(const auto tab, read_tab(context));
	return pick(tab, device.name, [&](const tab::Entry &each) { return each.lv == lv; });
}

std::optional<table::Leg> leg_in(Context &context, const tab::Entry &entry)
{
	const auto place =
		entry.layers.empty() ? find_place(context, entry.device) : Result<Place>(Error{});

	return place && place->block ? std::optional(table::Leg{place->block->devno, entry.offset})
				     : std::nullopt;
}

Result<bool> is_written_down(Context &context, const Volume &volume)
{
	BLKCTL_TRY(const auto entry, find_entry(context, volume));

	return entry.has_value();
}

bool comes_back_at_boot(Context &context, const Volume &volume)
{
	const auto found = find_entry(context, volume);
	const auto entry = found ? *found : std::nullopt;

	// An LV comes back by the name that LVM has for it.
	return entry && !entry->noauto && entry->was.empty() &&
	       (entry->lv.empty() || entry->name == volume.name());
}

Result<void> add_entry(Change &change, const Volume &volume, const std::string &text,
		       const ChangeEntry &make, bool for_good, const std::function<bool()> &stays)
{
	auto &context = change.context();

	BLKCTL_CHECK(check_name_now(context, change.verb(), volume));
	add_change(
		change, text, [&context, volume] { return find_entry(context, volume); }, make,
		for_good, stays);
	return {};
}

void add_entry(Change &change, const std::string &name, const std::string &text,
	       const ChangeEntry &make, bool for_good)
{
	auto &context = change.context();

	add_change(change, text, [&context, name] { return find_entry(context, name); }, make,
		   for_good, {});
}

void keep_told(const table::Blkcopy &table, tab::Entry &entry)
{
	entry.features = table.features;
	entry.features.backup_persistent = entry.features.nosync = false;
	// A view comes back with what was kept; of the rest it is said that it is to be.
	const bool has_view = table.mode == table::Mode::backup;
	entry.fill = has_view && !table.features.paused;
	entry.features.paused &= !has_view;
	entry.params = table::told(table.params);
}

bool add_told(Change &change, const Volume &volume, const std::function<void(tab::Entry &)> &tell)
{
	auto &context = change.context();
	const auto found = find_entry(context, volume);
	const auto entry = found ? *found : std::nullopt;
	const auto changed = [tell](std::optional<tab::Entry> which) {
		if (which && !which->layers.empty())
			tell(*which);
		return which;
	};

	if (!found)
		note_untold(change, volume.name(), found.error());
	if (changed(entry) == entry)
		return false;
	const auto written = std::make_shared<bool>(false);
	// Whoever pauses a job on a failing disk cannot wait until /etc can be written to.
	change.add(
		{"write in " + context.tab_file + " what the job of " + volume.name() + " is told",
		 [&context, &change, name = volume.name(), changed, entry,
		  written]() -> Result<void> {
			 const auto result = set_entry(context, entry, changed(entry));
			 *written = result.has_value();
			 if (!result)
				 note_untold(change, name, result.error());
			 return {};
		 },
		 [&context, changed, entry, written]() -> Result<void> {
			 return *written ? set_entry(context, changed(entry), entry)
					 : Result<void>();
		 }});
	return true;
}

void say_if_nameless(Change &change, const std::vector<DevNo> &devices)
{
	auto &context = change.context();
	std::string found;

	for (const auto &device : devices) {
		const auto identity = context.probe.identity(device);
		if (identity && identity->starts_with(unlasting_kind))
			found += (found.empty() ? "" : ", ") + device_path(context, device);
	}
	if (found.empty())
		return;
	auto &note = change.outcome().note;
	note += (note.empty() ? "" : "; ") + found +
		": written down by this name, as there is none that lasts; another device may have "
		"it after a boot";
}

Result<std::string> meta_text(Context &context, DevNo device)
{
	BLKCTL_TRY(auto identity, context.probe.identity(device));

	return identity.starts_with(file_kind) ? identity.substr(file_kind.size()) : identity;
}

Result<tab::Entry> entry_of(Context &context, const Volume &volume,
			    const std::optional<tab::Entry> &before)
{
	BLKCTL_TRY(auto all, layers_below(context, volume));
	// A copy or a view whose state is in memory ends with the system.
	if (!volume.table.meta_device() && all.empty()) {
		const bool pivoted = volume.status.phase == table::Phase::pivoted;
		BLKCTL_TRY(auto entry,
			   plain_entry(context, volume,
				       pivoted ? *volume.table.top : volume.table.base));
		keep_options(before, entry);
		return entry;
	}
	auto entry = blank_entry(volume);
	BLKCTL_CHECK(set_bitmaps(context, volume, entry));
	all.push_back(volume);
	for (const auto &layer : all) {
		const auto number = number_of(layer);
		if (const auto meta = layer.table.meta_device()) {
			BLKCTL_TRY(const auto text, meta_text(context, *meta));
			entry.layers.push_back({number, text});
			continue;
		}
		const auto kept = kept_layer(before, number);
		if (!kept)
			return refusal(Status::needs_attention, "write down", volume.name(),
				       "nothing says what " + layer.name() +
					       " is over after a boot",
				       "blkctl show " + volume.name());
		entry.layers.push_back(*kept);
	}
	keep_options(before, entry);
	keep_told(volume.table, entry);
	// What an error has stopped tries again.
	const bool is_stopped = volume.status.cause == table::Cause::policy;
	entry.features.paused &= !is_stopped;
	entry.fill |= is_stopped && volume.is_preserving() && before && before->fill;
	if (before && !before->layers.empty() &&
	    before->layers.front().meta == entry.layers.front().meta)
		entry.stamp = before->stamp;
	return entry;
}

Result<tab::Entry> entry_above(Context &context, const Volume &volume,
			       const std::optional<tab::Entry> &before, unsigned number, DevNo meta,
			       const table::Blkcopy &table)
{
	auto entry = blank_entry(volume);

	if (number != 0) {
		BLKCTL_TRY(entry, entry_of(context, volume, before));
		entry.layers.back().number = number;
	} else {
		keep_options(before, entry);
		BLKCTL_CHECK(set_bitmaps(context, volume, entry));
	}
	BLKCTL_TRY(const auto text, meta_text(context, meta));
	entry.layers.push_back({0, text});
	keep_told(table, entry);
	return entry;
}

Result<void> add_first_layer(Change &change, const Volume &volume, const Place &place,
			     const table::Blkcopy &table, const std::string &how)
{
	auto &context = change.context();

	BLKCTL_CHECK(add_entry(
		change, volume,
		"write in " + context.tab_file + " that " + volume.name() + " comes back " + how,
		[&context, volume, place,
		 table](const auto &before) -> Result<std::optional<tab::Entry>> {
			BLKCTL_TRY(const auto entry,
				   entry_above(context, volume, before, 0, *place.devno, table));
			return std::optional(entry);
		}));
	// LVM last: a kill in between leaves an entry that says so, not an LV that nobody has.
	return add_hold(change, volume.info);
}

Result<void> add_return(Change &change, const Volume &volume)
{
	BLKCTL_TRY(const auto entry, find_entry(change.context(), volume));

	BLKCTL_CHECK(add_release(change, volume.info));
	return entry ? add_entry_removal(change, entry->name, true) : Result<void>();
}

Result<bool> add_return_from(Change &change, const Volume &volume, const table::Leg &base)
{
	// What is written while LVM has it would be in none of its bitmaps.
	if (volume.table.bitmaps)
		return false;
	BLKCTL_TRY(const bool is_lvms, is_where_lvm_has_it(change.context(), volume, base));
	if (is_lvms)
		BLKCTL_CHECK(add_return(change, volume));
	return is_lvms;
}

Result<void> add_alone(Change &change, const Volume &volume, const table::Leg &base, bool for_good)
{
	// Before what is for good, as nothing before that is undone; and it is no harm.
	if (for_good)
		BLKCTL_CHECK(add_hold(change, volume.info));
	BLKCTL_CHECK(add_alone_entry(change, volume, base, for_good));
	return for_good ? Result<void>() : add_hold(change, volume.info);
}

Result<void> add_undecided(Change &change, const Volume &volume, const table::Leg &target,
			   const std::function<bool()> &stays)
{
	auto &context = change.context();
	const auto base = volume.table.base;

	BLKCTL_CHECK(add_entry(
		change, volume,
		"write in " + context.tab_file + " that " + volume.name() + " is on " +
			device_path(context, target.device) + " or still on " +
			device_path(context, base.device),
		[&context, volume, base,
		 target](const auto &before) -> Result<std::optional<tab::Entry>> {
			BLKCTL_TRY(auto entry, plain_entry(context, volume, target));
			BLKCTL_TRY(entry.was, context.probe.identity(base.device));
			entry.was_offset = base.offset;
			keep_options(before, entry);
			return std::optional(entry);
		},
		false, stays));
	return add_hold(change, volume.info, stays);
}

Result<void> add_decided(Change &change, const Volume &volume, const table::Leg &target)
{
	return add_alone_entry(change, volume, target, true);
}

Result<void> add_plain_entry(Change &change, const Volume &volume, const table::Leg &base,
			     bool for_good)
{
	BLKCTL_TRY(const bool written, is_written_down(change.context(), volume));
	if (!written)
		return {};
	BLKCTL_TRY(const bool returns, add_return_from(change, volume, base));
	return returns ? Result<void>() : add_alone(change, volume, base, for_good);
}

Result<void> add_entry_repair(Change &change, const Volume &volume)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto entry, find_entry(context, volume));
	const auto &base = volume.table.base;

	if (!entry || !entry->layers.empty() ||
	    (entry->was.empty() && leg_in(context, *entry) == base))
		return {};
	return add_plain_entry(change, volume, base);
}

Result<void> add_end_of_metadata(Change &change, const Volume &volume,
				 const std::optional<table::Leg> &kept)
{
	const auto meta = volume.table.meta_device();
	const auto file = meta ? file_behind(change.context(), *meta) : "";

	if (meta)
		add_loop_release(change, *meta);
	if (kept)
		BLKCTL_CHECK(add_plain_entry(change, volume, *kept));
	add_unmake(change, file);
	return {};
}

Result<void> add_entry_removal(Change &change, const std::string &name, bool for_good)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto entry, find_entry(context, name));

	if (entry)
		add_entry(
			change, name, "remove " + name + " from " + context.tab_file,
			[](const auto &) -> Result<std::optional<tab::Entry>> {
				return std::optional<tab::Entry>();
			},
			for_good);
	return {};
}

void remember_base(Context &context, const std::string &name, const table::Leg &base,
		   uint64_t sectors)
{
	auto entry = find_entry(context, name);
	const auto stamp = stamp_of(context.probe, base.device, base.offset, sectors);

	if (!entry || !*entry || !stamp)
		return;
	(*entry)->stamp = *stamp;
	(void)set_entry(context, *entry, *entry);
}

} // namespace blkctl::volume
