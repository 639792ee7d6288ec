// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/kernel.hpp"
#include "dm/cookie.hpp"
#include "dm/event_poll.hpp"
#include "dm/kernel_log.hpp"
#include "dm/task.hpp"
#include "dm/window.hpp"
#include <cerrno>
#include <libdevmapper.h>

namespace blkctl::dm
{

namespace
{

Result<Info> info_of(Task &task, const std::string &device)
{
	const auto raw = task.info();
	const char *name = dm_task_get_name(task.get());
	const char *uuid = dm_task_get_uuid(task.get());

	if (!raw.exists)
		return Error{.status = Status::not_found,
			     .what = "find",
			     .device = device,
			     .why = "no such device-mapper device",
			     .sys_errno = ENXIO};
	return Info{
		.name = name ? name : "",
		.uuid = uuid ? uuid : "",
		.devno = {raw.major, raw.minor},
		.suspended = raw.suspended != 0,
		.read_only = raw.read_only != 0,
		.live_table = raw.live_table != 0,
		.inactive_table = raw.inactive_table != 0,
		.open_count = raw.open_count,
		.event_nr = raw.event_nr,
	};
}

Table targets_of(Task &task)
{
	Table table;
	void *next = nullptr;

	do {
		uint64_t start = 0, length = 0;
		char *type = nullptr, *params = nullptr;
		next = dm_get_next_target(task.get(), next, &start, &length, &type, &params);
		if (!type)
			continue;
		Target target{start, length, type, params ? params : ""};
		while (target.params.ends_with(' '))
			target.params.pop_back(); // some targets print one more
		table.push_back(std::move(target));
	} while (next);
	return table;
}

// Puts the kernel's own words, if it logged any, in place of an errno's.
Error explained(Error error, KernelLog &log)
{
	const auto reason = log.reason();

	if (!reason.empty())
		error.why = reason;
	return error;
}

} // namespace

Result<std::unique_ptr<Kernel>> Kernel::open(const KernelOptions &options)
{
	Task task(DM_DEVICE_VERSION, "open", "the device-mapper");
	auto answer = task.run();

	if (!answer) {
		auto error = answer.error();
		if (error.status == Status::not_found)
			error.why = "the kernel has none";
		error.status = Status::failed;
		if (error.next.empty())
			error.next = "modprobe dm-mod";
		return error;
	}
	return std::unique_ptr<Kernel>(new Kernel(options));
}

Result<std::vector<Listed>> Kernel::list()
{
	Task task(DM_DEVICE_LIST, "list", "device-mapper devices");
	BLKCTL_CHECK(task.run());

	std::vector<Listed> found;
	const auto *names = dm_task_get_names(task.get());
	if (!names || !names->dev)
		return found;
	for (;;) {
		found.push_back({names->name, DevNo::from(names->dev)});
		if (!names->next)
			return found;
		names = reinterpret_cast<const dm_names *>(reinterpret_cast<const char *>(names) +
							   names->next);
	}
}

Result<Info> Kernel::info(DevNo device)
{
	Task task(DM_DEVICE_INFO, "look at", device.str());
	BLKCTL_CHECK(task.at(device).run());
	return info_of(task, device.str());
}

Result<Info> Kernel::find_name(std::string_view name)
{
	const std::string device(name);
	Task task(DM_DEVICE_INFO, "find", device);
	BLKCTL_CHECK(task.named(device).run());
	return info_of(task, device);
}

Result<Table> Kernel::table(DevNo device, Slot slot, bool secret)
{
	Task task(DM_DEVICE_TABLE, "read the table of", device.str());
	task.at(device).with(dm_task_secure_data);
	if (slot == Slot::inactive)
		task.with(dm_task_query_inactive_table);
	BLKCTL_CHECK(task.run());

	auto table = targets_of(task);
	if (!secret)
		for (auto &target : table)
			target = redacted(std::move(target));
	return table;
}

Result<Table> Kernel::status(DevNo device)
{
	Task task(DM_DEVICE_STATUS, "read the status of", device.str());
	BLKCTL_CHECK(task.at(device).with(dm_task_no_flush).run());
	return targets_of(task);
}

Result<std::vector<DevNo>> Kernel::deps(DevNo device)
{
	Task task(DM_DEVICE_DEPS, "read the dependencies of", device.str());
	BLKCTL_CHECK(task.at(device).run());

	std::vector<DevNo> found;
	if (const auto *deps = dm_task_get_deps(task.get()))
		for (uint32_t i = 0; i < deps->count; i++)
			found.push_back(DevNo::from(deps->device[i]));
	return found;
}

Result<DevNo> Kernel::create(const std::string &name, const std::string &uuid)
{
	Task task(DM_DEVICE_CREATE, "create", name);
	BLKCTL_CHECK(task.named(name).with(dm_task_set_uuid, uuid.c_str()).run());

	const auto raw = task.info();
	return DevNo{raw.major, raw.minor};
}

Result<void> Kernel::load(DevNo device, const Table &table, const LoadOptions &options)
{
	KernelLog log;
	Task task(DM_DEVICE_RELOAD, "load a table into", device.str());
	task.at(device);
	for (const auto &target : table)
		task.with(dm_task_add_target, target.start, target.length, target.type.c_str(),
			  target.params.c_str());
	if (options.read_only)
		task.with(dm_task_set_ro);
	if (options.secure_data)
		task.with(dm_task_secure_data);

	auto result = task.run();
	if (!result)
		return explained(result.error(), log);
	return {};
}

Result<ResumeResult> Kernel::resume(DevNo device, const ResumeOptions &options)
{
	// Everything that can fail comes first.
	BLKCTL_TRY(auto cookie, Cookie::create(options_.run_dir));
	Task task(DM_DEVICE_RESUME, "switch the table of", device.str());
	task.at(device).with(dm_task_set_record_timestamp);
	if (!options.flush)
		task.with(dm_task_no_flush);
	if (!options.lockfs)
		task.with(dm_task_skip_lockfs);
	task.with(dm_task_set_cookie, cookie.value(), Cookie::flags(options.visibility));

	const std::unique_ptr<dm_timestamp, void (*)(dm_timestamp *)> before(dm_timestamp_alloc(),
									     dm_timestamp_destroy);
	KernelLog log;
	if (!before)
		return errno_error("switch the table of", device.str(), ENOMEM);
	dm_timestamp_get(before.get());
	auto result = task.run();
	auto *const after = dm_task_get_ioctl_timestamp(task.get());
	if (!result)
		return explained(result.error(), log);

	ResumeResult done;
	if (after)
		done.window = std::chrono::nanoseconds(dm_timestamp_delta(after, before.get()));
	done.udev_timed_out = !cookie.wait(options_.udev_timeout);
	return done;
}

Result<GroupResult> Kernel::switch_all(const std::vector<DevNo> &devices,
				       const GroupOptions &options)
{
	KernelLog log;
	auto result = run_window(devices, options, options_.run_dir, options_.udev_timeout);

	if (!result)
		return explained(result.error(), log);
	return result;
}

Result<void> Kernel::clear(DevNo device)
{
	Task task(DM_DEVICE_CLEAR, "clear the loaded table of", device.str());
	return task.at(device).run();
}

Result<void> Kernel::remove(DevNo device, Visibility visibility)
{
	BLKCTL_TRY(auto cookie, Cookie::create(options_.run_dir));
	Task task(DM_DEVICE_REMOVE, "remove", device.str());
	task.at(device).with(dm_task_retry_remove);
	task.with(dm_task_set_cookie, cookie.value(), Cookie::flags(visibility));
	BLKCTL_CHECK(task.run());
	cookie.wait(options_.udev_timeout);
	return {};
}

Result<std::string> Kernel::message(DevNo device, uint64_t sector, const std::string &text)
{
	KernelLog log;
	Task task(DM_DEVICE_TARGET_MSG, "send '" + text + "' to", device.str());
	task.at(device).with(dm_task_set_sector, sector).with(dm_task_set_message, text.c_str());
	auto result = task.run();
	if (!result)
		return explained(result.error(), log);

	const char *answer = dm_task_get_message_response(task.get());
	return std::string(answer ? answer : "");
}

Result<std::vector<TargetVersion>> Kernel::targets()
{
	Task task(DM_DEVICE_LIST_VERSIONS, "list", "device-mapper targets");
	BLKCTL_CHECK(task.run());

	std::vector<TargetVersion> found;
	const auto *version = dm_task_get_versions(task.get());
	while (version) {
		found.push_back({version->name,
				 {version->version[0], version->version[1], version->version[2]}});
		if (!version->next)
			break;
		version = reinterpret_cast<const dm_versions *>(
			reinterpret_cast<const char *>(version) + version->next);
	}
	return found;
}

Result<std::unique_ptr<Events>> Kernel::events()
{
	auto poll = EventPoll::open();

	if (!poll)
		return poll.error();
	return std::unique_ptr<Events>(std::move(*poll));
}

} // namespace blkctl::dm
