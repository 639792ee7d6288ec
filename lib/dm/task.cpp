// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/task.hpp"
#include "dm/log.hpp"
#include <cerrno>
#include <unistd.h>

namespace blkctl::dm
{

Task::Task(int type, std::string what, std::string device)
	: what_(std::move(what)), device_(std::move(device))
{
	// The first task of a process asks the kernel for its version, and fails if it may not.
	LogCapture log;
	task_.reset(dm_task_create(type));
	if (!task_)
		refused_ = log.errors();
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

Error Task::only_root() const
{
	return Error{.what = what_,
		     .device = device_,
		     .why = "only root may use the device-mapper",
		     .next = "run it as root"};
}

Error Task::unprepared() const
{
	if (!task_ && geteuid() != 0)
		return only_root();
	return Error{.what = what_,
		     .device = device_,
		     .why = refused_.empty() ? "not enough memory, or a bad name" : refused_};
}

Result<void> Task::run()
{
	LogCapture log;

	if (!task_ || !prepared_)
		return unprepared();
	if (dm_task_run(task_.get()))
		return {};

	const int err = dm_task_get_errno(task_.get());
	auto error = errno_error(what_, device_, err ? err : EIO);
	if (geteuid() != 0) {
		error = only_root();
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
