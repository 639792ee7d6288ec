// SPDX-License-Identifier: GPL-2.0-or-later
// create and remove: volumes of our own.
#include "base/random.hpp"
#include "volume/bitmap_metadata.hpp"
#include "volume/boot.hpp"
#include "volume/cache.hpp"
#include "volume/lv.hpp"
#include "volume/making.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"
#include "volume/view.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *create_verb = "create";

// Without metadata they are in memory.
bool has_bitmaps_as(Context &context, const Volume &volume, const CreateRequest &request)
{
	if (!volume.table.bitmaps)
		return request.metadata.empty();
	if (!is_named(context, *volume.table.bitmaps, request.metadata))
		return false;
	const auto place = find_place(context, request.metadata);
	const auto super =
		place ? superblock_of(context, *place) : Result<meta::Superblock>(place.error());
	return super && super->geometry.bitmap_slots == request.bitmaps &&
	       super->geometry.segment_mib == request.segment_mib;
}

// The same volume, made before.
bool is_same(Context &context, const dm::Info &info, DevNo device, const CreateRequest &request)
{
	const auto volume = find(context, info.devno);
	return volume && volume->kind == Kind::created &&
	       volume->table.base == table::Leg{device, 0} &&
	       volume->table.block_sectors == request.block_sectors &&
	       has_bitmaps_as(context, *volume, request);
}

// It is there; from now on it comes back by itself, or, with metadata, does not, as is asked for.
Result<Outcome> boot_as_asked(Change &change, const dm::Info &info, const CreateRequest &request)
{
	auto &context = change.context();
	// A pivot may be under way.
	BLKCTL_CHECK(change.open(info.devno.str()));
	BLKCTL_TRY(const auto volume, find(context, info.devno));
	BLKCTL_TRY(const auto entry, find_entry(context, volume));
	if (entry && !entry->was.empty())
		return refusal(Status::busy, create_verb, info.name,
			       "a pivot of it is not finished",
			       "blkctl pivot " + info.name + ", or blkctl abort " + info.name);
	const bool is_asked = request.boot || !request.metadata.empty();

	if (!is_asked || comes_back_at_boot(context, volume) == request.boot)
		return change.nothing_to_do(info);
	BLKCTL_CHECK(add_entry(change, volume,
			       "write in " + context.tab_file + " that " + info.name +
				       " comes back " +
				       (request.boot ? "at boot" : "when it is named"),
			       [&context, volume, boot = request.boot](
				       const auto &before) -> Result<std::optional<tab::Entry>> {
				       BLKCTL_TRY(auto entry, entry_of(context, volume, before));
				       entry.noauto = !boot;
				       return std::optional(entry);
			       }));
	return change.finish(info);
}

// Whether an entry is what this very command has left that was killed, and not that of a volume
// whose activation was.
bool is_half_written(Context &context, const tab::Entry &entry, const dm::Info &half, DevNo device,
		     const CreateRequest &request)
{
	return entry.uuid == hex_of(half.uuid) && entry.layers.empty() && entry.was.empty() &&
	       leg_in(context, entry) == table::Leg{device, 0} &&
	       entry.bitmaps.empty() == request.metadata.empty();
}

// The metadata of its bitmaps, if they are to be on one.
Result<std::optional<Place>> add_bitmaps(Change &change, const CreateRequest &request,
					 const udev::BlockDevice &block, const std::string &hex,
					 const std::optional<DevNo> &own)
{
	if (request.metadata.empty())
		return std::optional<Place>();
	const BitmapsOf of{.name = request.name,
			   .hex = hex,
			   .sectors = block.sectors,
			   .block_sectors = request.block_sectors,
			   .slots = request.bitmaps,
			   .segment_mib = request.segment_mib,
			   .legs = {block.devno},
			   .own = own};
	BLKCTL_TRY(auto place, add_bitmap_metadata(change, request.metadata, of));
	return std::optional(std::move(place));
}

} // namespace

