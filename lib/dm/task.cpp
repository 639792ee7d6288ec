// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/task.hpp"
#include "dm/log.hpp"
#include <cerrno>
#include <unistd.h>

namespace blkctl::dm
{

Task::Task(int type, std::string what, std::string device)
	: task_(dm_task_create(type)), what_(std::move(what)), device_(std::move(device))
{
	// Refuses what is known to end badly, such as suspending above a suspended device.
	with(dm_task_enable_checks);
}

Task &Task::at(DevNo device)
{
	with(dm_task_set_major, static_cast<int>(device.major));
	return with(dm_task_set_minor, static_cast<int>(device.minor));
}

Task &Task::named(const std::string &name)
{
	LogCapture log;
	return with(dm_task_set_name, name.c_str());
}

Result<void> Task::run()
{
	LogCapture log;

	if (!task_ || !prepared_)
		return Error{.what = what_,
			     .device = device_,
			     .why = "not enough memory, or a bad name"};
	if (dm_task_run(task_.get()))
		return {};

	const int err = dm_task_get_errno(task_.get());
	auto error = errno_error(what_, device_, err ? err : EIO);
	if (geteuid() != 0) {
		error.status = Status::failed;
		error.why = "only root may use the device-mapper";
		error.next = "run it as root";
	} else if (!err && !log.errors().empty()) {
		error.why = log.errors();
	} else if (error.status == Status::not_found) {
		error.why = "no such device";
	}
	return error;
}

dm_info Task::info() const
{
	dm_info info{};

	if (!dm_task_get_info(task_.get(), &info))
		info = {};
	return info;
}

} // namespace blkctl::dm
