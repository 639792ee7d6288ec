// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/content.hpp"
#include "meta/format.hpp"
#include "volume/boot.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

// What an entry of the tab names, and the legs that its metadata names.
std::vector<Place> places_of(Context &context, const tab::Entry &entry)
{
	std::vector<Place> places;
	const auto add = [&](const std::string &text) {
		if (const auto place =
			    text.empty() ? Result<Place>(Error{}) : find_place(context, text))
			places.push_back(*place);
	};

	add(entry.device);
	add(entry.was);
	add(entry.bitmaps);
	for (const auto &layer : entry.layers) {
		const auto meta = find_place(context, layer.meta);
		const auto super =
			meta ? superblock_of(context, *meta) : Result<meta::Superblock>(Error{});
		if (meta)
			places.push_back(*meta);
		for (const auto &leg : super ? super->legs : std::array<meta::Leg, 2>())
			add(leg.identity);
	}
	return places;
}

} // namespace

std::string in_words(const udev::Signature &signature)
{
	return signature.usage.empty() || signature.usage == signature.type
		       ? signature.type
		       : signature.type + " (" + signature.usage + ")";
}

Result<std::optional<std::string>> tab_owner(Context &context, const Place &place,
					     const std::string &own)
{
	BLKCTL_TRY(const auto tab, read_tab(context));

	for (const auto &entry : tab.entries()) {
		if (entry.name == own)
			continue;
		const auto places = places_of(context, entry);
		if (std::any_of(places.begin(), places.end(),
				[&](const Place &each) { return is_same_place(each, place); }))
			return std::optional(entry.name);
	}
	return std::optional<std::string>();
}

Result<std::optional<Content>> find_content(Context &context, const udev::BlockDevice &device,
					    const std::string &own)
{
	BLKCTL_TRY(const auto signature, context.probe.signature(device.devno));
	// Before the signature: the store of a snapshot may well have that of a filesystem, and
	// who overwrites it for that one has to know whose it is.
	BLKCTL_TRY(const auto owner, tab_owner(context, {.block = device}, own));
	if (owner)
		return std::optional(
			Content{"belongs to the volume '" + *owner + "' of " + context.tab_file,
				"blkctl activate " + *owner});
	// What cannot be opened could not be probed either.
	if (const auto opened = context.open_meta(device.path, meta::Access::read))
		if (const auto ours = meta::describe_metadata(meta::read_superblocks(**opened)))
			return std::optional(
				Content{"holds " + *ours, "blkctl check " + device.path});
	if (signature)
		return std::optional(Content{"carries a signature: " + in_words(*signature),
					     "wipefs " + device.path});
	return std::optional<Content>();
}

} // namespace blkctl::volume
