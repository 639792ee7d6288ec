// SPDX-License-Identifier: GPL-2.0-or-later
// deactivate: a volume goes, in good order, and can come back as it was.
#include "volume/bitmap_stamp.hpp"
#include "volume/boot.hpp"
#include "volume/cache.hpp"
#include "volume/chain.hpp"
#include "volume/recorded.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"
#include "volume/view.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

constexpr const char *deactivate_verb = "deactivate";

// The devices that a table of a volume names.
void add_devices(const table::Blkcopy &table, std::vector<DevNo> &devices)
{
	devices.push_back(table.base.device);
	if (table.top)
		devices.push_back(table.top->device);
	if (const auto meta = table.meta_device())
		devices.push_back(*meta);
	if (table.bitmaps)
		devices.push_back(*table.bitmaps);
}

void add_loop_releases(Change &change, std::vector<DevNo> devices)
{
	std::sort(devices.begin(), devices.end());
	devices.erase(std::unique(devices.begin(), devices.end()), devices.end());
	for (const auto device : devices)
		add_loop_release(change, device);
}

void add_removal(Change &change, const dm::Info &info)
{
	auto &context = change.context();

	change.add({"remove the device " + label(info),
		    [&context, info]() -> Result<void> {
			    BLKCTL_CHECK(context.dm.remove(info.devno, dm::Visibility::visible));
			    forget_switch(context, info);
			    return {};
		    },
		    {}});
}

// LVM's own table of a stacked volume, which nobody else uses.
void add_hidden_removal(Change &change, const std::string &name, const std::string &hex)
{
	const auto hidden = change.context().dm.find_name(hidden_name(name));

	if (hidden && hidden->uuid == hidden_uuid(hex))
		change.remove_hidden(*hidden);
}

// What a deactivate that was killed has left: layers that nobody uses, loop devices.
Result<Outcome> finish_killed(Change &change, const std::string &name, const Error &not_there)
{
	auto &context = change.context();
	BLKCTL_TRY(const auto entry, find_entry(context, name));
	if (!entry)
		return not_there;
	auto recorded = Result<Recorded>(Recorded{});
	if (!entry->layers.empty())
		recorded = read_records(context, deactivate_verb, *entry);
	std::vector<DevNo> devices;

	if (!recorded)
		return not_there;
	const auto add_file = [&](const std::string &text) {
		if (const auto place = find_place(context, text);
		    place && place->block && !place->file.empty())
			devices.push_back(place->block->devno);
	};
	add_file(entry->device);
	add_file(entry->bitmaps);
	for (auto layer = recorded->layers.rbegin(); layer != recorded->layers.rend(); ++layer) {
		const auto info = context.dm.find_name(layer_name(name, layer->number));
		if (layer->number != 0 && info &&
		    info->uuid == layer_uuid(recorded->hex, layer->number))
			change.remove_hidden(*info);
		if (layer->meta.block)
			devices.push_back(layer->meta.block->devno);
		for (const auto &leg : layer->super.legs)
			add_file(leg.identity);
	}
	if (!entry->lv.empty())
		add_hidden_removal(change, name, volume_hex(lvm_uuid(entry->lv), name));
	add_loop_releases(change, std::move(devices));
	dm::Info gone;
	gone.name = name;
	BLKCTL_TRY(auto outcome, change.finish(gone));
	// Nothing of it is there, as before.
	if (outcome.steps.empty() && entry->layers.empty())
		return not_there;
	outcome.already = outcome.steps.empty();
	outcome.brought_back_by = name;
	return outcome;
}

// Of one volume, all that activate() needs is its metadata; what is below a layer the tab alone
// says.
bool has_metadata(Context &context, const Volume &volume)
{
	const auto layers = layers_below(context, volume);

	return volume.kind == Kind::created && volume.table.meta_device() && layers &&
	       layers->empty();
}

// Errors: failed (what is written down cannot be read).
Result<bool> may_go(Context &context, const Volume &volume)
{
	if (is_layer_uuid(volume.info.uuid))
		return false;
	return has_metadata(context, volume) ? Result<bool>(true)
					     : is_written_down(context, volume);
}

