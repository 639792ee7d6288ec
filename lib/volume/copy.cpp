// SPDX-License-Identifier: GPL-2.0-or-later
// copy: starting one.
#include "uapi/blkcopy.h"
#include "volume/bitmaps.hpp"
#include "volume/boot.hpp"
#include "volume/chain.hpp"
#include "volume/image_note.hpp"
#include "volume/legs.hpp"
#include "volume/lv.hpp"
#include "volume/metadata.hpp"
#include "volume/settle.hpp"
#include "volume/steps.hpp"
#include "volume/target.hpp"
#include "volume/uuid.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

constexpr const char *copy_verb = "copy";

// The very copy that was asked for, under way or done.
bool is_same_copy(Context &context, const Volume &volume, DevNo target, const CopyRequest &request)
{
	switch (volume.state()) {
	case JobState::copying:
	case JobState::paused:
	case JobState::ready:
	case JobState::pivoted:
	case JobState::needs_attention:
	case JobState::preserving:
		return volume.table.top && volume.table.top->device == target;
	case JobState::aborted:
	case JobState::failed:
		return false;
	case JobState::none:
		break;
	}
	// Who wanted a mirror has none, and the target is the source by now.
	if (!request.pivot)
		return false;
	// A volume gets onto the target of its last copy by a pivot alone. The verb may still be
	// "copy": a pivot that was killed right after its switch had no time to write itself down.
	const auto last = last_switch(context, volume.info);
	return volume.table.base == table::Leg{target, 0} && last && last->target == target;
}

// Whether the copy that runs has its state where it is asked for: no call can change that.
Result<void> check_same_metadata(Context &context, const Volume &volume, const CopyRequest &request)
{
	if (volume.state() == JobState::none || request.metadata.empty() ||
	    has_metadata_at(context, volume, request.metadata))
		return {};
	const auto meta = volume.table.meta_device();
	return refusal(
		Status::busy, copy_verb, volume.name(),
		"this copy runs already, with its state " +
			(meta ? "on " + device_path(context, *meta) : std::string("in memory")),
		"blkctl abort " + volume.name() + " to begin anew");
}

// What is asked for now of a copy that runs, and was to be said at its beginning. It is as good
// without: the same command goes on, also after a boot.
void say_what_is_late(Change &change, const Volume &volume, const CopyRequest &request)
{
	const auto &features = volume.table.features;
	const auto entry = find_entry(change.context(), volume);
	const bool at_boot = entry && *entry && !(*entry)->layers.empty() && !(*entry)->noauto;
	auto &note = change.outcome().note;
	std::string late;
	const auto look = [&](bool is_late, const char *option) {
		if (is_late)
			late += (late.empty() ? "" : ", ") + std::string(option);
	};

	if (volume.state() == JobState::none || volume.state() == JobState::pivoted)
		return;
	look(request.detect_zeroes && !features.detect_zeroes, "--detect-zeroes");
	look(request.no_discard_passdown && !features.no_discard_passdown, "--no-discard-passdown");
	look(!request.boot && at_boot, "--no-boot");
	if (!late.empty())
		note = volume.name() + ": the copy goes on without " + late +
		       ": that is for its beginning; blkctl abort " + volume.name() +
		       ", to begin anew";
	/*
	 * The kernel does not say of a copy whether it began so, and one in the background that did
	 * has to copy what is written. To begin anew would be wrong: they are not equal.
	 */
	if (request.sync_none && volume.status.base_only > 0)
		note += (note.empty() ? volume.name() + ": " : "; ") +
			"what is not on both devices is copied: --sync none is for the beginning "
			"of a copy, of devices that are equal";
}

table::Blkcopy mirror_of(const Volume &volume, DevNo target, const CopyRequest &request)
{
	table::Blkcopy mirror;

	mirror.mode = table::Mode::mirror;
	mirror.base = volume.table.base;
	mirror.top = table::Leg{target, 0};
	mirror.bitmaps = volume.table.bitmaps;
	mirror.block_sectors = volume.table.block_sectors;
	mirror.features.detect_zeroes = request.detect_zeroes;
	mirror.features.no_discard_passdown = request.no_discard_passdown;
	mirror.features.nosync = request.sync_none;
	mirror.sync = request.sync_bitmap;
	mirror.params = request.params;
	return mirror;
}

