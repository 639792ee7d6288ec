// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/attach_bitmaps.hpp"
#include "table/linear.hpp"
#include "volume/bitmap_metadata.hpp"
#include "volume/bitmap_stamp.hpp"
#include "volume/boot.hpp"
#include "volume/lv.hpp"
#include "volume/uuid.hpp"

namespace blkctl::volume
{

namespace
{

// What is asked for is what there is.
Result<void> check_same(Change &change, const AttachRequest &request, const dm::Info &device,
			const tab::Entry &entry, const std::string &forget)
{
	auto &context = change.context();

	if (request.metadata.empty())
		return {};
	const auto refuse = [&](const std::string &why) {
		return refusal(Status::usage, change.verb(), device.name, why,
			       "the same without --metadata; or " + forget);
	};
	const auto asked = find_place(context, request.metadata);
	if (!asked || !are_on(context, entry, *asked))
		return refuse("its bitmaps are on " + entry.bitmaps + " already");
	BLKCTL_TRY(const auto super, superblock_of(context, *asked));
	if (super.geometry.bitmap_slots != request.bitmaps ||
	    super.geometry.segment_mib != request.segment_mib ||
	    super.geometry.block_sectors != request.block_sectors)
		return refuse("its bitmaps on " + entry.bitmaps +
			      " were made for another --bitmaps, --segment or --block-size");
	return {};
}

// Its bitmaps, that nobody has gone by since.
Result<AttachedBitmaps> add_found(Change &change, const AttachRequest &request,
				  const dm::Info &device, uint64_t sectors, const tab::Entry &entry)
{
	const auto forget = "blkctl detach " + device.name + " forgets them";

	BLKCTL_CHECK(check_same(change, request, device, entry, forget));
	if (entry.sectors.value_or(sectors) != sectors)
		return refusal(Status::needs_attention, change.verb(), device.name,
			       "it has " + std::to_string(sectors) +
				       " sectors by now, and its bitmaps are of " +
				       std::to_string(*entry.sectors),
			       forget);
	BLKCTL_TRY(auto place,
		   add_recorded_bitmaps(change, entry, hidden_hex(device.uuid), device.devno));
	add_bitmap_doubt(change, *place, "it was attached to nothing, and written to without them");
	return AttachedBitmaps{std::move(*place), entry.block_sectors};
}

Result<AttachedBitmaps> add_new(Change &change, const AttachRequest &request,
				const dm::Info &device, const dm::Table &live)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto lv, find_lv(context, lv_id(device)));

	if (!lv || !lvm_table(context, change.verb(), *lv))
		return refusal(Status::usage, change.verb(), device.name,
			       lv ? "LVM has it in pieces that only LVM puts together, and bitmaps "
				    "that survive a crash need a volume that comes back as one"
				  : "it is no LV: nothing would bring it back with its bitmaps",
			       "blkctl attach " + device.name +
				       " without --metadata, for bitmaps in memory");
	const BitmapsOf of{.name = device.name,
			   .hex = hidden_hex(device.uuid),
			   .sectors = dm::table_sectors(live),
			   .block_sectors = request.block_sectors,
			   .slots = request.bitmaps,
			   .segment_mib = request.segment_mib,
			   .legs = {device.devno},
			   .own = device.devno};
	BLKCTL_TRY(auto place, add_bitmap_metadata(change, request.metadata, of));
	BLKCTL_CHECK(check_not_on(context, change.verb(), {.info = device}, place));
	return AttachedBitmaps{std::move(place), request.block_sectors};
}

} // namespace

bool is_live_at_home(Context &context, const tab::Entry &entry, const dm::Table &live)
{
	const auto linear = live.size() == 1 && live[0].type == "linear"
				    ? table::parse_linear(live[0].params)
				    : Result<table::Linear>(Error{});

	if (linear)
		return leg_in(context, entry) == linear->lower;
	return is_on_hidden(entry);
}

Result<std::optional<AttachedBitmaps>>
add_attached_bitmaps(Change &change, const AttachRequest &request, const dm::Info &device,
		     const dm::Table &live, const std::optional<tab::Entry> &entry)
{
	if (entry && !entry->bitmaps.empty()) {
		BLKCTL_TRY(auto found,
			   add_found(change, request, device, dm::table_sectors(live), *entry));
		return std::optional(std::move(found));
	}
	if (request.metadata.empty())
		return std::optional<AttachedBitmaps>();
	BLKCTL_TRY(auto made, add_new(change, request, device, live));
	return std::optional(std::move(made));
}

Result<void> add_attached_entry(Change &change, const dm::Info &device, uint64_t sectors,
				const AttachedBitmaps &bitmaps, const std::vector<DevNo> &below,
				std::function<table::Leg()> base)
{
	auto &context = change.context();

	say_if_nameless(change, below);
	BLKCTL_CHECK(add_entry(change, Volume{.info = device},
			       "write in " + context.tab_file + " that " + device.name +
				       " comes back at boot, with bitmaps on " + bitmaps.place.text,
			       [&context, device, sectors, bitmaps, base = std::move(base)](
				       const auto &before) -> Result<std::optional<tab::Entry>> {
				       tab::Entry entry{.name = device.name, .lv = lv_id(device)};
				       const auto leg = base();
				       if (before)
					       entry.initramfs = before->initramfs;
				       entry.sectors = sectors;
				       entry.offset = leg.offset;
				       entry.block_sectors = bitmaps.block_sectors;
				       BLKCTL_TRY(entry.device, context.probe.identity(leg.device));
				       BLKCTL_TRY(entry.bitmaps,
						  meta_text(context, *bitmaps.place.devno));
				       return std::optional(entry);
			       }));
	// A kill in between leaves an entry, and bitmaps that are found to be none: see
	// check_lvm().
	return add_hold(change, device);
}

} // namespace blkctl::volume
