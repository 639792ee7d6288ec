// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/target.hpp"
#include "volume/content.hpp"
#include "volume/use.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

bool contains(const std::vector<DevNo> &devices, DevNo device)
{
	return std::find(devices.begin(), devices.end(), device) != devices.end();
}

Result<void> check_not_source(Context &context, const TargetRules &rules, const Volume &volume,
			      const udev::BlockDevice &target)
{
	const auto &[verb, role, any_content, equal] = rules;

	if (target.devno == volume.devno())
		return refusal(Status::usage, verb, volume.name(),
			       "the " + role + " is the volume itself");
	if (contains(below(context, {volume.table.base.device}), target.devno))
		return refusal(Status::usage, verb, volume.name(),
			       "the " + role + " " + target.path +
				       " is the source: the volume is on it");
	if (contains(below(context, {target.devno}), volume.devno()))
		return refusal(Status::usage, verb, volume.name(),
			       "the " + role + " " + target.path + " is on the volume itself");
	return {};
}

Result<void> check_size(const TargetRules &rules, const Volume &volume,
			const udev::BlockDevice &target)
{
	const auto &[verb, role, any_content, equal] = rules;

	if (target.sectors < volume.sectors)
		return refusal(Status::usage, verb, volume.name(),
			       "the " + role + " " + target.path + " is smaller: " +
				       std::to_string(target.sectors) + " sectors, " +
				       std::to_string(volume.sectors) + " are needed",
			       "lsblk, to find one that is as large");
	if (target.read_only)
		return refusal(Status::failed, verb, volume.name(),
			       "the " + role + " " + target.path + " is read-only",
			       "blockdev --setrw " + target.path);
	return {};
}

// What this volume itself holds, of a former copy or of the one being made, is no use by somebody
// else.
Result<void> check_free(Context &context, const TargetRules &rules, const Volume &volume,
			const udev::BlockDevice &target)
{
	const auto &[verb, role, any_content, equal] = rules;

	BLKCTL_TRY(const auto use, foreign_use(context, target.devno, volume.devno()));

	if (use)
		return refusal(Status::busy, verb, volume.name(),
			       "the " + role + " cannot be used: " +
				       udev::describe(*use, device_path(context, use->device)),
			       next_about(context, *use));
	return {};
}

Result<void> check_answers(Context &context, const TargetRules &rules, const Volume &volume,
			   const udev::BlockDevice &target)
{
	const auto &[verb, role, any_content, equal] = rules;

	const auto suspended = suspended_below(context, {target.devno});

	if (suspended)
		return refusal(Status::busy, verb, volume.name(),
			       "the " + role + " " + target.path +
				       " cannot be read: " + suspended->name + " is suspended",
			       "dmsetup resume " + suspended->name);
	return {};
}

// A target that is said to be equal, or to have been, has to look it: every write goes there from
// now on.
Result<void> check_equal(Context &context, const TargetRules &rules, const Volume &volume,
			 const udev::BlockDevice &target)
{
	BLKCTL_TRY(const auto signature, context.probe.signature(target.devno));
	BLKCTL_TRY(const auto wanted, context.probe.signature(volume.devno()));
	const auto with_uuid = [](const std::optional<udev::Signature> &found) {
		return !found ? std::string("no signature")
			      : in_words(*found) +
					(found->uuid.empty() ? "" : ", UUID " + found->uuid);
	};

	if (signature == wanted)
		return {};
	return refusal(Status::busy, rules.verb, volume.name(),
		       "the " + rules.role + " " + target.path + " is not equal: it carries " +
			       with_uuid(signature) + ", the volume " + with_uuid(wanted),
		       rules.verb == "copy" ? "copy without --sync, or give --force"
					    : "give --force, if it is the right one");
}

Result<void> check_content(Context &context, const TargetRules &rules, const Volume &volume,
			   const udev::BlockDevice &target)
{
	if (rules.any_content)
		return {};
	if (rules.equal)
		return check_equal(context, rules, volume, target);
	BLKCTL_TRY(const auto content, find_content(context, target, volume.name()));
	if (!content)
		return {};
	return refusal(Status::busy, rules.verb, volume.name(),
		       "the " + rules.role + " " + target.path + " " + content->what,
		       content->look + " to look, or give --force to overwrite it");
}

} // namespace

Result<void> check_target(Context &context, const TargetRules &rules, const Volume &volume,
			  const udev::BlockDevice &target)
{
	BLKCTL_CHECK(check_not_source(context, rules, volume, target));
	BLKCTL_CHECK(check_size(rules, volume, target));
	BLKCTL_CHECK(check_answers(context, rules, volume, target));
	BLKCTL_CHECK(check_free(context, rules, volume, target));
	return check_content(context, rules, volume, target);
}

Result<void> check_sectors(Context &context, const std::string &verb, const Volume &volume,
			   DevNo device)
{
	const auto source = context.probe.describe(volume.devno());
	const auto target = context.probe.describe(device);

	if (!source || !target || target->logical_block <= source->logical_block ||
	    volume.info.open_count == 0)
		return {};
	return refusal(Status::failed, verb, volume.name(),
		       "the target has sectors of " + std::to_string(target->logical_block) +
			       " bytes, and who has the volume open counts on " +
			       std::to_string(source->logical_block),
		       verb == "pivot"
			       ? "blkctl pivot " + volume.name() +
					 " while it is not open, or blkctl abort " + volume.name()
			       : "blkctl copy without --pivot, and blkctl pivot " + volume.name() +
					 " while it is not open");
}

/*
 * Once the table is loaded the volume holds the target, and so does whoever else took it since it
 * was looked at: device-mapper tables may share a device. Of two that want the same one, the
 * later to load sees the other and gives way.
 */
void add_second_look(Change &change, const TargetRules &rules, const Volume &volume,
		     const udev::BlockDevice &target)
{
	auto &context = change.context();

	change.add({"make sure that " + target.path + " is still free",
		    [&context, rules, volume, target]() -> Result<void> {
			    BLKCTL_CHECK(check_answers(context, rules, volume, target));
			    BLKCTL_CHECK(check_free(context, rules, volume, target));
			    return check_content(context, rules, volume, target);
		    },
		    {}});
}

} // namespace blkctl::volume