// Does the target hold something of the volume's, so that not all has to be copied?
bool begins_with_some(const CopyRequest &request)
{
	return request.sync_none || !request.sync_bitmap.empty();
}

// The kernel copies everything where a bitmap may not have all that has changed; who has asked for
// less hears of it before.
Result<void> check_bitmap(const Volume &volume, const CopyRequest &request)
{
	if (request.sync_bitmap.empty())
		return {};
	BLKCTL_TRY(const auto bitmap, bitmap_of(copy_verb, volume, request.sync_bitmap));
	const auto no = [&](Status status, const std::string &why, const std::string &next) {
		return refusal(status, copy_verb, volume.name(),
			       "bitmap \"" + bitmap.name + "\" " + why, next);
	};
	const auto in_full =
		"blkctl copy " + volume.name() + " " + request.target + ", which copies everything";

	if (bitmap.state == BLKCOPY_BITMAP_INCONSISTENT)
		return no(Status::needs_attention,
			  "may have missed writes: nobody knows what has changed", in_full);
	if (bitmap.state == BLKCOPY_BITMAP_FROZEN)
		return no(Status::busy, "is frozen: what has changed is in two parts",
			  "blkctl bitmap thaw " + volume.name() + " " + bitmap.name +
				  ", if the backup it was frozen for has failed");
	if (bitmap.state == BLKCOPY_BITMAP_DISABLED)
		return no(Status::busy, "is disabled: what has changed is not in it", in_full);
	return {};
}

uint64_t bytes_of(const Volume &volume, uint64_t blocks)
{
	return std::min(blocks * volume.status.block_sectors, volume.sectors) * 512;
}

uint64_t bytes_changed(const Volume &volume, const std::string &bitmap)
{
	const auto found = bitmap_of(copy_verb, volume, bitmap);
	return bytes_of(volume, found ? found->dirty_blocks : 0);
}

// How much a copy from a bitmap has to copy; of one that has begun the kernel knows.
void say_how_much(Context &context, const Volume &before, const CopyRequest &request, bool dry,
		  Outcome &outcome)
{
	if (request.sync_bitmap.empty())
		return;
	outcome.to_copy_bytes = bytes_changed(before, request.sync_bitmap);
	const auto now = dry ? Result<Volume>(Error{}) : find(context, before.devno());
	if (!now || now->table.mode != table::Mode::mirror)
		return;
	const auto all = bytes_of(*now, now->status.total);
	const auto block = bytes_of(*now, 1);
	const auto changed = bytes_changed(*now, request.sync_bitmap);
	const auto left = bytes_of(*now, now->status.base_only);
	const auto copied = now->status.copied_kib * 1024;
	const bool everything = left + copied + block > all && changed + block <= all;
	// The counts of one status are not of one instant.
	outcome.to_copy_bytes = everything ? all : std::min(left + copied, changed);
	if (everything)
		add_note(outcome.note,
			 before.name() + ": bitmap " + request.sync_bitmap +
				 " may not have all that has changed since it began, so everything "
				 "is copied; dmesg says why");
}

// Metadata of the copy, and the volume's entry in the tab; filled in when the plan runs.
Result<Place> add_durable(Change &change, const Volume &volume, const table::Blkcopy &mirror,
			  const CopyRequest &request)
{
	auto &context = change.context();
	const auto base = mirror.base;
	const auto target = mirror.top->device;

	if (begins_with_some(request))
		return refusal(Status::usage, copy_verb, volume.name(),
			       "metadata cannot say of a target what it holds already",
			       "blkctl copy without --metadata or without --sync");
	BLKCTL_TRY(auto super, new_super(volume, meta::Mode::mirror));
	super.geometry.segment_mib =
		request.params.segment_mib.value_or(BLKCOPY_SEGMENT_MIB_DEFAULT);
	BLKCTL_TRY(super.legs[0],
		   leg_of(context.probe, base.device, base.offset, volume.sectors, Stamped::no));
	BLKCTL_TRY(super.legs[1], leg_of(context.probe, target, 0, volume.sectors, Stamped::no));
	BLKCTL_TRY(const auto place,
		   add_metadata(change, request.metadata, super, volume.devno(),
				{base.device, target},
				[](const meta::Superblock &whole) { return whole; }));
	BLKCTL_CHECK(check_not_on(context, copy_verb, volume, place));
	BLKCTL_TRY(const bool comes_back,
		   request.boot ? can_come_back(context, volume) : Result<bool>(false));
	if (comes_back) {
		say_if_nameless(change, {base.device, target});
		BLKCTL_CHECK(add_first_layer(change, volume, place, mirror, "at boot"));
	} else if (request.boot) {
		change.outcome().note =
			volume.name() + " was attached: nothing brings its copy back at boot";
	}
	return place;
}

} // namespace

