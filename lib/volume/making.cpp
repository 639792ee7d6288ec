// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/making.hpp"
#include "base/size.hpp"
#include "volume/content.hpp"
#include "volume/image_note.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *making_verb = "create";

} // namespace

// What a killed create left under this name: a device of ours without a live table.
bool is_half_made(const dm::Info &info)
{
	return is_volume_uuid(info.uuid) && !info.live_table;
}

Result<void> check_name(const std::string &verb, const std::string &name)
{
	if (!is_good_name(name))
		return refusal(
			Status::usage, verb, "'" + name + "'",
			"a name has 1 to 119 of A-Z a-z 0-9 #+-.:@_ and does not start with '-'");
	// Device-mapper takes these, but no command could name such a volume.
	if (name.find('=') != std::string::npos || parse_devno(name))
		return refusal(
			Status::usage, verb, "'" + name + "'",
			"that stands for a device, or for NAME=DEVICE, where a volume is named");
	return {};
}

Result<void> check_not_owned(Context &context, const std::string &name,
			     const udev::BlockDevice &device)
{
	BLKCTL_TRY(const auto owner, tab_owner(context, {.block = device}, name));

	if (!owner)
		return {};
	return refusal(Status::busy, making_verb, name,
		       device.path + " belongs to the volume '" + *owner + "' of " +
			       context.tab_file,
		       "blkctl activate " + *owner + ", or take its line out to give it up");
}

Result<void> check_request(const std::string &name, uint32_t block_sectors)
{
	BLKCTL_CHECK(check_name(making_verb, name));
	return check_block_sectors(block_sectors);
}

Result<void> check_free_for(Context &context, const std::string &name, DevNo device,
			    const std::optional<DevNo> &own)
{
	BLKCTL_TRY(const auto use, foreign_use(context, device, own));

	if (use)
		return refusal(Status::busy, making_verb, name,
			       udev::describe(*use, device_path(context, use->device)),
			       next_about(context, *use));
	return {};
}

Error in_tab_already(const Context &context, const tab::Entry &entry)
{
	// What is on several devices is not forgotten in one word.
	const auto forget = entry.layers.empty() ? "blkctl remove " + entry.name + " to forget it"
						 : "take its line out to give it up";

	return refusal(Status::busy, making_verb, entry.name,
		       "it is in " + context.tab_file + " already, and not active",
		       "blkctl activate " + entry.name + ", or " + forget);
}

Result<std::optional<dm::Info>> find_by_name(Context &context, const std::string &name)
{
	auto found = context.dm.find_name(name);

	if (found)
		return std::optional(std::move(*found));
	if (found.error().status == Status::not_found)
		return std::optional<dm::Info>();
	return found.error();
}

Step creation(Context &context, const std::string &name, const std::string &uuid,
	      const std::shared_ptr<dm::Info> &device, dm::Visibility visibility)
{
	return {"create the device " + name + " with the UUID " + uuid,
		[&context, name, uuid, device]() -> Result<void> {
			BLKCTL_TRY(device->devno, context.dm.create(name, uuid));
			return {};
		},
		[&context, device, visibility] {
			return context.dm.remove(device->devno, visibility);
		}};
}

// The device that a volume gets: made here, or found half-made. Filled in when the plan runs.
void add_creation(Change &change, const std::string &name, const std::string &uuid,
		  const std::shared_ptr<dm::Info> &device, dm::Visibility visibility)
{
	change.add(creation(change.context(), name, uuid, device, visibility));
}

void add_first_load(Change &change, const std::shared_ptr<dm::Info> &device,
		    const std::string &text, const std::function<dm::Table()> &table)
{
	auto &context = change.context();

	change.add({"load into " + device->name + ": " + text,
		    [&context, device, table] {
			    return context.dm.load(device->devno, table(),
						   {.read_only = device->read_only});
		    },
		    [&context, device] { return context.dm.clear(device->devno); }});
}

void add_first_resume(Change &change, const std::shared_ptr<dm::Info> &device,
		      dm::Visibility visibility)
{
	auto &context = change.context();
	auto &outcome = change.outcome();

	change.add({"bring up " + device->name,
		    [&context, &outcome, device, visibility]() -> Result<void> {
			    BLKCTL_TRY(
				    const auto done,
				    context.dm.resume(device->devno, {.visibility = visibility}));
			    if (done.udev_timed_out)
				    add_note(outcome.note,
					     "udev did not answer in time; see: udevadm settle");
			    outcome.device = device->devno;
			    return {};
		    },
		    {}});
}

void add_first_table(Change &change, const std::shared_ptr<dm::Info> &device, DevNo lower,
		     const std::string &text, const std::function<dm::Table()> &table)
{
	auto &context = change.context();

	add_first_load(change, device, text, table);
	// From here the device below is held; who else took it meanwhile holds it too.
	change.add({"make sure that " + device_path(context, lower) + " is still free",
		    [&context, device, lower] {
			    return check_free_for(context, device->name, lower, device->devno);
		    },
		    {}});
	add_end_of_image(change, lower);
	add_first_resume(change, device);
}

} // namespace blkctl::volume
