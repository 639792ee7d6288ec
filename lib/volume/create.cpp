// SPDX-License-Identifier: GPL-2.0-or-later
// create and remove: volumes of our own.
#include "base/random.hpp"
#include "volume/boot.hpp"
#include "volume/cache.hpp"
#include "volume/making.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"
#include "volume/view.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *create_verb = "create";

// The same volume, made before.
bool is_same(Context &context, const dm::Info &info, DevNo device, uint32_t block_sectors)
{
	const auto volume = find(context, info.devno);
	return volume && volume->kind == Kind::created &&
	       volume->table.base == table::Leg{device, 0} &&
	       volume->table.block_sectors == block_sectors;
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
		if (is_same(context, *existing, devno, request.block_sectors))
			return change.nothing_to_do(*existing);
		return refusal(Status::busy, create_verb, request.name,
			       "there is a device of this name already",
			       "blkctl show " + request.name);
	}
	// Our own half-made one may hold it.
	BLKCTL_CHECK(check_free_for(context, request.name, devno,
				    existing ? std::optional(existing->devno) : std::nullopt));

	table::Blkcopy track;
	track.base = {devno, 0};
	track.block_sectors = request.block_sectors;
	const auto device = std::make_shared<dm::Info>(existing.value_or(dm::Info{}));
	device->name = request.name;
	device->read_only = block.read_only;

	BLKCTL_CHECK(change.need_module());
	BLKCTL_TRY(const auto random, random_hex());
	const auto hex = existing ? hex_of(existing->uuid) : random;
	if (!existing)
		add_creation(change, request.name, volume_uuid(hex), device);
	if (request.boot)
		add_entry(change, request.name,
			  "write in " + context.tab_file + " that " + request.name + " is on " +
				  block.path,
			  [&context, devno, block, hex,
			   request](const auto &) -> Result<std::optional<tab::Entry>> {
				  tab::Entry entry{.name = request.name, .uuid = hex};
				  entry.sectors = block.sectors;
				  entry.block_sectors = request.block_sectors;
				  BLKCTL_TRY(entry.device, context.probe.identity(devno));
				  return std::optional(entry);
			  });
	const auto table = blkcopy_table(block.sectors, track);
	add_first_table(change, device, devno, table[0].str(),
			[table] { return dm::Table(table); });
	BLKCTL_TRY(auto outcome, change.finish(*device));
	outcome.device = device->devno;
	return outcome;
}

Result<Outcome> remove(Context &context, const std::string &name, Run run)
{
	constexpr const char *verb = "remove";
	Change change(context, verb, run);

	BLKCTL_TRY(const auto info, change.open(name));
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
	}
	BLKCTL_CHECK(check_closed(context, verb, info));

	change.add({"remove the device " + label(info),
		    [&context, info]() -> Result<void> {
			    BLKCTL_CHECK(context.dm.remove(info.devno, dm::Visibility::visible));
			    forget_switch(context, info);
			    return {};
		    },
		    {}});
	add_entry_removal(change, info.name);
	return change.finish(info);
}

} // namespace blkctl::volume