Result<Outcome> copy(Context &context, const CopyRequest &request, Run run)
{
	Change change(context, copy_verb, run);

	BLKCTL_TRY(const auto found, change.open(request.name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	BLKCTL_TRY(const auto devno, context.probe.resolve(request.target));
	BLKCTL_CHECK(check_no_overlay(copy_verb, volume));
	BLKCTL_CHECK(check_came_back_whole(context, copy_verb, volume.name(), volume));

	if (is_same_copy(context, volume, devno, request)) {
		BLKCTL_CHECK(check_same_metadata(context, volume, request));
		// A pivot that was killed at its very end leaves the hidden device.
		BLKCTL_TRY(const auto leftover, find_leftover(context, volume.info));
		if (volume.state() == JobState::none && leftover)
			change.remove_hidden(*leftover);
		if (volume.state() != JobState::none)
			change.outcome().copy = copy_id(volume);
		say_what_is_late(change, volume, request);
		return change.nothing_to_do(volume.info);
	}
	const auto state = volume.state();
	const bool ended = state == JobState::aborted || state == JobState::failed;
	if (state != JobState::none && !ended)
		return refusal(Status::busy, copy_verb, volume.name(),
			       "it is being copied to " +
				       device_path(context, volume.table.top->device) + " already",
			       "blkctl show " + volume.name());

	BLKCTL_CHECK(check_bitmap(volume, request));
	BLKCTL_TRY(const auto target, context.probe.describe(devno));
	const TargetRules rules{.verb = copy_verb,
				.role = "target",
				.any_content = request.force,
				.equal = begins_with_some(request)};
	BLKCTL_CHECK(check_target(context, rules, volume, target));
	// The end would refuse it.
	if (request.pivot)
		BLKCTL_CHECK(check_sectors(context, copy_verb, volume, devno));

	BLKCTL_CHECK(clear_stale(change, volume.info));
	BLKCTL_CHECK(add_entry_repair(change, volume));
	if (ended) {
		add_settle(change, volume);
		change.load(volume.info, track_table(volume, volume.table.base));
		change.switch_table(volume.info);
		// What it had is made anew where that is asked for, and given up elsewhere.
		if (volume.table.meta_device() &&
		    !has_metadata_at(context, volume, request.metadata))
			BLKCTL_CHECK(add_end_of_metadata(change, volume, volume.table.base));
	}
	auto mirror = mirror_of(volume, devno, request);
	Place place{.text = mirror.meta};
	if (!request.metadata.empty()) {
		BLKCTL_TRY(place, add_durable(change, volume, mirror, request));
	}
	mirror.meta = place.text;
	change.load(volume.info, blkcopy_table(volume.sectors, mirror)[0].str(),
		    [mirror, place, volume, durable = !request.metadata.empty()]() mutable {
			    if (durable)
				    mirror.meta = place.devno->str();
			    return blkcopy_table(volume.sectors, mirror);
		    });
	add_second_look(change, rules, volume, target);
	add_end_of_image(change, devno);
	change.switch_table(volume.info, {}, devno);
	change.outcome().copy = copy_id(volume);
	change.outcome().copy->mode = mirror.mode;
	change.outcome().copy->top = table::Leg{devno, 0};
	BLKCTL_TRY(auto outcome, change.finish(volume.info));
	say_how_much(context, volume, request, change.dry(), outcome);
	return outcome;
}

} // namespace blkctl::volume
