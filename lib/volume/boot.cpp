// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/boot.hpp"
#include "base/files.hpp"
#include "volume/chain.hpp"
#include "volume/legs.hpp"
#include "volume/uuid.hpp"
#include <cerrno>
#include <unistd.h>

namespace blkctl::volume
{

namespace
{

constexpr auto tab_lock_timeout = std::chrono::seconds(10);
constexpr std::string_view file_kind = "file:";

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

Result<void> set_entry(Context &context, const std::string &name,
		       const std::optional<tab::Entry> &entry)
{
	return change_tab(context, [&](tab::Tab &tab) {
		if (!entry) {
			tab.remove(name);
			return;
		}
		if (tab.lines().empty())
			tab = tab::Tab::parse(head);
		tab.put(*entry);
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

// What a volume without metadata is made from.
Result<tab::Entry> plain_entry(Context &context, const Volume &volume, const table::Leg &base)
{
	tab::Entry entry{.name = volume.name(),
			 .uuid = hex_of(volume.info.uuid),
			 .sectors = volume.sectors,
			 .offset = base.offset,
			 .block_sectors = volume.table.block_sectors};

	BLKCTL_TRY(entry.device, context.probe.identity(base.device));
	BLKCTL_CHECK(set_bitmaps(context, volume, entry));
	return entry;
}

} // namespace

Result<tab::Tab> read_tab(Context &context)
{
	const auto text = read_file(context.tab_file);

	if (!text && access(context.tab_file.c_str(), F_OK) == 0)
		return errno_error("read", context.tab_file, EIO);
	return tab::Tab::parse(text.value_or(""), context.tab_file);
}

std::optional<tab::Entry> find_entry(Context &context, const std::string &name)
{
	const auto tab = read_tab(context);

	return tab ? tab->find(name) : std::nullopt;
}

void add_entry(Change &change, const std::string &name, const std::string &text,
	       const ChangeEntry &make, bool for_good)
{
	auto &context = change.context();
	const auto before = std::make_shared<std::optional<tab::Entry>>();

	change.add({text,
		    [&context, name, make, before]() -> Result<void> {
			    *before = find_entry(context, name);
			    BLKCTL_TRY(const auto entry, make(*before));
			    return set_entry(context, name, entry);
		    },
		    [&context, name, before] { return set_entry(context, name, *before); },
		    for_good});
}

Result<std::string> meta_text(Context &context, DevNo device)
{
	BLKCTL_TRY(auto identity, context.probe.identity(device));

	return identity.starts_with(file_kind) ? identity.substr(file_kind.size()) : identity;
}

Result<tab::Entry> entry_of(Context &context, const Volume &volume,
			    const std::optional<tab::Entry> &before)
{
	if (volume.table.mode == table::Mode::track) {
		BLKCTL_TRY(auto entry, plain_entry(context, volume, volume.table.base));
		keep_options(before, entry);
		return entry;
	}
	BLKCTL_TRY(auto all, layers_below(context, volume));
	tab::Entry entry{.name = volume.name()};
	BLKCTL_CHECK(set_bitmaps(context, volume, entry));
	all.push_back(volume);
	for (const auto &layer : all) {
		const auto number = number_of(layer);
		if (const auto meta = layer.table.meta_device()) {
			BLKCTL_TRY(const auto text, meta_text(context, *meta));
			entry.layers.push_back({number, text});
			continue;
		}
		for (const auto &kept : before ? before->layers : std::vector<tab::Layer>())
			if (kept.number == number)
				entry.layers.push_back(kept);
	}
	keep_options(before, entry);
	if (before && !before->layers.empty() &&
	    before->layers.front().meta == entry.layers.front().meta)
		entry.stamp = before->stamp;
	return entry;
}

Result<tab::Entry> entry_above(Context &context, const Volume &volume,
			       const std::optional<tab::Entry> &before, unsigned number, DevNo meta)
{
	tab::Entry entry{.name = volume.name()};

	if (number != 0) {
		BLKCTL_TRY(entry, entry_of(context, volume, before));
		entry.layers.back().number = number;
	} else {
		keep_options(before, entry);
		BLKCTL_CHECK(set_bitmaps(context, volume, entry));
	}
	BLKCTL_TRY(const auto text, meta_text(context, meta));
	entry.layers.push_back({0, text});
	return entry;
}

void add_first_layer(Change &change, const Volume &volume, const Place &place,
		     const std::string &how)
{
	auto &context = change.context();

	add_entry(
		change, volume.name(),
		"write in " + context.tab_file + " that " + volume.name() + " comes back " + how,
		[&context, volume, place](const auto &before) -> Result<std::optional<tab::Entry>> {
			BLKCTL_TRY(const auto entry,
				   entry_above(context, volume, before, 0, *place.devno));
			return std::optional(entry);
		});
}

void add_plain_entry(Change &change, const Volume &volume, const table::Leg &base, bool for_good)
{
	auto &context = change.context();

	if (!find_entry(context, volume.name()) || volume.kind != Kind::created)
		return;
	add_entry(
		change, volume.name(),
		"write in " + context.tab_file + " that " + volume.name() + " is on " +
			device_path(context, base.device) + " alone",
		[&context, volume, base](const auto &before) -> Result<std::optional<tab::Entry>> {
			BLKCTL_TRY(auto entry, plain_entry(context, volume, base));
			keep_options(before, entry);
			return std::optional(entry);
		},
		for_good);
}

void add_end_of_metadata(Change &change, const Volume &volume,
			 const std::optional<table::Leg> &kept)
{
	const auto meta = volume.table.meta_device();
	const auto file = meta ? file_behind(change.context(), *meta) : "";

	if (meta)
		add_loop_release(change, *meta);
	if (kept)
		add_plain_entry(change, volume, *kept);
	add_unmake(change, file);
}

void add_entry_removal(Change &change, const std::string &name)
{
	auto &context = change.context();

	if (find_entry(context, name))
		add_entry(change, name, "remove " + name + " from " + context.tab_file,
			  [](const auto &) -> Result<std::optional<tab::Entry>> {
				  return std::optional<tab::Entry>();
			  });
}

void remember_base(Context &context, const std::string &name, const table::Leg &base,
		   uint64_t sectors)
{
	auto entry = find_entry(context, name);
	const auto stamp = stamp_of(context.probe, base.device, base.offset, sectors);

	if (!entry || !stamp)
		return;
	entry->stamp = *stamp;
	(void)set_entry(context, name, entry);
}

} // namespace blkctl::volume
