// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/lock.hpp"
#include "base/files.hpp"
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>

namespace blkctl::volume
{

namespace
{

// flock has no deadline of its own, and a signal must not be needed to give up.
constexpr auto poll_interval = std::chrono::milliseconds(20);

Result<UniqueFd> take(const std::string &run_dir, const std::string &file, const std::string &what,
		      std::chrono::milliseconds timeout, int how = LOCK_EX)
{
	BLKCTL_CHECK(make_folder(run_dir));
	const auto path = run_dir + "/" + file;
	const auto deadline = std::chrono::steady_clock::now() + timeout;
	UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));

	if (!fd)
		return errno_error("lock", path, errno);
	while (flock(fd.get(), how | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return errno_error("lock", path, errno);
		if (std::chrono::steady_clock::now() >= deadline)
			return Error{.status = Status::busy,
				     .what = "lock",
				     .device = what,
				     .why = "another blkctl is changing it",
				     .next = "the same again, or fuser -v " + path +
					     " to see who it is"};
		std::this_thread::sleep_for(poll_interval);
	}
	return fd;
}

} // namespace

Result<Lock> Lock::volume(const std::string &run_dir, DevNo device,
			  std::chrono::milliseconds timeout)
{
	const auto file =
		std::to_string(device.major) + "-" + std::to_string(device.minor) + ".lock";
	BLKCTL_TRY(auto fd, take(run_dir, file, device.str(), timeout));
	return Lock(std::move(fd));
}

Result<Lock> Lock::name(const std::string &run_dir, const std::string &name,
			std::chrono::milliseconds timeout)
{
	BLKCTL_TRY(auto fd, take(run_dir, "name-" + name + ".lock", name, timeout));
	return Lock(std::move(fd));
}

Result<Lock> Lock::shared_name(const std::string &run_dir, const std::string &name,
			       std::chrono::milliseconds timeout)
{
	BLKCTL_TRY(auto fd, take(run_dir, "name-" + name + ".lock", name, timeout, LOCK_SH));
	return Lock(std::move(fd));
}

Result<Lock> Lock::tab(const std::string &run_dir, std::chrono::milliseconds timeout)
{
	BLKCTL_TRY(auto fd, take(run_dir, "tab.lock", "blkctltab", timeout));
	return Lock(std::move(fd));
}

} // namespace blkctl::volume
