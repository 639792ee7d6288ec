// SPDX-License-Identifier: GPL-2.0-or-later
// snapshot: from now on writes go to a store; of one volume, or of several at one instant.
#include "volume/leftovers.hpp"
#include "volume/making.hpp"
#include "volume/overlay.hpp"
#include "volume/store.hpp"
#include "volume/uuid.hpp"
#include <algorithm>
#include <set>

namespace blkctl::volume
{

namespace
{

constexpr const char *snapshot_verb = "snapshot";

void say_attached(Change &change, const std::string &name)
{
	change.outcome().note =
		name + " was attached: nothing brings it back at boot; commit or stream it before";
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
	add_creation(change, device->name,
		     layer_uuid(volume_hex(info.uuid, info.name), prepared.number), device,
		     dm::Visibility::hidden);
	add_first_load(change, device, prepared.text, prepared.table);
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

Result<std::vector<Volume>> open_all(Change &change, const std::vector<SnapshotRequest> &requests)
{
	auto &context = change.context();
	std::vector<std::pair<DevNo, size_t>> order;
	std::vector<Volume> volumes(requests.size());
	std::set<std::string> stores;

	for (size_t i = 0; i < requests.size(); i++) {
		BLKCTL_TRY(const auto found, find_device(context, requests[i].name));
		const auto store = context.probe.resolve(requests[i].store);
		order.emplace_back(found.devno, i);
		if (!stores.insert(store ? store->str() : requests[i].store).second)
			return refusal(Status::usage, snapshot_verb, requests[i].store,
				       "it cannot be the store of two volumes");
	}
	// Two commands that want the same volumes take their locks in one order.
	std::sort(order.begin(), order.end());
	for (size_t i = 0; i < order.size(); i++) {
		const auto &request = requests[order[i].second];
		if (i > 0 && order[i].first == order[i - 1].first)
			return refusal(Status::usage, snapshot_verb, request.name,
				       "it is named twice");
		BLKCTL_TRY(const auto info, change.open(request.name));
		BLKCTL_TRY(volumes[order[i].second], find_for_change(change, info.devno));
	}
	return volumes;
}

std::string names_of(const std::vector<Volume> &volumes)
{
	std::string names;

	for (const auto &volume : volumes)
		names += (names.empty() ? "" : ", ") + volume.name();
	return names;
}

// One that is below another would have to be suspended after it, and waits for it.
Result<void> check_apart(Context &context, const std::vector<Volume> &volumes)
{
	for (const auto &volume : volumes) {
		const auto under = below(context, {volume.table.base.device});
		for (const auto &other : volumes)
			if (std::find(under.begin(), under.end(), other.devno()) != under.end())
				return refusal(Status::usage, snapshot_verb, volume.name(),
					       "it is on " + other.name() +
						       ", and both cannot change at one instant",
					       "blkctl snapshot of one of them");
	}
	return {};
}

} // namespace

Result<Outcome> snapshot(Context &context, const SnapshotRequest &request, Run run)
{
	BLKCTL_CHECK(clear_loose_layers(context, snapshot_verb, request.name, run));
	Change change(context, snapshot_verb, run);

	BLKCTL_TRY(const auto found, change.open(request.name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));
	if (is_same_overlay(context, volume, request.store))
		return change.nothing_to_do(volume.info);
	BLKCTL_TRY(const auto prepared, prepare_overlay(change, request, volume));
	(void)prepared;
	add_instant(change, volume.info, request.no_freeze);
	add_remembering(change, request, volume);
	if (volume.kind != Kind::created)
		say_attached(change, volume.name());
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
	BLKCTL_TRY(const auto volumes, open_all(change, requests));
	dm::Info all;
	std::vector<dm::Info> devices;
	std::vector<Prepared> prepared;
	std::vector<std::shared_ptr<dm::Info>> rehearsals;
	size_t same = 0;

	rehearsals.reserve(requests.size());
	all.name = names_of(volumes);
	for (size_t i = 0; i < volumes.size(); i++)
		same += is_same_overlay(context, volumes[i], requests[i].store) ? 1 : 0;
	if (same == volumes.size())
		return change.nothing_to_do(all);
	if (same > 0)
		return refusal(Status::busy, snapshot_verb, all.name,
			       "some of them write to these stores already, since another instant",
			       "blkctl list");
	BLKCTL_CHECK(check_apart(context, volumes));
	for (size_t i = 0; i < volumes.size(); i++) {
		BLKCTL_TRY(auto ready, prepare_overlay(change, requests[i], volumes[i]));
		prepared.push_back(std::move(ready));
		devices.push_back(volumes[i].info);
		if (volumes[i].kind != Kind::created)
			say_attached(change, volumes[i].name());
	}
	for (const auto &each : prepared)
		rehearsals.push_back(add_rehearsal(change, each));
	change.switch_tables(devices, !requests.front().no_freeze);
	for (const auto &device : rehearsals)
		add_end_of_rehearsal(change, device);
	for (size_t i = 0; i < volumes.size(); i++)
		add_remembering(change, requests[i], volumes[i]);
	return change.finish(all);
}

} // namespace blkctl::volume
