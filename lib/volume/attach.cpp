// SPDX-License-Identifier: GPL-2.0-or-later
// attach: taking over a live dm device. Its number does not change, its users notice nothing.
#include "base/random.hpp"
#include "base/size.hpp"
#include "table/linear.hpp"
#include "uapi/blkcopy.h"
#include "volume/attach_bitmaps.hpp"
#include "volume/bitmap_metadata.hpp"
#include "volume/boot.hpp"
#include "volume/cache.hpp"
#include "volume/lv.hpp"
#include "volume/steps.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace blkctl::volume
{

namespace
{

constexpr const char *attach_verb = "attach";

struct Refused {
	std::string_view type;
	const char *why;
	const char *next;
};

constexpr Refused refused[] = {
	{"snapshot", "two live tables over one snapshot store destroy it",
	 "copy the origin, or merge the snapshot first"},
	{"snapshot-merge", "a merge is running", "wait until it is done"},
	{"snapshot-origin", "its snapshots would miss what goes past it",
	 "remove the snapshots first, or attach the volume above"},
	{"thin-pool", "two live tables over one pool destroy it",
	 "attach its thin volumes instead"},
	{"cache", "two live tables over one cache destroy it",
	 "lvconvert --uncache it first, or use blkctl create above it"},
	{"writecache", "two live tables over one cache destroy it",
	 "lvconvert --uncache it first, or use blkctl create above it"},
	{"era", "two live tables over its metadata destroy it", "use blkctl create above it"},
	{"raid", "two live tables over one array destroy it", "use blkctl create above it"},
	{"mirror", "two live tables over one log destroy it", "use blkctl create above it"},
	{"integrity", "two live tables over one journal destroy it", "use blkctl create above it"},
	{"verity", "it is verified and read-only: there is nothing to gain",
	 "copy what it is made from"},
	{"multipath", "multipathd owns its table", "use blkctl create above it"},
};

bool can_be_stacked(const std::string &type)
{
	return type == "linear" || type == "striped" || type == "crypt" || type == "thin";
}

// A crypt line "CIPHER KEY ..." whose key is in a keyring names it by ":SIZE:TYPE:DESCRIPTION".
bool has_key_in_keyring(const dm::Target &target)
{
	const auto key = target.params.find(' ');

	return target.type == "crypt" && key != std::string::npos &&
	       target.params.compare(key, 2, " :") == 0;
}

Result<void> check_targets(const dm::Info &device, const dm::Table &table)
{
	if (table.empty())
		return refusal(Status::failed, attach_verb, device.name, "it has no table");
	for (const auto &target : table) {
		if (has_key_in_keyring(target))
			return refusal(Status::failed, attach_verb, device.name,
				       "its key is in a kernel keyring that is gone, and its table "
				       "cannot be loaded a second time without",
				       "cryptsetup refresh --disable-keyring " + device.name);
		if (can_be_stacked(target.type))
			continue;
		for (const auto &known : refused)
			if (known.type == target.type)
				return refusal(Status::failed, attach_verb, device.name,
					       "a " + target.type +
						       " target cannot be taken over: " + known.why,
					       known.next);
		return refusal(
			Status::failed, attach_verb, device.name,
			"a " + target.type +
				" target cannot be taken over: nobody has made sure that two live "
				"tables of it are safe",
			"use blkctl create above it");
	}
	return {};
}

// Everything but the table.
Result<void> check_device(Context &context, const dm::Info &device)
{
	if (is_hidden_uuid(device.uuid))
		return refusal(Status::busy, attach_verb, device.name,
			       "it is the hidden layer of a volume", "blkctl list");
	if (is_lvm_layer_uuid(device.uuid))
		return refusal(Status::failed, attach_verb, device.name,
			       "it is a layer of LVM's own below an LV", "attach the LV instead");
	if (device.suspended)
		return refusal(Status::busy, attach_verb, device.name, "the device is suspended",
			       "dmsetup resume " + device.name);
	if (const auto suspended = suspended_below(context, {device.devno}))
		return refusal(Status::busy, attach_verb, device.name,
			       suspended->name + " below it is suspended",
			       "dmsetup resume " + suspended->name);

	BLKCTL_TRY(const auto signature, context.probe.signature(device.devno));
	if (signature && signature->type == "LVM2_member")
		return refusal(Status::busy, attach_verb, device.name,
			       "it holds an LVM physical volume, which LVM would see twice",
			       "attach the LVs on it instead");
	return {};
}

// A device that is not dm's cannot be wrapped while it is in use.
Error not_dm(Context &context, const std::string &text)
{
	const auto devno = context.probe.resolve(text);
	if (!devno)
		return devno.error();
	const auto uses = context.probe.uses(*devno);
	const auto path = device_path(context, *devno);
	if (uses && !uses->empty())
		return refusal(
			Status::busy, attach_verb, path,
			udev::describe(uses->front(), device_path(context, uses->front().device)) +
				", and a disk or partition cannot be wrapped while it is in use",
			"blkctl create NAME " + path + ", before it is mounted");
	return refusal(Status::usage, attach_verb, path, "not a device-mapper device",
		       "blkctl create NAME " + path);
}

/*
 * An LV that is written down. LVM is told before any of what it holds is elsewhere, and told again
 * after all is back: if it leaves it alone, the table is to be the one that is written down, and if
 * not, the entry is what a kill has left.
 */
Result<void> check_entry(Change &change, const dm::Info &device, const tab::Entry &entry,
			 bool at_home)
{
	auto &context = change.context();
	BLKCTL_TRY(const bool held, is_held(context, device));

	if (at_home && (held || !entry.bitmaps.empty()))
		return {};
	const bool moved = entry.layers.empty() && entry.was.empty() && !at_home &&
			   !is_on_extents(context, entry);
	if (!held && !moved)
		return add_entry_removal(change, entry.name);
	return refusal(Status::busy, attach_verb, device.name,
		       "what it holds is not where LVM has it: it is in " + context.tab_file +
			       ", and comes up by that alone",
		       "lvchange -an, and blkctl activate " + device.name);
}

void add_hidden(Change &change, const dm::Info &device, const dm::Table &table,
		const std::string &uuid, const std::shared_ptr<dm::Info> &hidden)
{
	auto &context = change.context();
	std::string lines;

	for (const auto &target : table)
		lines += (lines.empty() ? "" : " | ") + dm::redacted(target).str();
	hidden->name = hidden_name(device.name);
	change.add({"create the hidden device " + hidden->name + " with the UUID " + uuid,
		    [&context, hidden, uuid]() -> Result<void> {
			    BLKCTL_TRY(hidden->devno, context.dm.create(hidden->name, uuid));
			    return {};
		    },
		    [&context, hidden] {
			    return context.dm.remove(hidden->devno, dm::Visibility::hidden);
		    }});
	change.add({"load into " + hidden->name + ": " + lines,
		    [&context, hidden, table, read_only = device.read_only] {
			    return context.dm.load(hidden->devno, table,
						   {.read_only = read_only, .secure_data = true});
		    },
		    {}});
	change.add({"bring up " + hidden->name,
		    [&context, hidden]() -> Result<void> {
			    BLKCTL_CHECK(context.dm.resume(hidden->devno,
							   {.visibility = dm::Visibility::hidden}));
			    return {};
		    },
		    {}});
}

} // namespace

Result<Outcome> attach(Context &context, const AttachRequest &request, Run run)
{
	Change change(context, attach_verb, run);

	BLKCTL_CHECK(check_block_sectors(request.block_sectors));
	const auto found = change.open(request.device);
	if (!found) {
		if (found.error().status == Status::not_found)
			return not_dm(context, request.device);
		return found.error();
	}
	const auto &device = *found;
	BLKCTL_TRY(const auto live, change.read_live(device.devno));
	if (!live.empty() && live[0].type == BLKCOPY_TARGET)
		return refusal(Status::busy, attach_verb, device.name, "it is a volume already",
			       "blkctl show " + device.name);
	BLKCTL_TRY(const auto entry, find_lv_entry(context, device));
	const bool at_home = entry && is_live_at_home(context, *entry, live);
	if (entry)
		BLKCTL_CHECK(check_entry(change, device, *entry, at_home));
	BLKCTL_CHECK(check_targets(device, live));
	BLKCTL_CHECK(check_device(context, device));

	BLKCTL_CHECK(change.need_module());
	BLKCTL_CHECK(clear_stale(change, device));
	BLKCTL_TRY(const auto leftover, find_leftover(context, device));
	if (leftover)
		change.remove_hidden(*leftover);

	BLKCTL_TRY(const auto bitmaps, add_attached_bitmaps(change, request, device, live,
							    at_home ? entry : std::nullopt));
	const auto sectors = dm::table_sectors(live);
	const auto hidden = std::make_shared<dm::Info>();
	const auto base = std::make_shared<table::Leg>();
	const bool absorb = live.size() == 1 && live[0].type == "linear";
	if (absorb) {
		BLKCTL_TRY(const auto linear, table::parse_linear(live[0].params));
		*base = linear.lower;
		// Before the switch: a kill after it must not lose what detach goes by.
		change.add({"remember where " + label(device) + " is",
			    [&context, device, base]() -> Result<void> {
				    remember_origin(context, device, *base);
				    return {};
			    },
			    {}});
	} else {
		BLKCTL_TRY(const auto hex, device.uuid.empty()
						   ? random_hex()
						   : Result<std::string>(hidden_hex(device.uuid)));
		add_hidden(change, device, live, hidden_uuid(hex), hidden);
	}
	// The hidden device has no number before it is made.
	const auto where = [base, hidden, absorb] {
		return absorb ? *base : table::Leg{hidden->devno, 0};
	};
	if (bitmaps)
		BLKCTL_CHECK(add_attached_entry(
			change, device, sectors, *bitmaps,
			absorb ? std::vector<DevNo>{base->device} : std::vector<DevNo>(), where));
	const auto block_sectors = bitmaps ? bitmaps->block_sectors : request.block_sectors;
	const auto meta = bitmaps ? bitmaps->place.text : std::string("-");
	change.load(device,
		    absorb ? fmt::format("0 {} " BLKCOPY_TARGET " track {} {} - 0 {} {}", sectors,
					 base->device.str(), base->offset, meta, block_sectors)
			   : fmt::format("a " BLKCOPY_TARGET " track table on {}{}", hidden->name,
					 bitmaps ? ", bitmaps on " + meta : ""),
		    [where, sectors, bitmaps, block_sectors] {
			    table::Blkcopy track;
			    track.base = where();
			    track.block_sectors = block_sectors;
			    if (bitmaps)
				    track.bitmaps = *bitmaps->place.devno;
			    return blkcopy_table(sectors, track);
		    });
	change.switch_table(device);
	if (entry && !at_home && !(bitmaps && are_on(context, *entry, bitmaps->place)))
		add_recorded_bitmaps_end(change, *entry);
	BLKCTL_TRY(auto outcome, change.finish(device));
	// Of an earlier table of a device of this name.
	if (!change.dry() && !absorb)
		forget_origin(context, device);
	return outcome;
}

} // namespace blkctl::volume
