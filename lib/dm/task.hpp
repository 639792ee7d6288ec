// SPDX-License-Identifier: GPL-2.0-or-later
// One ioctl of the device-mapper, owned. Internal to the library.
#ifndef BLKCTL_DM_TASK_HPP
#define BLKCTL_DM_TASK_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include <libdevmapper.h>
#include <memory>

namespace blkctl::dm
{

class Task
{
      public:
	// type: DM_DEVICE_*; what and device are for the error.
	Task(int type, std::string what, std::string device);

	Task &at(DevNo device);
	Task &named(const std::string &name);

	// Runs a setter of libdevmapper on the task and remembers if it failed.
	template <class F, class... Args> Task &with(F &&setter, Args &&...args)
	{
		if (task_ && !setter(task_.get(), std::forward<Args>(args)...))
			prepared_ = false;
		return *this;
	}

	// Errors: as Mapper's.
	Result<void> run();

	dm_task *get() const { return task_.get(); }
	dm_info info() const;

      private:
	struct Destroy {
		void operator()(dm_task *task) const { dm_task_destroy(task); }
	};
	Error only_root() const;
	Error unprepared() const;

	std::unique_ptr<dm_task, Destroy> task_;
	std::string refused_; // why there is no task_
	bool prepared_ = true;
	std::string what_;
	std::string device_;
};

} // namespace blkctl::dm

#endif
