// SPDX-License-Identifier: GPL-2.0-or-later
// snapshot: from now on writes go to a store.
#include "base/random.hpp"
#include "volume/legs.hpp"
#include "volume/metadata.hpp"
#include "volume/target.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *verb = "snapshot";

// The overlay that was asked for, made before.
bool is_same(Context &context, const Volume &volume, const std::string &store)
{
	if (volume.table.mode != table::Mode::overlay)
		return false;
	const auto top = volume.table.top->device;
	const auto devno = context.probe.resolve(store);
	const auto identity = context.probe.identity(top);
	return devno ? *devno == top : identity && *identity == "file:" + store;
}

Result<void> check_alone(const Volume &volume)
{
	const auto &name = volume.name();

	if (volume.table.mode == table::Mode::overlay)
		return refusal(Status::busy, verb, name, "it is an overlay already",
			       "blkctl commit " + name + ", or blkctl stream " + name);
	BLKCTL_CHECK(check_no_overlay(verb, volume));
	if (volume.table.mode != table::Mode::track)
		return refusal(Status::busy, verb, name, "a copy of it runs",
			       "blkctl show " + name);
	return {};
}

Result<meta::Superblock> super_of(const Volume &volume)
{
	meta::Superblock super;
	BLKCTL_TRY(const auto hex, random_hex());

	BLKCTL_TRY(super.uuid, meta::parse_uuid(hex));
	super.name = volume.name();
	super.geometry = {.sectors = volume.sectors, .block_sectors = volume.table.block_sectors};
	super.mode = meta::Mode::overlay;
	super.phase = meta::first_phase(super.mode);
	return super;
}

} // namespace

Result<Outcome> snapshot(Context &context, const SnapshotRequest &request, Run run)
{
	const TargetRules rules{.verb = verb, .role = "store", .any_content = request.force};
	Change change(context, verb, run);

	BLKCTL_TRY(const auto found, change.open(request.name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	if (is_same(context, volume, request.store))
		return change.nothing_to_do(volume.info);
	BLKCTL_CHECK(check_alone(volume));

	BLKCTL_CHECK(clear_stale(change, volume.info));
	BLKCTL_TRY(const auto store, add_place(change, request.store,
					       volume.sectors * uint64_t{512}, volume.devno()));
	if (store.block)
		BLKCTL_CHECK(check_target(context, rules, volume, *store.block));
	BLKCTL_TRY(const auto super, super_of(volume));
	std::vector<DevNo> legs{volume.table.base.device};
	if (store.block)
		legs.push_back(store.block->devno);
	// The base is still written to: it gets its stamp from whoever looks at it first.
	const auto complete = [&context, volume,
			       store](meta::Superblock whole) -> Result<meta::Superblock> {
		const auto &base = volume.table.base;
		BLKCTL_TRY(whole.legs[0], leg_of(context.probe, base.device, base.offset,
						 volume.sectors, Stamped::no));
		BLKCTL_TRY(whole.legs[1],
			   leg_of(context.probe, *store.devno, 0, volume.sectors, Stamped::no));
		return whole;
	};
	BLKCTL_TRY(const auto place,
		   add_metadata(change, request.metadata, super, volume.devno(), legs, complete));

	table::Blkcopy overlay;
	overlay.mode = table::Mode::overlay;
	overlay.base = volume.table.base;
	overlay.block_sectors = volume.table.block_sectors;
	const auto sectors = volume.sectors;
	change.load(volume.info,
		    "0 " + std::to_string(sectors) + " blkcopy overlay " +
			    overlay.base.device.str() + " " + std::to_string(overlay.base.offset) +
			    " " + store.text + " 0 " + place.text + " " +
			    std::to_string(overlay.block_sectors),
		    [overlay, store, place, sectors]() mutable {
			    overlay.top = table::Leg{*store.devno, 0};
			    overlay.meta = place.devno->str();
			    return blkcopy_table(sectors, overlay);
		    });
	if (store.block)
		add_second_look(change, rules, volume, *store.block);
	change.switch_table(volume.info, {}, {}, {.flush = true, .lockfs = !request.no_freeze});
	return change.finish(volume.info);
}

} // namespace blkctl::volume
