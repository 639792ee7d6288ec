// SPDX-License-Identifier: GPL-2.0-or-later
// snapshot: from now on writes go to a store; of one volume, or of several at one instant.
#include "volume/boot.hpp"
#include "volume/group.hpp"
#include "volume/leftovers.hpp"
#include "volume/making.hpp"
#include "volume/overlay.hpp"
#include "volume/store.hpp"
#include "volume/uuid.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *snapshot_verb = "snapshot";

void say_if_lost(Change &change, const Prepared &prepared)
{
	const auto &volume = prepared.volume;

	if (volume.kind == Kind::created || prepared.comes_back)
		return;
	change.outcome().note =
		volume.name() +
		" was attached: nothing brings it back at boot; commit or stream it before";
}

// A snapshot that is there is as it was taken.
Result<void> check_as_taken(Change &change, const Volume &volume, const SnapshotRequest &request)
{
	auto &context = change.context();
	const auto &name = volume.name();
	const auto no = [&](const std::string &why, const std::string &next) {
		return refusal(Status::busy, snapshot_verb, name,
			       "it writes to that store already, and " + why, next);
	};

	if (!request.metadata.empty() && !has_metadata_at(context, volume, request.metadata))
		return no("its metadata is elsewhere", "blkctl show " + name);
	if (request.waits_for_space && !volume.table.params.waits_for_space())
		return no("a write that has no room there fails",
			  "blkctl set " + name + " on-top-error=enospc");
	if (!request.boot && comes_back_at_boot(context, volume))
		return no("it comes back at boot", "man blkctltab, for noauto");
	return {};
}

/*
 * A hidden device with the table that the volume is to have. It has the state read before the
 * window, so that nothing is read in it, and what a target would refuse then it refuses now.
 */
std::shared_ptr<dm::Info> add_rehearsal(Change &change, const Prepared &prepared)
{
	auto device = std::make_shared<dm::Info>();
	const auto &info = prepared.volume.info;

	device->name = layer_name(info.name, prepared.number);
	device->read_only = info.read_only;
	auto made = creation(change.context(), device->name,
			     layer_uuid(volume_hex(info.uuid, info.name), prepared.number), device,
			     dm::Visibility::hidden);
	// It would keep the metadata in this mode.
	made.is_scaffold = true;
	change.add(std::move(made));
	add_first_load(change, device, prepared.rehearsal_text, prepared.rehearsal);
	add_first_resume(change, device, dm::Visibility::hidden);
	return device;
}

void add_end_of_rehearsal(Change &change, const std::shared_ptr<dm::Info> &device)
{
	auto &context = change.context();

	change.add({"remove the hidden device " + device->name,
		    [&context, device] {
			    return context.dm.remove(device->devno, dm::Visibility::hidden);
		    },
		    {}});
}

std::vector<std::string> all_of(const std::vector<SnapshotRequest> &requests,
				std::string SnapshotRequest::*member)
{
	std::vector<std::string> found;

	found.reserve(requests.size());
	for (const auto &request : requests)
		found.push_back(request.*member);
	return found;
}

} // namespace

Result<Outcome> snapshot(Context &context, const SnapshotRequest &request, Run run)
{
	BLKCTL_CHECK(clear_loose_layers(context, snapshot_verb, request.name, run));
	Change change(context, snapshot_verb, run);

	BLKCTL_TRY(const auto found, change.open(request.name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	if (is_same_overlay(context, volume, request.store)) {
		BLKCTL_CHECK(check_as_taken(change, volume, request));
		return change.nothing_to_do(volume.info);
	}
	BLKCTL_TRY(const auto prepared, prepare_overlay(change, request, volume));
	add_instant(change, volume.info, request.no_freeze);
	add_remembering(change, prepared);
	say_if_lost(change, prepared);
	return change.finish(volume.info);
}

Result<Outcome> snapshot_all(Context &context, const std::vector<SnapshotRequest> &requests,
			     Run run)
{
	if (requests.size() == 1)
		return snapshot(context, requests.front(), run);

	for (const auto &request : requests)
		BLKCTL_CHECK(clear_loose_layers(context, snapshot_verb, request.name, run));
	Change change(context, snapshot_verb, run);
	BLKCTL_CHECK(check_stores(change, all_of(requests, &SnapshotRequest::store)));
	BLKCTL_TRY(const auto volumes, open_all(change, all_of(requests, &SnapshotRequest::name)));
	dm::Info all;
	std::vector<dm::Info> devices;
	std::vector<Prepared> prepared;
	std::vector<std::shared_ptr<dm::Info>> rehearsals;
	size_t same = 0;

	rehearsals.reserve(requests.size());
	all.name = names_of(volumes);
	for (size_t i = 0; i < volumes.size(); i++)
		same += is_same_overlay(context, volumes[i], requests[i].store) ? 1 : 0;
	if (same == volumes.size()) {
		for (size_t i = 0; i < volumes.size(); i++)
			BLKCTL_CHECK(check_as_taken(change, volumes[i], requests[i]));
		return change.nothing_to_do(all);
	}
	if (same > 0)
		return refusal(Status::busy, snapshot_verb, all.name,
			       "some of them write to these stores already, since another instant",
			       "blkctl list");
	BLKCTL_CHECK(check_apart(change, volumes));
	for (size_t i = 0; i < volumes.size(); i++) {
		BLKCTL_TRY(auto ready, prepare_overlay(change, requests[i], volumes[i]));
		BLKCTL_CHECK(check_places(change, volumes, volumes[i], ready.places));
		say_if_lost(change, ready);
		prepared.push_back(std::move(ready));
		devices.push_back(volumes[i].info);
	}
	for (const auto &each : prepared)
		rehearsals.push_back(add_rehearsal(change, each));
	change.switch_tables(devices, !requests.front().no_freeze);
	for (const auto &device : rehearsals)
		add_end_of_rehearsal(change, device);
	for (const auto &each : prepared)
		add_remembering(change, each);
	return change.finish(all);
}

} // namespace blkctl::volume