Result<Outcome> create(Context &context, const CreateRequest &request, Run run)
{
	Change change(context, create_verb, run);

	BLKCTL_CHECK(check_request(request.name, request.block_sectors));
	BLKCTL_CHECK(change.lock_name(request.name));

	BLKCTL_TRY(const auto devno, context.probe.resolve(request.device));
	BLKCTL_TRY(const auto block, context.probe.describe(devno));
	if (block.sectors == 0)
		return refusal(Status::failed, create_verb, block.path, "the device has no size");

	BLKCTL_TRY(const auto existing, find_by_name(context, request.name));
	if (existing && !is_half_made(*existing)) {
		if (is_same(context, *existing, devno, request))
			return boot_as_asked(change, *existing, request);
		return refusal(Status::busy, create_verb, request.name,
			       "there is a device of this name already",
			       "blkctl show " + request.name);
	}
	// What is written through another volume is in no bitmap of the one that is to come back.
	BLKCTL_TRY(const auto entry, find_entry(context, request.name));
	if (entry && !(existing && is_half_written(context, *entry, *existing, devno, request)))
		return in_tab_already(context, *entry);
	BLKCTL_CHECK(check_not_owned(context, request.name, block));
	// Our own half-made one may hold it.
	const auto own = existing ? std::optional(existing->devno) : std::nullopt;
	BLKCTL_CHECK(check_free_for(context, request.name, devno, own));

	table::Blkcopy track;
	track.base = {devno, 0};
	track.block_sectors = request.block_sectors;
	const auto device = std::make_shared<dm::Info>(existing.value_or(dm::Info{}));
	device->name = request.name;
	device->read_only = block.read_only;

	BLKCTL_CHECK(change.need_module());
	BLKCTL_TRY(const auto random, random_hex());
	const auto hex = existing ? hex_of(existing->uuid) : random;
	if (existing && existing->inactive_table)
		change.clear(*existing);
	BLKCTL_TRY(const auto bitmaps, add_bitmaps(change, request, block, hex, own));
	if (!existing)
		add_creation(change, request.name, volume_uuid(hex), device);
	if (request.boot || bitmaps) {
		say_if_nameless(change, {devno});
		add_entry(change, request.name,
			  "write in " + context.tab_file + " that " + request.name + " is on " +
				  block.path + (request.boot ? "" : ", to be activated by name"),
			  [&context, devno, block, hex, bitmaps,
			   request](const auto &) -> Result<std::optional<tab::Entry>> {
				  tab::Entry entry{.name = request.name, .uuid = hex};
				  entry.sectors = block.sectors;
				  entry.noauto = !request.boot;
				  entry.block_sectors = request.block_sectors;
				  BLKCTL_TRY(entry.device, context.probe.identity(devno));
				  if (bitmaps) {
					  BLKCTL_TRY(entry.bitmaps,
						     meta_text(context, *bitmaps->devno));
				  }
				  return std::optional(entry);
			  });
	}
	const auto text = bitmaps ? bitmaps->text : track.meta;
	add_first_table(change, device, devno,
			"0 " + std::to_string(block.sectors) + " blkcopy track " + devno.str() +
				" 0 - 0 " + text + " " + std::to_string(track.block_sectors),
			[track, bitmaps, sectors = block.sectors]() mutable {
				if (bitmaps)
					track.bitmaps = *bitmaps->devno;
				return blkcopy_table(sectors, track);
			});
	BLKCTL_TRY(auto outcome, change.finish(*device));
	outcome.device = device->devno;
	return outcome;
}

namespace
{

// A volume on one device that is not active, or whose removal was killed: what is written down of
// it goes, and nothing else.
Result<Outcome> forget(Change &change, const std::string &name, const Error &not_there)
{
	BLKCTL_CHECK(change.lock_name(name));
	BLKCTL_TRY(const auto entry, find_entry(change.context(), name));

	if (!entry || !entry->layers.empty())
		return not_there;
	BLKCTL_TRY(const auto lv, find_lv(change.context(), entry->lv));
	if (lv && lv->is_skipped && !is_on_extents(change.context(), *entry))
		return refusal(Status::usage, change.verb(), name,
			       "it is an LV that LVM leaves to blkctl, as it is not where LVM has "
			       "it",
			       "lvchange --setactivationskip n " + lv->path() +
				       ", if it is to be what it was there");
	if (lv)
		add_release(change, *lv);
	BLKCTL_CHECK(add_entry_removal(change, name, true));
	add_recorded_bitmaps_end(change, *entry);
	dm::Info gone;
	gone.name = name;
	return change.finish(gone);
}

} // namespace

Result<Outcome> remove(Context &context, const std::string &name, Run run)
{
	constexpr const char *verb = "remove";
	Change change(context, verb, run);

	const auto found = change.open(name);
	if (!found)
		return found.error().status == Status::not_found
			       ? forget(change, name, found.error())
			       : found.error();
	const auto &info = *found;
	std::optional<Volume> ended;
	if (is_view_uuid(info.uuid))
		return remove_view(change, info);

	if (!is_half_made(info)) {
		BLKCTL_TRY(const auto volume, find_for_change(change, info.devno));
		if (volume.kind != Kind::created)
			return refusal(Status::usage, verb, info.name,
				       "it was attached, not created",
				       "blkctl detach " + info.name);
		BLKCTL_CHECK(check_no_overlay(verb, volume));
		const auto state = volume.state();
		if (state != JobState::none && state != JobState::aborted &&
		    state != JobState::failed)
			return refusal(Status::busy, verb, info.name, "a copy of it runs",
				       "blkctl abort " + info.name);
		ended = volume;
	}
	BLKCTL_CHECK(check_closed(context, verb, info));

	change.add({"remove the device " + label(info),
		    [&context, info]() -> Result<void> {
			    BLKCTL_CHECK(context.dm.remove(info.devno, dm::Visibility::visible));
			    forget_switch(context, info);
			    return {};
		    },
		    {}});
	BLKCTL_TRY(const auto entry, find_entry(context, ended.value_or(Volume{.info = info})));
	if (ended)
		add_bitmap_metadata_end(change, *ended);
	else if (entry)
		add_recorded_bitmaps_end(change, *entry);
	// Of a copy that has failed.
	if (ended)
		BLKCTL_CHECK(add_end_of_metadata(change, *ended, {}));
	if (entry)
		BLKCTL_CHECK(add_entry_removal(change, entry->name));
	return change.finish(info);
}

} // namespace blkctl::volume
