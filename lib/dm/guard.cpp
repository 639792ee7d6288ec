// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/guard.hpp"
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <new>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace blkctl::dm
{

namespace
{

constexpr char done = 'd';

// How long who is killed may take to be dead, in milliseconds.
constexpr int dying = 5000;

dm_ioctl request_of(uint64_t dev, uint32_t flags)
{
	dm_ioctl request = {};

	// All that is asked here has been there since the first version of the interface.
	request.version[0] = DM_VERSION_MAJOR;
	request.data_size = sizeof(request);
	request.data_start = sizeof(request);
	request.dev = dev;
	request.flags = flags;
	return request;
}

} // namespace

void WindowPlan::Unmap::operator()(Shared *shared) const
{
	munmap(shared, sizeof(Shared));
}

Result<WindowPlan> WindowPlan::open(std::chrono::milliseconds deadline)
{
	constexpr const char *node = "/dev/mapper/control";
	WindowPlan plan;

	plan.deadline_ = deadline;
	plan.control_.reset(::open(node, O_RDWR | O_CLOEXEC));
	if (!plan.control_)
		return errno_error("open", node, errno);
	void *const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return errno_error("share memory with", "the guard", errno);
	plan.shared_.reset(new (memory) Shared);
	return plan;
}

Result<void> WindowPlan::add_device(DevNo device, uint32_t event, bool lockfs)
{
	if (shared_->nr_devices == most)
		return Error{.status = Status::usage,
			     .what = "switch",
			     .why = "so many volumes cannot change at one instant"};
	shared_->devices[shared_->nr_devices++] = {device.dev(), event, lockfs};
	return {};
}

Result<void> WindowPlan::add_mount(int fd)
{
	if (shared_->nr_mounts == most)
		return Error{.status = Status::usage,
			     .what = "freeze",
			     .why = "so many filesystems cannot be frozen at one instant"};
	shared_->mounts[shared_->nr_mounts++] = {fd, false};
	return {};
}

Result<void> WindowPlan::add_message(const GroupMessage &message)
{
	const bool too_long = message.text.size() > longest || message.undo.size() > longest;

	if (shared_->nr_messages == most || too_long)
		return Error{.status = Status::usage,
			     .what = "send",
			     .why = too_long ? "the message is too long"
					     : "so many messages cannot be of one instant"};
	auto &added = shared_->messages[shared_->nr_messages++];
	added.dev = message.device.dev();
	message.text.copy(added.text, longest);
	message.undo.copy(added.undo, longest);
	return {};
}

// 0 or an errno. All of it is on the stack: memory that is not there yet may be swapped out.
int WindowPlan::tell(uint64_t dev, const char *text) const
{
	constexpr size_t at = sizeof(dm_ioctl) + offsetof(dm_target_msg, message);
	alignas(dm_ioctl) std::array<char, at + longest + 1> bytes = {};
	auto request = request_of(dev, 0);

	request.data_size = bytes.size();
	// The sector of the target is 0, as it is.
	memcpy(bytes.data(), &request, sizeof(request));
	strncpy(bytes.data() + at, text, longest);
	return ioctl(control_.get(), DM_TARGET_MSG, bytes.data()) == 0 ? 0 : errno;
}

// 0 or an errno.
int WindowPlan::call(unsigned long request, const Device &device, uint32_t flags, bool *event) const
{
	auto io = request_of(device.dev, flags);

	io.event_nr = event ? device.event : 0;
	if (ioctl(control_.get(), request, &io) != 0)
		return errno;
	if (event)
		*event = (io.flags & DM_UEVENT_GENERATED_FLAG) != 0;
	return 0;
}

bool WindowPlan::is_suspended(const Device &device) const
{
	auto io = request_of(device.dev, 0);

	return ioctl(control_.get(), DM_DEV_STATUS, &io) == 0 && (io.flags & DM_SUSPEND_FLAG) != 0;
}

std::optional<Stop> WindowPlan::freeze(const Point &point)
{
	for (size_t i = 0; i < shared_->nr_mounts; i++) {
		auto &mount = shared_->mounts[i];
		point();
		// Before: who dies right after it is thawed all the same.
		mount.ours = true;
		const int err = ioctl(mount.fd, FIFREEZE, 0) == 0 ? 0 : errno;
		if (err)
			mount.ours = false;
		// Somebody has frozen it already: it is as it should be, and stays so.
		if (err && err != EBUSY)
			return Stop{Step::freeze, i, err};
		shared_->frozen = i + 1;
	}
	return std::nullopt;
}

std::optional<Stop> WindowPlan::suspend(const Point &point)
{
	for (size_t i = 0; i < shared_->nr_devices; i++) {
		const auto &device = shared_->devices[i];
		point();
		const uint32_t skip = device.lockfs ? 0 : DM_SKIP_LOCKFS_FLAG;
		if (const int err = call(DM_DEV_SUSPEND, device, DM_SUSPEND_FLAG | skip))
			return Stop{Step::suspend, i, err};
	}
	point();
	shared_->all_suspended = true;
	return std::nullopt;
}

std::optional<Stop> WindowPlan::send(const Point &point)
{
	for (size_t i = shared_->sent; i < shared_->nr_messages; i++) {
		const auto &message = shared_->messages[i];
		point();
		if (const int err = tell(message.dev, message.text))
			return Stop{Step::message, i, err};
		shared_->sent = i + 1;
	}
	point();
	shared_->all_sent = true;
	return std::nullopt;
}

// Whatever fails, the others are resumed.
std::optional<Stop> WindowPlan::resume(const Point &point)
{
	std::optional<Stop> stop;

	for (size_t i = shared_->nr_devices; i-- > 0;) {
		bool event = false;
		point();
		const int err = call(DM_DEV_SUSPEND, shared_->devices[i], 0, &event);
		// A kernel that refuses the new table forgets it: the old one goes on.
		if (err && is_suspended(shared_->devices[i]))
			(void)call(DM_DEV_SUSPEND, shared_->devices[i], 0);
		shared_->devices[i].refused = err != 0;
		shared_->events += event ? 1 : 0;
		if (err)
			stop = Stop{Step::resume, i, err};
	}
	point();
	return stop;
}

// If it is a target that refuses, the new table is live by then, and the device stays suspended.
void WindowPlan::put_back(const std::function<void(size_t)> &load)
{
	for (size_t i = 0; i < shared_->nr_devices; i++) {
		const auto &device = shared_->devices[i];
		if (!device.refused)
			continue;
		if (is_suspended(device)) {
			load(i);
			(void)call(DM_DEV_SUSPEND, device, 0);
		}
		for (size_t m = shared_->nr_messages; m-- > 0;)
			if (shared_->messages[m].dev == device.dev)
				(void)tell(device.dev, shared_->messages[m].undo);
	}
}

void WindowPlan::undo()
{
	for (size_t i = shared_->sent; i-- > 0;)
		(void)tell(shared_->messages[i].dev, shared_->messages[i].undo);
	for (size_t i = shared_->nr_devices; i-- > 0;) {
		const auto &device = shared_->devices[i];
		// Or a RESUME would switch to it.
		(void)call(DM_TABLE_CLEAR, device, 0);
		if (is_suspended(device))
			(void)call(DM_DEV_SUSPEND, device, 0);
	}
}

void WindowPlan::thaw_first(size_t count)
{
	for (size_t i = count; i-- > 0;) {
		auto &mount = shared_->mounts[i];
		if (mount.ours)
			(void)ioctl(mount.fd, FITHAW, 0);
		mount.ours = false;
	}
}

void WindowPlan::thaw()
{
	thaw_first(shared_->nr_mounts);
}

// Once all are frozen devices may be suspended, and a thaw writes.
void WindowPlan::thaw_early()
{
	if (shared_->frozen < shared_->nr_mounts)
		thaw_first(shared_->frozen);
}

void WindowPlan::recover()
{
	if (!shared_->all_suspended || !shared_->all_sent) {
		// It may have died between a message and its count: that one is taken back too.
		if (shared_->all_suspended && shared_->sent < shared_->nr_messages)
			shared_->sent++;
		undo();
	} else {
		for (size_t i = shared_->nr_devices; i-- > 0;)
			if (is_suspended(shared_->devices[i]))
				(void)call(DM_DEV_SUSPEND, shared_->devices[i], 0);
	}
	thaw();
}

Result<Guard> Guard::start(WindowPlan &plan)
{
	int ends[2], ready[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno_error("start", "the guard", errno);
	UniqueFd in(ends[0]), out(ends[1]);
	if (pipe2(ready, O_CLOEXEC) != 0)
		return errno_error("start", "the guard", errno);
	UniqueFd told(ready[0]), tell(ready[1]);
	const pid_t maker = getpid();
	const pid_t pid = fork();
	if (pid < 0)
		return errno_error("start", "the guard", errno);
	if (pid == 0) {
		// Its own end would keep the pipe from ending.
		out.reset();
		told.reset();
		setsid();
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, nullptr);
		// One that has to be read in from what is suspended would wait for itself.
		if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
			_exit(1);
		(void)prctl(PR_SET_NAME, "blkctl-guard");
		// Who reads the output of the command does not wait for it.
		const int null = ::open("/dev/null", O_RDWR);
		for (int fd = 0; null >= 0 && fd < 3; fd++)
			(void)dup2(null, fd);
		(void)!write(tell.get(), &done, 1);
		tell.reset();
		watch(plan, in.get(), maker);
	}
	tell.reset();
	char byte = 0;
	ssize_t got;
	while ((got = read(told.get(), &byte, 1)) < 0 && errno == EINTR)
		;
	Guard guard(pid, std::move(out));
	if (got != 1)
		return Error{.what = "start", .device = "the guard", .why = "it has died"};
	return guard;
}

void Guard::watch(WindowPlan &plan, int pipe, pid_t maker)
{
	pollfd what{.fd = pipe, .events = POLLIN, .revents = 0};
	char byte = 0;

	if (poll(&what, 1, static_cast<int>(plan.deadline().count())) == 0) {
		// The other end closes once it is dead, and does nothing more.
		kill(maker, SIGKILL);
		// Where it hangs in a freeze nothing kills it, and what it has frozen before may be
		// what that waits for.
		if (poll(&what, 1, dying) == 0) {
			plan.thaw_early();
			(void)poll(&what, 1, -1);
		}
	}
	if (read(pipe, &byte, 1) != 1 || byte != done)
		plan.recover();
	_exit(0);
}

Guard::Guard(Guard &&other) noexcept
	: pid_(std::exchange(other.pid_, 0)), pipe_(std::move(other.pipe_))
{
}

void Guard::dismiss()
{
	if (pid_ <= 0)
		return;
	(void)!write(pipe_.get(), &done, 1);
	pipe_.reset();
	while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR)
		;
	pid_ = 0;
}

} // namespace blkctl::dm
