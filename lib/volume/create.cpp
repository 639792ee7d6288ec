// SPDX-License-Identifier: GPL-2.0-or-later
// create and remove: volumes of our own.
#include "base/random.hpp"
#include "base/size.hpp"
#include "volume/cache.hpp"
#include "volume/steps.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *verb = "create";

// What a killed create left under this name: a device of ours without a live table.
bool is_half_made(const dm::Info &info)
{
	return is_volume_uuid(info.uuid) && !info.live_table;
}

// The same volume, made before.
bool is_same(Context &context, const dm::Info &info, DevNo device, uint32_t block_sectors)
{
	const auto volume = find(context, info.devno);
	return volume && volume->kind == Kind::created &&
	       volume->table.base == table::Leg{device, 0} &&
	       volume->table.block_sectors == block_sectors;
}

Result<void> check_free(Context &context, const std::string &name, DevNo device,
			const std::optional<DevNo> &own)
{
	BLKCTL_TRY(const auto use, foreign_use(context, device, own));

	if (use)
		return refusal(Status::busy, verb, name,
			       udev::describe(*use, device_path(context, use->device)),
			       next_about(context, *use));
	return {};
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

// The device that a volume gets: made here, or found half-made. Filled in when the plan runs.
void add_creation(Change &change, const std::string &name, const std::string &uuid,
		  const std::shared_ptr<dm::Info> &device)
{
	auto &context = change.context();

	change.add({"create the device " + name + " with the UUID " + uuid,
		    [&context, name, uuid, device]() -> Result<void> {
			    BLKCTL_TRY(device->devno, context.dm.create(name, uuid));
			    return {};
		    },
		    [&context, device] {
			    return context.dm.remove(device->devno, dm::Visibility::visible);
		    }});
}

void add_first_table(Change &change, const std::shared_ptr<dm::Info> &device, DevNo lower,
		     const dm::Table &table)
{
	auto &context = change.context();
	auto &outcome = change.outcome();

	change.add({"load into " + device->name + ": " + table[0].str(),
		    [&context, device, table] {
			    return context.dm.load(device->devno, table,
						   {.read_only = device->read_only});
		    },
		    [&context, device] { return context.dm.clear(device->devno); }});
	// From here the device below is held; who else took it meanwhile holds it too.
	change.add({"make sure that " + device_path(context, lower) + " is still free",
		    [&context, device, lower] {
			    return check_free(context, device->name, lower, device->devno);
		    },
		    {}});
	change.add({"bring up " + device->name,
		    [&context, &outcome, device]() -> Result<void> {
			    BLKCTL_TRY(const auto done, context.dm.resume(device->devno, {}));
			    if (done.udev_timed_out)
				    outcome.note =
					    "udev did not answer in time; see: udevadm settle";
			    outcome.device = device->devno;
			    return {};
		    },
		    {}});
}

} // namespace

Result<Outcome> create(Context &context, const CreateRequest &request, Run run)
{
	Change change(context, verb, run);

	if (!is_good_name(request.name))
		return refusal(
			Status::usage, verb, "'" + request.name + "'",
			"a name has 1 to 119 of A-Z a-z 0-9 #+-.:=@_ and does not start with '-'");
	BLKCTL_CHECK(check_block_sectors(request.block_sectors));
	BLKCTL_CHECK(change.lock_name(request.name));

	BLKCTL_TRY(const auto devno, context.probe.resolve(request.device));
	BLKCTL_TRY(const auto block, context.probe.describe(devno));
	if (block.sectors == 0)
		return refusal(Status::failed, verb, block.path, "the device has no size");

	BLKCTL_TRY(const auto existing, find_by_name(context, request.name));
	if (existing && !is_half_made(*existing)) {
		if (is_same(context, *existing, devno, request.block_sectors))
			return change.nothing_to_do(*existing);
		return refusal(Status::busy, verb, request.name,
			       "there is a device of this name already",
			       "blkctl show " + request.name);
	}
	// Our own half-made one may hold it.
	BLKCTL_CHECK(check_free(context, request.name, devno,
				existing ? std::optional(existing->devno) : std::nullopt));

	table::Blkcopy track;
	track.base = {devno, 0};
	track.block_sectors = request.block_sectors;
	const auto device = std::make_shared<dm::Info>(existing.value_or(dm::Info{}));
	device->name = request.name;
	device->read_only = block.read_only;

	BLKCTL_CHECK(change.need_module());
	if (!existing) {
		BLKCTL_TRY(const auto hex, random_hex());
		add_creation(change, request.name, volume_uuid(hex), device);
	}
	add_first_table(change, device, devno, blkcopy_table(block.sectors, track));
	BLKCTL_TRY(auto outcome, change.finish(*device));
	outcome.device = device->devno;
	return outcome;
}

Result<Outcome> remove(Context &context, const std::string &name, Run run)
{
	constexpr const char *verb = "remove";
	Change change(context, verb, run);

	BLKCTL_TRY(const auto info, change.open(name));

	if (!is_half_made(info)) {
		BLKCTL_TRY(const auto volume, find_for_change(change, info.devno));
		if (volume.kind != Kind::created)
			return refusal(Status::usage, verb, info.name,
				       "it was attached, not created",
				       "blkctl detach " + info.name);
		const auto state = volume.state();
		if (state != JobState::none && state != JobState::aborted &&
		    state != JobState::failed)
			return refusal(Status::busy, verb, info.name, "a copy of it runs",
				       "blkctl abort " + info.name);
	}
	if (info.open_count > 0) {
		udev::Use use{udev::Use::Kind::claimed, {}, {}, info.devno};
		std::string why = "it is open";
		const auto uses = context.probe.uses(info.devno);
		if (uses && !uses->empty()) {
			use = uses->front();
			why = udev::describe(use, device_path(context, use.device));
		}
		return refusal(Status::busy, verb, info.name, why, next_about(context, use));
	}

	change.add({"remove the device " + label(info),
		    [&context, info]() -> Result<void> {
			    BLKCTL_CHECK(context.dm.remove(info.devno, dm::Visibility::visible));
			    forget_switch(context, info);
			    return {};
		    },
		    {}});
	return change.finish(info);
}

} // namespace blkctl::volume