std::string brought_back_by(Context &context, const Volume &volume)
{
	const auto meta = volume.table.meta_device();
	const auto file = meta ? file_behind(context, *meta) : "";
	const auto entry = find_entry(context, volume);

	if (entry && *entry)
		return (*entry)->name;
	if (!meta || file == default_metadata(context, volume.name()))
		return volume.name();
	return file.empty() ? device_path(context, *meta) : file;
}

// Of a base that is frozen: who comes back to it has to know that nobody has written to it. If it
// cannot be read, or the metadata written to, the volume goes all the same.
void add_stamp(Change &change, const Volume &lowest)
{
	auto &context = change.context();
	const auto meta = lowest.table.meta_device();

	if (lowest.table.mode == table::Mode::overlay && meta)
		change.add({"write down what its base holds",
			    [&context, meta = *meta,
			     base = lowest.table.base.device]() -> Result<void> {
				    (void)write_stamp(context, meta, base);
				    return {};
			    },
			    {}});
}

Error will_not_come_back(Context &context, const Volume &volume)
{
	const auto &name = volume.name();
	const bool is_plain = volume.table.mode == table::Mode::track;

	return refusal(Status::usage, deactivate_verb, name,
		       "it is not in " + context.tab_file + ", and nothing would bring it back",
		       is_plain ? "blkctl remove " + name
				: "blkctl commit " + name + ", or blkctl stream " + name);
}

} // namespace

bool can_go(Context &context, const Volume &volume)
{
	const auto goes = may_go(context, volume);

	return goes && *goes;
}

Result<Outcome> deactivate(Context &context, const std::string &name, Run run)
{
	Change change(context, deactivate_verb, run);

	const auto found = change.open(name);
	if (!found)
		return found.error().status == Status::not_found
			       ? finish_killed(change, name, found.error())
			       : found.error();
	BLKCTL_TRY(const auto volume, find_for_change(change, found->devno));
	const auto &info = volume.info;
	BLKCTL_TRY(const bool comes_back, may_go(context, volume));
	if (!comes_back && volume.kind != Kind::created)
		return refusal(Status::usage, deactivate_verb, info.name,
			       "it was attached: the device is somebody else's",
			       "blkctl detach " + info.name);
	if (volume.table.mode != table::Mode::track && !volume.table.meta_device())
		return refusal(Status::busy, deactivate_verb, info.name,
			       "a copy of it runs, whose state is in memory alone",
			       "blkctl abort " + info.name);
	if (!comes_back)
		return will_not_come_back(context, volume);
	BLKCTL_CHECK(check_closed(context, deactivate_verb, info));
	BLKCTL_TRY(const auto layers, layers_below(context, volume));
	std::vector<DevNo> devices;

	BLKCTL_CHECK(clear_stale(change, info));
	if (volume.table.mode == table::Mode::backup)
		BLKCTL_CHECK(add_rest_of_view(change, volume));
	const auto was_open = add_bitmap_look(change, volume);
	// Bitmaps alone are sealed by their stamp, in one write.
	if (volume.table.mode != table::Mode::track)
		change.message(info, "seal", "unseal");
	add_removal(change, info);
	add_devices(volume.table, devices);
	for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
		change.remove_hidden(layer->info);
		add_devices(layer->table, devices);
	}
	add_stamp(change, layers.empty() ? volume : layers.front());
	if (layers.empty())
		add_bitmap_stamp(change, volume, was_open);
	add_hidden_removal(change, info.name, volume_hex(info.uuid, info.name));
	add_loop_releases(change, std::move(devices));
	change.outcome().brought_back_by = brought_back_by(context, volume);
	if (!volume.table.bitmaps && !volume.status.bitmaps.empty())
		change.outcome().note =
			info.name + ": its bitmaps are in memory alone, and end with it";
	return change.finish(info);
}

Result<Outcome> seal(Context &context, const std::string &name, Run run)
{
	Change change(context, "seal", run);
	BLKCTL_TRY(const auto found, change.open(name));
	BLKCTL_TRY(const auto volume, find_for_change(change, found.devno));

	change.message(volume.info, "seal");
	return change.finish(volume.info);
}

} // namespace blkctl::volume
