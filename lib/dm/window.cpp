// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/window.hpp"
#include "base/unique_fd.hpp"
#include "dm/cookie.hpp"
#include "dm/guard.hpp"
#include "dm/task.hpp"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <libdevmapper.h>
#include <sys/mman.h>

namespace blkctl::dm
{

namespace
{

using Clock = std::chrono::steady_clock;

// Signals wait, and memory stays where it is.
class Undisturbed
{
      public:
	Undisturbed()
	{
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, &before_);
		locked_ = mlockall(MCL_CURRENT | MCL_FUTURE) == 0;
	}
	~Undisturbed()
	{
		if (locked_)
			munlockall();
		sigprocmask(SIG_SETMASK, &before_, nullptr);
	}
	Undisturbed(const Undisturbed &) = delete;
	Undisturbed &operator=(const Undisturbed &) = delete;
	bool locked() const { return locked_; }

      private:
	sigset_t before_ = {};
	bool locked_ = false;
};

Result<std::vector<UniqueFd>> open_mounts(const std::vector<std::string> &mounts)
{
	std::vector<UniqueFd> found;

	for (const auto &mount : mounts) {
		found.emplace_back(open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		if (!found.back())
			return errno_error("freeze", mount, errno);
	}
	return found;
}

// What goes with the RESUME of each device so that udev tells when it is done with it.
Result<uint32_t> add_to_cookie(Cookie &cookie, DevNo device)
{
	constexpr auto visible = Visibility::visible;
	const uint32_t flags = Cookie::flags(visible) | DM_UDEV_PRIMARY_SOURCE_FLAG;
	Task task(DM_DEVICE_RESUME, "switch the table of", device.str());

	task.at(device).with(dm_task_set_cookie, cookie.value(), Cookie::flags(visible));
	if (!task.get())
		return errno_error("switch the table of", device.str(), ENOMEM);
	return flags << DM_UDEV_FLAGS_SHIFT | (*cookie.value() & ~DM_UDEV_FLAGS_MASK);
}

Error window_error(const Stop &stop, const std::vector<DevNo> &devices, const GroupOptions &options)
{
	if (stop.step == Step::message) {
		const auto &message = options.messages[stop.index];
		return errno_error("send '" + message.text + "' to", message.device.str(),
				   stop.err);
	}
	const auto name =
		stop.step == Step::freeze ? options.mounts[stop.index] : devices[stop.index].str();
	const char *const what = stop.step == Step::freeze    ? "freeze"
				 : stop.step == Step::suspend ? "suspend"
							      : "switch the table of";
	auto error = errno_error(what, name, stop.err);

	if (stop.step == Step::freeze && stop.err == EOPNOTSUPP)
		error.why = "its filesystem cannot be frozen";
	return error;
}

} // namespace

Result<GroupResult> run_window(const std::vector<DevNo> &devices, const GroupOptions &options,
			       const std::string &run_dir, std::chrono::milliseconds udev_timeout)
{
	BLKCTL_TRY(const auto mounts, open_mounts(options.mounts));
	BLKCTL_TRY(auto cookie, Cookie::create(run_dir));
	BLKCTL_TRY(auto plan, WindowPlan::open(options.deadline));
	GroupResult result;

	for (size_t i = 0; i < devices.size(); i++) {
		BLKCTL_TRY(const auto event, add_to_cookie(cookie, devices[i]));
		const bool lockfs = std::find(options.lockfs.begin(), options.lockfs.end(),
					      devices[i]) != options.lockfs.end();
		BLKCTL_CHECK(plan.add_device(devices[i], event, lockfs));
	}
	for (const auto &mount : mounts)
		BLKCTL_CHECK(plan.add_mount(mount.get()));
	for (const auto &message : options.messages)
		BLKCTL_CHECK(plan.add_message(message));
	BLKCTL_TRY(auto guard, Guard::start(plan));
	std::optional<Stop> stop;
	{
		const Undisturbed undisturbed;
		if (!undisturbed.locked())
			return errno_error("lock the memory of", "blkctl", errno);
		const auto begin = Clock::now();
		stop = plan.freeze(options.point);
		const auto from = Clock::now();
		if (!stop)
			stop = plan.suspend(options.point);
		if (!stop)
			stop = plan.send(options.point);
		if (stop)
			plan.undo();
		else
			stop = plan.resume(options.point);
		result.window = Clock::now() - from;
		// A thaw writes, and would wait for a device that is suspended.
		if (stop && stop->step == Step::resume)
			plan.put_back([&](size_t i) { options.load_old(devices[i]); });
		plan.thaw();
		result.freeze = Clock::now() - begin;
	}
	guard.dismiss();
	// Of a device that was not resumed, or said nothing to udev.
	for (size_t i = plan.events(); i < devices.size() && *cookie.value(); i++)
		dm_udev_complete(*cookie.value());
	result.udev_timed_out = !cookie.wait(udev_timeout);
	if (stop)
		return window_error(*stop, devices, options);
	return result;
}

} // namespace blkctl::dm
