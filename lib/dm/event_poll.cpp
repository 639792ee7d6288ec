// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/event_poll.hpp"
#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace blkctl::dm
{

namespace
{

constexpr char control[] = "/dev/mapper/control";

} // namespace

Result<std::unique_ptr<EventPoll>> EventPoll::open()
{
	UniqueFd fd(::open(control, O_RDWR | O_CLOEXEC));

	if (!fd) {
		auto error = errno_error("open", control, errno);
		error.status = Status::failed;
		return error;
	}
	return std::unique_ptr<EventPoll>(new EventPoll(std::move(fd)));
}

// libdevmapper's own ARM_POLL task is of no use: its descriptor is private.
Result<void> EventPoll::arm()
{
	dm_ioctl command{};

	// The lowest interface that has the call: a kernel with a later one takes it.
	command.version[0] = DM_VERSION_MAJOR;
	command.version[1] = 37;
	command.data_size = sizeof(command);
	if (ioctl(fd_.get(), DM_DEV_ARM_POLL, &command) != 0)
		return errno_error("arm", control, errno);
	return {};
}

Result<bool> EventPoll::wait(std::chrono::milliseconds timeout)
{
	pollfd poller{.fd = fd_.get(), .events = POLLIN, .revents = 0};
	const auto left = std::max(timeout, decltype(timeout)(0));
	const auto whole = std::chrono::floor<std::chrono::seconds>(left);
	const timespec limit{.tv_sec = whole.count(),
			     .tv_nsec = std::chrono::nanoseconds(left - whole).count()};
	sigset_t none;

	sigemptyset(&none);
	const int n = ppoll(&poller, 1, &limit, &none);

	if (n < 0 && errno != EINTR)
		return errno_error("poll", control, errno);
	return n > 0;
}

} // namespace blkctl::dm
