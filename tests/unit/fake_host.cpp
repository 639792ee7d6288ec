// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_host.hpp"
#include "base/files.hpp"
#include "uapi/blkcopy.h"
#include <cerrno>
#include <filesystem>
#include <sstream>
#include <utility>

namespace blkctl::fake
{

namespace
{

// What is in no bitmap is given up: no more in base, where it was. All the blocks are somewhere.
void preserve(table::BlkcopyStatus &status, const std::string &name)
{
	for (const auto &bitmap : status.bitmaps)
		if (bitmap.name == name && bitmap.dirty_blocks < status.base_only) {
			status.zero += status.base_only - bitmap.dirty_blocks;
			status.base_only = bitmap.dirty_blocks;
		}
}

// A mirror that begins with what is in a bitmap, if that has all that has changed.
void start_from(table::BlkcopyStatus &status, const std::string &name)
{
	for (const auto &bitmap : status.bitmaps)
		if (bitmap.name == name && bitmap.state == BLKCOPY_BITMAP_RECORDING) {
			status.base_only = bitmap.dirty_blocks;
			status.both = status.total - bitmap.dirty_blocks;
		}
}

// In a backup, what its store has not taken and that all goes there are two things: a resume after
// an error does not begin the one for the other. Here none was being filled by then.
void hold(table::Blkcopy &table, table::BlkcopyStatus &status, bool pause)
{
	const bool again =
		table.mode == table::Mode::backup && !pause && status.cause == table::Cause::policy;

	table.features.paused = pause || again;
	if (table.mode == table::Mode::backup)
		status.cause = table.features.paused ? table::Cause::user : table::Cause::none;
}

bool is_blkcopy(const dm::Table &table)
{
	return table.size() == 1 && table[0].type == BLKCOPY_TARGET;
}

} // namespace

Error no_device(const std::string &device)
{
	return {.status = Status::not_found,
		.what = "find",
		.device = device,
		.why = "no such device"};
}

std::vector<DevNo> devices_in(const dm::Table &table)
{
	std::vector<DevNo> found;

	for (const auto &target : table) {
		if (target.type == BLKCOPY_VIEW_TARGET)
			continue;
		std::istringstream words(target.params);
		std::string word;
		while (words >> word)
			if (const auto devno = parse_devno(word))
				found.push_back(*devno);
	}
	return found;
}

Device &Mapper::add(const std::string &name, const std::string &uuid, DevNo devno,
		    const dm::Table &table)
{
	auto &device = devices[devno];
	device.info = {.name = name, .uuid = uuid, .devno = devno, .live_table = !table.empty()};
	device.live = table;
	start_status(device);
	return device;
}

Device *Mapper::named(const std::string &name)
{
	for (auto &[devno, device] : devices)
		if (device.info.name == name)
			return &device;
	return nullptr;
}

bool Mapper::is_held(DevNo devno) const
{
	for (const auto &[number, device] : devices)
		for (const auto *table : {&device.live, &device.inactive})
			for (const auto lower : devices_in(*table))
				if (lower == devno)
					return true;
	return false;
}

void Mapper::start_status(Device &device)
{
	if (!is_blkcopy(device.live))
		return;
	const auto table = *table::parse_blkcopy(device.live[0].params);
	const auto before = device.status;
	auto &status = device.status;

	status = {};
	status.bitmaps = before.bitmaps;
	status.mode = table.mode;
	status.block_sectors = table.block_sectors;
	status.total = (device.live[0].length + table.block_sectors - 1) / table.block_sectors;
	status.base_only = status.total;
	switch (table.mode) {
	case table::Mode::track:
	case table::Mode::overlay:
		break;
	case table::Mode::mirror:
		status.phase = table::Phase::copying;
		break;
	case table::Mode::stream:
		status.phase = table::Phase::streaming;
		break;
	case table::Mode::commit:
		status.phase = table::Phase::merging;
		break;
	case table::Mode::backup:
		status.phase = table::Phase::preserving;
		break;
	}
	if (table.features.nosync) {
		status.base_only = 0;
		status.both = status.total;
		status.phase = table::Phase::synced;
	}
	if (!table.sync.empty())
		start_from(status, table.sync);
	// The same legs again: the state stays.
	if (before.mode == table::Mode::mirror && table.mode == table::Mode::mirror)
		status = before;
}

Result<Device *> Mapper::find(DevNo device)
{
	const auto found = devices.find(device);
	if (found == devices.end())
		return no_device(device.str());
	return &found->second;
}

Result<void> Mapper::change(const std::string &call, const std::string &what,
			    const std::function<Result<void>()> &effect)
{
	const int number = static_cast<int>(calls.size());

	calls.push_back(call + " " + what);
	if (number == kill_before)
		throw Killed();
	if (call == fail)
		return Error{.what = call, .device = what, .why = "refused by the test"};
	auto result = effect();
	if (number == kill_after)
		throw Killed();
	return result;
}

Result<std::vector<dm::Listed>> Mapper::list()
{
	std::vector<dm::Listed> found;

	for (const auto &[devno, device] : devices)
		found.push_back({device.info.name, devno});
	return found;
}

Result<dm::Info> Mapper::info(DevNo device)
{
	on_info();
	BLKCTL_TRY(auto *const found, find(device));
	auto info = found->info;

	info.live_table = !found->live.empty();
	info.inactive_table = !found->inactive.empty();
	info.open_count += is_held(device) ? 1 : 0;
	return info;
}

Result<dm::Info> Mapper::find_name(std::string_view name)
{
	auto *const found = named(std::string(name));
	if (!found)
		return no_device(std::string(name));
	return info(found->info.devno);
}

Result<dm::Table> Mapper::table(DevNo device, dm::Slot slot, bool secret)
{
	BLKCTL_TRY(auto *const found, find(device));
	auto table = slot == dm::Slot::live ? found->live : found->inactive;

	if (!secret)
		for (auto &target : table)
			target = dm::redacted(target);
	return table;
}

Result<dm::Table> Mapper::status(DevNo device)
{
	on_status();
	BLKCTL_TRY(auto *const found, find(device));
	auto table = found->live;

	if (is_blkcopy(table))
		table[0].params = table::print(found->status);
	return table;
}

Result<std::vector<DevNo>> Mapper::deps(DevNo device)
{
	BLKCTL_TRY(auto *const found, find(device));
	return devices_in(found->live);
}

Result<DevNo> Mapper::create(const std::string &name, const std::string &uuid)
{
	DevNo devno{253, 0};

	while (devices.count(devno))
		devno.minor++;
	BLKCTL_CHECK(change("create", name, [&]() -> Result<void> {
		if (named(name))
			return Error{.status = Status::busy, .what = "create", .why = "exists"};
		add(name, uuid, devno, {});
		return {};
	}));
	return devno;
}

Result<void> Mapper::load(DevNo device, const dm::Table &table, const dm::LoadOptions &options)
{
	return change("load", device.str(), [&]() -> Result<void> {
		BLKCTL_TRY(auto *const found, find(device));
		for (auto &target : found->inactive)
			target = {};
		found->inactive = table;
		found->inactive_read_only = options.read_only;
		on_load();
		return {};
	});
}

void Mapper::swap(Device &device)
{
	if (device.inactive.empty())
		return;
	device.live = std::move(device.inactive);
	device.inactive.clear();
	device.info.read_only = device.inactive_read_only;
	start_status(device);
	// The one-shot words are never printed back.
	if (is_blkcopy(device.live)) {
		auto table = *table::parse_blkcopy(device.live[0].params);
		table.features.nosync = false;
		table.sync.clear();
		device.live[0].params = table::print(table);
	}
	on_switch(device);
}

void Mapper::refuse(Device &device, const dm::GroupOptions &options)
{
	if (!refused_by_target) {
		device.inactive.clear();
		return;
	}
	swap(device);
	device.info.suspended = true;
	options.load_old(device.info.devno);
	device.info.suspended = device.inactive.empty();
	swap(device);
}

// All or none, unless one is refused: dead after it, all is done.
Result<dm::GroupResult> Mapper::switch_all(const std::vector<DevNo> &devices,
					   const dm::GroupOptions &options)
{
	std::string names;

	for (const auto device : devices)
		names += (names.empty() ? "" : " ") + device.str();
	group = options;
	BLKCTL_CHECK(change("switch_all", names, [&]() -> Result<void> {
		std::string bad;
		for (const auto device : devices) {
			BLKCTL_TRY(auto *const found, find(device));
			if (refused.count(device)) {
				refuse(*found, options);
				bad = device.str();
			} else {
				swap(*found);
			}
		}
		for (const auto &message : options.messages) {
			BLKCTL_TRY(auto *const found, find(message.device));
			if (!refused.count(message.device))
				BLKCTL_CHECK(bitmap_message(*found, message.text));
		}
		if (!bad.empty())
			return Error{.what = "switch the table of",
				     .device = bad,
				     .why = "refused by the target"};
		return {};
	}));
	return dm::GroupResult{std::chrono::milliseconds(7), std::chrono::milliseconds(9), false};
}

Result<dm::ResumeResult> Mapper::resume(DevNo device, const dm::ResumeOptions &)
{
	BLKCTL_CHECK(change("resume", device.str(), [&]() -> Result<void> {
		BLKCTL_TRY(auto *const found, find(device));
		swap(*found);
		found->info.suspended = std::exchange(suspend_in_resume, false);
		if (found->info.suspended)
			return Error{.what = "resume", .why = "refused by the target"};
		return {};
	}));
	return dm::ResumeResult{std::chrono::milliseconds(5), false};
}

Result<void> Mapper::clear(DevNo device)
{
	return change("clear", device.str(), [&]() -> Result<void> {
		BLKCTL_TRY(auto *const found, find(device));
		found->inactive.clear();
		return {};
	});
}

Result<void> Mapper::remove(DevNo device, dm::Visibility)
{
	return change("remove", device.str(), [&]() -> Result<void> {
		BLKCTL_TRY(const auto now, info(device));
		if (now.open_count)
			return Error{.status = Status::busy,
				     .what = "remove",
				     .device = now.name,
				     .why = "open"};
		devices.erase(device);
		on_remove();
		return {};
	});
}

// Is one of its legs left behind already?
bool Mapper::is_left(DevNo device)
{
	const auto found = find(device);
	if (!found)
		return false;
	const auto phase = (*found)->status.phase;
	return phase == table::Phase::aborted || phase == table::Phase::broken ||
	       phase == table::Phase::pivoted;
}

Result<std::string> Mapper::message(DevNo device, uint64_t, const std::string &text)
{
	const auto list = lists.find(text);

	if (list != lists.end())
		return list->second;
	if (text == "phase finish" && is_left(device)) {
		if (answers)
			return std::string();
		return Error{.why = "in progress", .sys_errno = EINPROGRESS};
	}
	if (text.find(" list ") != std::string::npos)
		return Error{.why = "malformed", .sys_errno = EINVAL};
	BLKCTL_CHECK(change("message", device.str() + " " + text, [&]() -> Result<void> {
		BLKCTL_TRY(auto *const found, find(device));
		auto table = *table::parse_blkcopy(found->live[0].params);
		auto &phase = found->status.phase;
		if (text == "phase abort") {
			phase = table::Phase::aborted;
		} else if (text == "phase pivot") {
			if (phase != table::Phase::synced)
				return Error{.why = "busy", .sys_errno = EBUSY};
			if (pivot_at_once)
				phase = table::Phase::pivoted;
		} else if (text == "phase finish") {
			if (phase != table::Phase::streamed && phase != table::Phase::merged)
				return Error{.why = "busy", .sys_errno = EBUSY};
		} else if (text == "copy pause" || text == "copy resume") {
			hold(table, found->status, text == "copy pause");
		} else if (text.starts_with("set copy_mode ")) {
			table.params.copy_mode = table::copy_mode_from(text.substr(14));
		} else if (text.starts_with("set on_top_error ")) {
			table.params.on_top_error = table::policy_from(text.substr(17));
		} else if (text.starts_with("set rate_kib ")) {
			table.params.rate_kib = static_cast<uint32_t>(std::stoul(text.substr(13)));
		} else if (text.starts_with("set inflight_kib ")) {
			table.params.inflight_kib =
				static_cast<uint32_t>(std::stoul(text.substr(17)));
		} else if (text == "seal" || text == "unseal") {
			return {};
		} else if (text.starts_with("bitmap ")) {
			return bitmap_message(*found, text);
		} else if (text.starts_with("preserve ")) {
			if (table.mode != table::Mode::backup)
				return Error{.why = "no backup", .sys_errno = EINVAL};
			preserve(found->status, text.substr(9));
			return {};
		} else {
			return Error{.why = "unknown message", .sys_errno = EINVAL};
		}
		found->live[0].params = table::print(table);
		return {};
	}));
	return std::string();
}

Result<std::vector<dm::TargetVersion>> Mapper::targets()
{
	std::vector<dm::TargetVersion> found{{"linear", {1, 4, 0}}};

	if (module)
		found.push_back({BLKCOPY_TARGET, {1, 0, 0}});
	return found;
}

Result<std::unique_ptr<dm::Events>> Mapper::events()
{
	return std::unique_ptr<dm::Events>(new Events([this] { on_wait(); }));
}

Result<void> Loops::make(const std::string &path, uint64_t bytes)
{
	return real_.make(path, bytes);
}

Result<void> Loops::unmake(const std::string &path)
{
	return real_.unmake(path);
}

Result<DevNo> Loops::attach(const std::string &path)
{
	DevNo devno{7, 0};

	for (const auto &loop : probe->loop_devices)
		if (loop.file == path)
			return loop.devno;
	while (probe->devices.count(devno))
		devno.minor++;
	probe->add(devno, "/dev/loop" + std::to_string(devno.minor),
		   std::filesystem::file_size(path) / 512);
	probe->loop_devices.push_back({devno, path});
	ours.insert(devno);
	return devno;
}

Result<void> Loops::detach(DevNo device)
{
	std::erase_if(probe->loop_devices, [&](const auto &loop) { return loop.devno == device; });
	probe->devices.erase(device);
	return {};
}

Result<std::unique_ptr<meta::Device>> Host::open_meta(const std::string &path, meta::Access access)
{
	for (const auto &loop : probe.loop_devices)
		if (probe.devices.at(loop.devno).path == path)
			return meta::open_device(loop.file, access);
	return meta::open_device(path, access);
}

Host::Host()
	: run_dir(std::filesystem::temp_directory_path() / "blkctl-unit-XXXXXX"),
	  context{.dm = mapper, .probe = probe, .loops = loops, .lvm = lvm, .knob = {}}
{
	if (!mkdtemp(run_dir.data()))
		throw std::runtime_error("mkdtemp");
	context.run_dir = run_dir;
	context.state_dir = run_dir + "/state";
	context.tab_file = run_dir + "/blkctltab";
	context.boot_id_file = run_dir + "/boot_id";
	boot("first");
	context.open_meta = [this](const std::string &path, meta::Access access) {
		return open_meta(path, access);
	};
	loops.probe = &probe;
	probe.mapper = &mapper;
	lvm.mapper = &mapper;
	probe.add(disk_a, "/dev/sda", disk_sectors);
	probe.add(disk_b, "/dev/sdb", disk_sectors);
	probe.add(disk_small, "/dev/sdc", disk_sectors / 2);
}

void Host::boot(const std::string &id)
{
	if (!replace_file(context.boot_id_file, id + "\n"))
		throw std::runtime_error("boot_id");
}

Host::~Host()
{
	std::error_code ignored;
	std::filesystem::remove_all(run_dir, ignored);
}

Device &Host::add_volume()
{
	return mapper.add("v0", "BLKCTL-00112233445566778899aabbccddeeff-vol", volume_number,
			  {{0, disk_sectors, BLKCOPY_TARGET, "track 8:0 0 - 0 - 128"}});
}

Device &Host::add_copy(table::Phase phase)
{
	auto &device =
		mapper.devices.count(volume_number) ? mapper.at(volume_number) : add_volume();
	auto table = *table::parse_blkcopy(device.live[0].params);

	table.mode = table::Mode::mirror;
	table.top = table::Leg{disk_b, 0};
	device.live[0].params = table::print(table);
	device.status.mode = table::Mode::mirror;
	device.status.phase = phase;
	device.status.total = device.status.base_only + device.status.both;
	if (phase != table::Phase::copying) {
		device.status.both = device.status.total;
		device.status.base_only = 0;
	}
	return device;
}

Device &Host::add_overlay(const std::string &mode)
{
	return mapper.add("v0", "BLKCTL-00112233445566778899aabbccddeeff-vol", volume_number,
			  {{0, disk_sectors, BLKCOPY_TARGET, mode + " 8:0 0 8:16 0 8:32 128"}});
}

void Host::set_table(const std::string &params)
{
	auto &device = mapper.at(volume_number);

	device.live = {{0, disk_sectors, BLKCOPY_TARGET, params}};
	device.status.mode = table::parse_blkcopy(params)->mode;
	device.status.phase = device.status.mode == table::Mode::track ? table::Phase::idle
								       : table::Phase::synced;
}

} // namespace blkctl::fake
