// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/steps.hpp"
#include "table/linear.hpp"
#include "uapi/blkcopy.h"
#include "volume/cache.hpp"
#include "volume/chain.hpp"
#include "volume/damage.hpp"
#include "volume/mounts.hpp"
#include "volume/uuid.hpp"
#include <algorithm>
#include <cerrno>

namespace blkctl::volume
{

namespace
{

// Other commands hold the lock for as long as a switch takes, a pivot for as long as it waits.
constexpr auto lock_timeout = std::chrono::seconds(10);

std::string table_text(const dm::Table &table)
{
	std::string text;

	for (const auto &target : table)
		text += (text.empty() ? "" : " | ") + dm::redacted(target).str();
	return text;
}

/*
 * The hidden device of a device. The UUID tells where there is one to make it from: names change,
 * LVM's above all.
 */
Result<std::optional<dm::Info>> find_hidden(Context &context, const dm::Info &device)
{
	if (!device.uuid.empty()) {
		const auto uuid = hidden_uuid(hidden_hex(device.uuid));
		BLKCTL_TRY(const auto listed, context.dm.list());
		for (const auto &each : listed) {
			const auto info = context.dm.info(each.devno);
			if (info && info->uuid == uuid)
				return std::optional(*info);
		}
	}
	const auto named = context.dm.find_name(hidden_name(device.name));
	if (!named && named.error().status != Status::not_found)
		return named.error();
	if (!named || !is_hidden_uuid(named->uuid))
		return std::optional<dm::Info>();
	return std::optional(*named);
}

// What a detach of ours loads into a volume: the table it had.
Result<bool> is_way_out(Context &context, const dm::Table &live, const dm::Table &loaded)
{
	if (live.size() != 1 || loaded.empty())
		return false;
	const auto parsed = table::parse_blkcopy(live[0].params);
	if (!parsed || parsed->mode != table::Mode::track)
		return false;
	const table::Linear absorbed{parsed->base};
	if (same_table(loaded, {{0, dm::table_sectors(live), "linear", table::print(absorbed)}}))
		return true;
	const auto base = context.dm.info(parsed->base.device);
	if (!base || !is_hidden_uuid(base->uuid))
		return false;
	BLKCTL_TRY(const auto original, context.dm.table(base->devno, dm::Slot::live, false));
	return same_table(loaded, original);
}

// Whether a table of ours is over a device.
bool names(const dm::Table &table, DevNo base)
{
	if (table.size() != 1 || table[0].type != BLKCOPY_TARGET)
		return false;
	const auto parsed = table::parse_blkcopy(table[0].params);
	return parsed && parsed->base.device == base;
}

} // namespace

Change::Change(Context &context, std::string verb, Run run)
	: context_(context), verb_(std::move(verb)), run_(run)
{
}

Result<dm::Info> Change::open(const std::string &text)
{
	BLKCTL_TRY(const auto found, find_device(context_, text));
	if (!dry()) {
		BLKCTL_TRY(auto lock, Lock::volume(context_.run_dir, found.devno, lock_timeout));
		locks_.push_back(std::move(lock));
	}
	// The kernel gives a number that is free to the next device at once.
	BLKCTL_TRY(auto info, context_.dm.info(found.devno));
	const bool same =
		info.uuid == found.uuid && (!info.uuid.empty() || info.name == found.name);
	if (!same)
		return refusal(Status::busy, verb_, found.name,
			       "it is gone, and " + info.name + " has its number now",
			       "blkctl list");
	return info;
}

Result<void> Change::lock_name(const std::string &name)
{
	if (dry())
		return {};
	BLKCTL_TRY(auto lock, Lock::name(context_.run_dir, name, lock_timeout));
	locks_.push_back(std::move(lock));
	return {};
}

Result<void> Change::need_module()
{
	BLKCTL_TRY(const bool there, has_module(context_));

	if (!there)
		add({"load the module " BLKCOPY_MODULE,
		     [this] { return ensure_module(context_); },
		     {}});
	return {};
}

Result<dm::Table> Change::read_live(DevNo device)
{
	BLKCTL_TRY(live_[device], context_.dm.table(device, dm::Slot::live, true));
	return live_[device];
}

void Change::load(const dm::Info &device, dm::Table table, bool secret)
{
	const auto text = table_text(table);

	load(
		device, text, [table = std::move(table)] { return table; }, secret);
}

void Change::load(const dm::Info &device, const std::string &text,
		  const std::function<dm::Table()> &table, bool secret)
{
	const dm::LoadOptions options{.read_only = device.read_only, .secure_data = secret};
	const auto devno = device.devno;

	add({"load into " + label(device) + ": " + text,
	     [this, devno, table, options] {
		     loaded_[devno] = table();
		     return context_.dm.load(devno, loaded_[devno], options);
	     },
	     [this, devno] { return unload(devno); }});
}

// What another tool has loaded in the meantime stays.
Result<void> Change::unload(DevNo device)
{
	BLKCTL_TRY(const auto loaded, context_.dm.table(device, dm::Slot::inactive, true));

	if (!same_table(loaded, loaded_[device]))
		return {};
	return context_.dm.clear(device);
}

// A RESUME makes live whatever is loaded, over whatever is live: both have to be what they were.
Result<void> Change::check_slots(const dm::Info &device, const dm::Table &live)
{
	BLKCTL_TRY(const auto loaded, context_.dm.table(device.devno, dm::Slot::inactive, true));

	if (!same_table(live, live_[device.devno]))
		return refusal(Status::busy, verb_, device.name,
			       "another tool has replaced its table in the meantime",
			       "dmsetup table " + device.name);
	if (!same_table(loaded, loaded_[device.devno]))
		return refusal(Status::busy, verb_, device.name,
			       "another tool has loaded a table into it in the meantime",
			       "dmsetup table --inactive " + device.name);
	return {};
}

/*
 * A kernel that refuses a RESUME puts the new table back into the inactive slot, and the old one
 * stays live; but if a target's preresume refuses, the device stays suspended. Then the old table
 * goes back at once: users wait.
 */
Result<void> Change::do_switch(const dm::Info &device, const std::optional<DevNo> &target,
			       const dm::ResumeOptions &options)
{
	BLKCTL_TRY(const auto live, context_.dm.table(device.devno, dm::Slot::live, true));
	BLKCTL_CHECK(check_slots(device, live));
	const auto done = context_.dm.resume(device.devno, options);

	if (!done) {
		auto error = done.error();
		const auto now = context_.dm.info(device.devno);
		if (now && now->suspended) {
			const bool back = go_back(device, live).has_value();
			error.why += back ? "; the old table is back"
					  : "; the device is suspended, see dmsetup resume";
		}
		return error;
	}
	live_[device.devno] = loaded_[device.devno];
	const double stall = std::chrono::duration<double, std::milli>(done->window).count();
	outcome_.stall_ms = stall;
	if (done->udev_timed_out)
		add_note(outcome_.note, "udev did not answer in time; see: udevadm settle");
	remember_switch(context_, device, {verb_, stall, timestamp(false), target});
	return {};
}

Result<void> Change::go_back(const dm::Info &device, const dm::Table &table)
{
	BLKCTL_CHECK(context_.dm.load(device.devno, table,
				      {.read_only = device.read_only, .secure_data = true}));
	BLKCTL_CHECK(context_.dm.resume(device.devno, {}));
	live_[device.devno] = table;
	return {};
}

void Change::switch_table(const dm::Info &device, const std::optional<dm::Table> &before,
			  std::optional<DevNo> target, const dm::ResumeOptions &options)
{
	Step step;

	step.text = "switch " + label(device) + " to the loaded table, in one RESUME";
	step.apply = [this, device, target, options] { return do_switch(device, target, options); };
	if (before)
		step.undo = [this, device, table = *before] { return go_back(device, table); };
	step.is_final = !before;
	add(std::move(step));
}

Result<void> Change::do_switch_all(const std::vector<dm::Info> &devices, bool freeze,
				   const std::vector<dm::GroupMessage> &messages)
{
	dm::GroupOptions options{.messages = messages};
	std::vector<DevNo> numbers;
	std::map<DevNo, std::string> mounts;
	std::map<DevNo, dm::Table> before;

	options.point = [this] { context_.knob.point(); };
	// Whether it could be loaded shows in what has become of the device.
	options.load_old = [&](DevNo refused) {
		for (const auto &device : devices)
			if (device.devno == refused)
				(void)context_.dm.load(
					refused, before[refused],
					{.read_only = device.read_only, .secure_data = true});
	};
	for (const auto &device : devices) {
		auto &live = before[device.devno];
		BLKCTL_TRY(live, context_.dm.table(device.devno, dm::Slot::live, true));
		BLKCTL_CHECK(check_slots(device, live));
		numbers.push_back(device.devno);
		if (!freeze)
			continue;
		BLKCTL_TRY(const auto above, mounts_above(context_, device.devno));
		mounts.insert(above.begin(), above.end());
		// Mounted where we cannot see it, it is the kernel's.
		if (!above.count(device.devno))
			options.lockfs.push_back(device.devno);
	}
	for (const auto &[device, point] : mounts)
		options.mounts.push_back(point);
	const auto done = context_.dm.switch_all(numbers, options);
	if (!done)
		return failed_switch(devices, done.error());

	const double stall = std::chrono::duration<double, std::milli>(done->window).count();
	outcome_.stall_ms = stall;
	if (!mounts.empty())
		outcome_.freeze_ms =
			std::chrono::duration<double, std::milli>(done->freeze).count();
	if (done->udev_timed_out)
		add_note(outcome_.note, "udev did not answer in time; see: udevadm settle");
	for (const auto &device : devices) {
		live_[device.devno] = loaded_[device.devno];
		remember_switch(context_, device, {verb_, stall, timestamp(false), {}});
	}
	return {};
}

/*
 * None has switched, unless a target has refused its table only when it was resumed: then the
 * others write to what is new by now, and nobody takes that away.
 */
Error Change::failed_switch(const std::vector<dm::Info> &devices, Error error)
{
	std::string switched, others;
	const auto add_name = [](std::string &names, const std::string &name) {
		names += (names.empty() ? "" : ", ") + name;
	};

	for (const auto &device : devices) {
		const auto live = context_.dm.table(device.devno, dm::Slot::live, true);
		const auto now = context_.dm.info(device.devno);
		if (error.device == device.devno.str())
			error.device = device.name;
		if (now && now->suspended)
			error.why += "; " + device.name + " is suspended, see dmsetup resume " +
				     device.name;
		// One that does not say counts as one that has.
		add_name(!live || same_table(*live, loaded_[device.devno]) ? switched : others,
			 device.name);
	}
	switched_some_ = !switched.empty();
	if (!switched_some_)
		return error;
	error.status = Status::needs_attention;
	error.why += "; " + switched + " switched all the same, and stays so";
	error.next = verb_ == "snapshot" ? "blkctl commit of " + switched
					 : "blkctl abort of " + switched;
	if (!others.empty()) {
		error.why += "; " + others + " did not";
		error.next += verb_ == "snapshot" ? ", or blkctl snapshot of " + others + " alone"
						  : ", and the same again";
	}
	return error;
}

void Change::switch_tables(const std::vector<dm::Info> &devices, bool freeze,
			   const std::vector<dm::GroupMessage> &messages)
{
	std::string names;
	Step step;

	for (const auto &device : devices)
		names += (names.empty() ? "" : ", ") + label(device);
	step.text = "switch " + names + " to the loaded tables, at one instant" +
		    (freeze ? ", with the filesystems frozen" : "");
	for (const auto &message : messages)
		step.text += "; send in it to " + message.device.str() + ": " + message.text;
	step.apply = [this, devices, freeze, messages] {
		return do_switch_all(devices, freeze, messages);
	};
	step.is_final = true;
	step.stays = [this] { return switched_some_; };
	add(std::move(step));
}

void Change::clear(const dm::Info &device)
{
	const auto devno = device.devno;

	add({"clear the table that was loaded into " + label(device),
	     [this, devno] { return context_.dm.clear(devno); },
	     {}});
}

void Change::remove_hidden(const dm::Info &device)
{
	const auto devno = device.devno;

	add({"remove the hidden device " + label(device),
	     [this, devno] { return context_.dm.remove(devno, dm::Visibility::hidden); },
	     {}});
}

void Change::message(const dm::Info &device, const std::string &text, const std::string &undo)
{
	const auto send = [this, device](const std::string &message) -> Result<void> {
		auto answer = context_.dm.message(device.devno, 0, message);
		if (!answer)
			return message_error(answer.error(), device, message);
		return {};
	};
	Step step;

	step.text = "send to " + label(device) + ": " + text;
	step.apply = [send, text] { return send(text); };
	if (!undo.empty())
		step.undo = [send, undo] { return send(undo); };
	add(std::move(step));
}

Result<Outcome> Change::finish(const dm::Info &device)
{
	outcome_.steps = texts(plan_);
	outcome_.name = device.name;
	outcome_.device = device.devno;
	if (!dry()) {
		auto result = execute(context_, plan_);
		if (!result) {
			auto error = result.error();
			if (error.device == device.devno.str())
				error.device = device.name;
			return error;
		}
	}
	return outcome_;
}

Result<Outcome> Change::nothing_to_do(const dm::Info &device)
{
	outcome_.already = true;
	return finish(device);
}

void add_note(std::string &note, const std::string &more)
{
	note += note.empty() ? more : "; " + more;
}

Error refusal(Status status, const std::string &verb, const std::string &device, std::string why,
	      std::string next)
{
	return {.status = status,
		.what = verb,
		.device = device,
		.why = std::move(why),
		.next = std::move(next)};
}

Error message_error(Error error, const dm::Info &device, const std::string &text)
{
	const auto say = [&](Status status, const char *why) {
		error.status = status;
		error.why = why;
	};

	error.what = "send '" + text + "' to";
	error.device = device.name;
	if (error.sys_errno == EALREADY)
		say(Status::failed, "the copy has ended already");
	else if (error.sys_errno == EBUSY && text == "phase pivot")
		say(Status::timed_out, "not everything is in both devices yet");
	else if (error.sys_errno == EBUSY && text == "phase finish")
		say(Status::timed_out, "not everything has been moved yet");
	else if (error.sys_errno == EBUSY && text.starts_with("bitmap "))
		say(Status::busy, "its bitmaps are being changed, or cannot be just now");
	else if (error.sys_errno == EBUSY)
		say(Status::busy, "a pivot is under way");
	if (error.next.empty())
		error.next = "blkctl show " + device.name;
	return error;
}

Result<Volume> find_for_change(Change &change, DevNo device, Hidden hidden)
{
	if (hidden == Hidden::refused)
		BLKCTL_CHECK(check_not_hidden(change.context(), change.verb(), device));
	BLKCTL_TRY(auto volume, find(change.context(), device));
	BLKCTL_TRY(const auto live, change.read_live(device));

	// It was a volume a moment ago.
	if (!same_table(live, blkcopy_table(volume.sectors, volume.table)))
		return refusal(Status::busy, change.verb(), volume.name(),
			       "another tool has replaced its table just now",
			       "dmsetup table " + volume.name());
	if (volume.info.suspended)
		return refusal(Status::busy, change.verb(), volume.name(),
			       "the device is suspended", "dmsetup resume " + volume.name());
	return volume;
}

Result<void> check_no_overlay(const std::string &verb, const Volume &volume)
{
	const auto &name = volume.name();

	if (volume.table.mode == table::Mode::backup && volume.status.phase == table::Phase::broken)
		return refusal(Status::busy, verb, name,
			       "the view of it is broken: what it held is lost, the volume is well",
			       "blkctl abort " + name + ", to let go of the store");
	if (volume.table.mode == table::Mode::backup)
		return refusal(Status::busy, verb, name, "there is a view of it",
			       "blkctl remove VIEW, or blkctl abort " + name +
				       ", which makes the view fail");
	if (!volume.table.is_durable())
		return {};
	if (volume.table.mode == table::Mode::overlay)
		return refusal(Status::busy, verb, name, "it is an overlay: it is on two devices",
			       "blkctl commit " + name + ", or blkctl stream " + name);
	const std::string job(word(volume.table.mode));
	if (is_damaged(volume))
		return refusal(Status::busy, verb, name,
			       "a " + job +
				       " of it stands still: some of its metadata cannot be read",
			       "blkctl show " + name + ", which says how to mend it");
	return refusal(Status::busy, verb, name, "a " + job + " of it runs",
		       "blkctl " + job + " " + name + ", to finish it");
}

Result<std::optional<dm::Info>> find_leftover(Context &context, const dm::Info &device)
{
	BLKCTL_TRY(const auto hidden, find_hidden(context, device));
	if (!hidden)
		return std::optional<dm::Info>();
	BLKCTL_TRY(const auto used, context.dm.deps(device.devno));
	if (std::find(used.begin(), used.end(), hidden->devno) != used.end())
		return std::optional<dm::Info>();
	BLKCTL_TRY(const auto loaded, context.dm.table(device.devno, dm::Slot::inactive, false));
	if (hidden->open_count > (names(loaded, hidden->devno) ? 1 : 0))
		return std::optional<dm::Info>();
	return hidden;
}

Result<void> clear_stale(Change &change, const dm::Info &device)
{
	if (!device.inactive_table)
		return {};

	BLKCTL_TRY(const auto live, change.context().dm.table(device.devno, dm::Slot::live, false));
	BLKCTL_TRY(const auto loaded,
		   change.context().dm.table(device.devno, dm::Slot::inactive, false));
	const auto ours = [](const dm::Table &table) {
		return !table.empty() && table[0].type == BLKCOPY_TARGET;
	};
	// A volume's next table, its way in, or its way out. LVM may have loaded the last one just
	// as well; its RESUME does without.
	BLKCTL_TRY(const bool way_out,
		   ours(live) ? is_way_out(change.context(), live, loaded) : Result<bool>(false));
	if (!ours(loaded) && !way_out)
		return refusal(Status::busy, change.verb(), device.name,
			       "another tool has loaded a table into it",
			       "dmsetup clear " + device.name);
	change.clear(device);
	return {};
}

bool same_table(const dm::Table &a, const dm::Table &b)
{
	const auto settled = [](const dm::Target &target) -> std::optional<table::Blkcopy> {
		if (target.type != BLKCOPY_TARGET)
			return std::nullopt;
		auto parsed = table::parse_blkcopy(target.params);
		if (!parsed)
			return std::nullopt;
		parsed->params = {};
		parsed->features.paused = false;
		parsed->features.nosync = false;
		parsed->sync.clear();
		return *parsed;
	};
	const auto same = [&](const dm::Target &one, const dm::Target &other) {
		if (one.start != other.start || one.length != other.length ||
		    one.type != other.type)
			return false;
		const auto parsed = settled(one);
		return parsed ? parsed == settled(other) : one.params == other.params;
	};
	return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

dm::Table blkcopy_table(uint64_t sectors, const table::Blkcopy &table)
{
	return {{0, sectors, BLKCOPY_TARGET, table::print(table)}};
}

dm::Table track_table(const Volume &volume, const table::Leg &base)
{
	table::Blkcopy track;

	track.base = base;
	track.bitmaps = volume.table.bitmaps;
	track.block_sectors = volume.table.block_sectors;
	return blkcopy_table(volume.sectors, track);
}

std::string options_text(const table::Blkcopy &table)
{
	auto bare = table;

	bare.features = {};
	bare.params = {};
	bare.bitmaps = {};
	return print(table).substr(print(bare).size());
}

std::vector<DevNo> below(Context &context, std::vector<DevNo> devices)
{
	for (size_t i = 0; i < devices.size(); i++) {
		auto lower = context.probe.built_on(devices[i]);
		if (const auto deps = context.dm.deps(devices[i]))
			lower.insert(lower.end(), deps->begin(), deps->end());
		if (const auto block = context.probe.describe(devices[i]);
		    block && block->whole_disk)
			lower.push_back(*block->whole_disk);
		for (const auto device : lower)
			if (std::find(devices.begin(), devices.end(), device) == devices.end())
				devices.push_back(device);
	}
	return devices;
}

std::string label(const dm::Info &device)
{
	return device.name + " (" + device.devno.str() + ")";
}

} // namespace blkctl::volume
