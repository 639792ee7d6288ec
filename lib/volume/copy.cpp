// SPDX-License-Identifier: GPL-2.0-or-later
// copy: starting one.
#include "volume/settle.hpp"
#include "volume/steps.hpp"
#include "volume/use.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

constexpr const char *verb = "copy";

bool contains(const std::vector<DevNo> &devices, DevNo device)
{
	return std::find(devices.begin(), devices.end(), device) != devices.end();
}

Result<void> check_not_source(Context &context, const Volume &volume,
			      const udev::BlockDevice &target)
{
	if (target.devno == volume.devno())
		return refusal(Status::usage, verb, volume.name(),
			       "the target is the volume itself");
	if (contains(below(context, {volume.table.base.device}), target.devno))
		return refusal(Status::usage, verb, volume.name(),
			       "the target " + target.path + " is the source: the volume is on it");
	if (contains(below(context, {target.devno}), volume.devno()))
		return refusal(Status::usage, verb, volume.name(),
			       "the target " + target.path + " is on the volume itself");
	return {};
}

Result<void> check_size(const Volume &volume, const udev::BlockDevice &target)
{
	if (target.sectors < volume.sectors)
		return refusal(Status::usage, verb, volume.name(),
			       "the target " + target.path + " is smaller: " +
				       std::to_string(target.sectors) + " sectors, " +
				       std::to_string(volume.sectors) + " are needed",
			       "lsblk, to find one that is as large");
	if (target.read_only)
		return refusal(Status::failed, verb, volume.name(),
			       "the target " + target.path + " is read-only",
			       "blockdev --setrw " + target.path);
	return {};
}

// What this volume itself holds, of a former copy or of the one being made, is no use by somebody
// else.
Result<void> check_free(Context &context, const Volume &volume, const udev::BlockDevice &target)
{
	BLKCTL_TRY(const auto use, foreign_use(context, target.devno, volume.devno()));

	if (use)
		return refusal(Status::busy, verb, volume.name(),
			       "the target cannot be used: " +
				       udev::describe(*use, device_path(context, use->device)),
			       next_about(context, *use));
	return {};
}

Result<void> check_answers(Context &context, const Volume &volume, const udev::BlockDevice &target)
{
	const auto suspended = suspended_below(context, {target.devno});

	if (suspended)
		return refusal(Status::busy, verb, volume.name(),
			       "the target " + target.path + " cannot be read: " + suspended->name +
				       " is suspended",
			       "dmsetup resume " + suspended->name);
	return {};
}

std::string in_words(const udev::Signature &signature)
{
	return signature.usage.empty() || signature.usage == signature.type
		       ? signature.type
		       : signature.type + " (" + signature.usage + ")";
}

// A target that is said to be equal has to look it: every write goes there from now on.
Result<void> check_equal(Context &context, const Volume &volume, const udev::BlockDevice &target,
			 const std::optional<udev::Signature> &signature)
{
	BLKCTL_TRY(const auto wanted, context.probe.signature(volume.devno()));
	const auto with_uuid = [](const std::optional<udev::Signature> &found) {
		return !found ? std::string("no signature")
			      : in_words(*found) +
					(found->uuid.empty() ? "" : ", UUID " + found->uuid);
	};

	if (signature == wanted)
		return {};
	return refusal(Status::busy, verb, volume.name(),
		       "the target " + target.path + " is not equal: it carries " +
			       with_uuid(signature) + ", the volume " + with_uuid(wanted),
		       "copy without --sync none, or give --force");
}

Result<void> check_content(Context &context, const Volume &volume, const udev::BlockDevice &target,
			   const CopyRequest &request)
{
	if (request.force)
		return {};
	BLKCTL_TRY(const auto signature, context.probe.signature(target.devno));
	if (request.sync_none)
		return check_equal(context, volume, target, signature);
	if (!signature)
		return {};
	return refusal(Status::busy, verb, volume.name(),
		       "the target " + target.path +
			       " carries a signature: " + in_words(*signature),
		       "wipefs " + target.path + " to look, or give --force to overwrite it");
}

/*
 * Once the table is loaded the volume holds the target, and so does whoever else took it since it
 * was looked at: device-mapper tables may share a device. Of two that want the same one, the
 * later to load sees the other and gives way.
 */
void add_second_look(Change &change, const Volume &volume, const udev::BlockDevice &target,
		     const CopyRequest &request)
{
	auto &context = change.context();

	change.add({"make sure that " + target.path + " is still free",
		    [&context, volume, target, request]() -> Result<void> {
			    BLKCTL_CHECK(check_answers(context, volume, target));
			    BLKCTL_CHECK(check_free(context, volume, target));
			    return check_content(context, volume, target, request);
		    },
		    {}});
}

// The very copy that was asked for, under way or done.
bool is_same_copy(Context &context, const Volume &volume, DevNo target, const CopyRequest &request)
{
	switch (volume.state()) {
	case JobState::copying:
	case JobState::paused:
	case JobState::ready:
	case JobState::pivoted:
	case JobState::needs_attention:
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

dm::Table mirror_table(const Volume &volume, DevNo target, const CopyRequest &request)
{
	table::Blkcopy mirror;

	mirror.mode = table::Mode::mirror;
	mirror.base = volume.table.base;
	mirror.top = table::Leg{target, 0};
	mirror.block_sectors = volume.table.block_sectors;
	mirror.features.detect_zeroes = request.detect_zeroes;
	mirror.features.no_discard_passdown = request.no_discard_passdown;
	mirror.features.nosync = request.sync_none;
	mirror.params = request.params;
	return blkcopy_table(volume.sectors, mirror);
}

} // namespace

Result<Outcome> copy(Context &context, const CopyRequest &request, Run run)
{
	Change change(context, verb, run);

	BLKCTL_TRY(const auto found, change.open(request.name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	BLKCTL_TRY(const auto devno, context.probe.resolve(request.target));

	if (is_same_copy(context, volume, devno, request)) {
		// A pivot that was killed at its very end leaves the hidden device.
		BLKCTL_TRY(const auto leftover, find_leftover(context, volume.info));
		if (volume.state() == JobState::none && leftover)
			change.remove_hidden(*leftover);
		if (volume.state() != JobState::none)
			change.outcome().copy = copy_id(volume);
		return change.nothing_to_do(volume.info);
	}
	const auto state = volume.state();
	const bool ended = state == JobState::aborted || state == JobState::failed;
	if (state != JobState::none && !ended)
		return refusal(Status::busy, verb, volume.name(),
			       "it is being copied to " +
				       device_path(context, volume.table.top->device) + " already",
			       "blkctl show " + volume.name());

	BLKCTL_TRY(const auto target, context.probe.describe(devno));
	BLKCTL_CHECK(check_not_source(context, volume, target));
	BLKCTL_CHECK(check_size(volume, target));
	BLKCTL_CHECK(check_answers(context, volume, target));
	BLKCTL_CHECK(check_free(context, volume, target));
	BLKCTL_CHECK(check_content(context, volume, target, request));

	BLKCTL_CHECK(clear_stale(change, volume.info));
	if (ended) {
		add_settle(change, volume);
		change.load(volume.info, track_table(volume, volume.table.base));
		change.switch_table(volume.info);
	}
	change.load(volume.info, mirror_table(volume, devno, request));
	add_second_look(change, volume, target, request);
	change.switch_table(volume.info, {}, devno);
	change.outcome().copy = copy_id(volume);
	change.outcome().copy->top = table::Leg{devno, 0};
	return change.finish(volume.info);
}

} // namespace blkctl::volume
