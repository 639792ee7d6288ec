// SPDX-License-Identifier: GPL-2.0-or-later
#include "uapi/blkcopy.h"
#include "volume/steps.hpp"
#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace blkctl::volume
{

namespace
{

// Runs modprobe without a shell; its words go nowhere, ours say what to do.
bool modprobe(const char *module)
{
	const char *const argv[] = {"modprobe", "-q", module, nullptr};
	const char *const envp[] = {"PATH=/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL=C", nullptr};
	posix_spawn_file_actions_t actions;
	pid_t child = 0;
	bool started = false;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	for (const char *path : {"/usr/sbin/modprobe", "/sbin/modprobe"}) {
		if (posix_spawn(&child, path, &actions, nullptr, const_cast<char *const *>(argv),
				const_cast<char *const *>(envp)) == 0) {
			started = true;
			break;
		}
	}
	posix_spawn_file_actions_destroy(&actions);

	int status = 0;
	while (started && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return started && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace

Result<bool> has_module(Context &context)
{
	BLKCTL_TRY(const auto targets, context.dm.targets());

	for (const auto &target : targets)
		if (target.name == BLKCOPY_TARGET)
			return true;
	return false;
}

Result<void> ensure_module(Context &context)
{
	BLKCTL_TRY(const bool there, has_module(context));
	if (there)
		return {};

	(void)modprobe(BLKCOPY_MODULE);
	BLKCTL_TRY(const bool loaded, has_module(context));
	if (loaded)
		return {};
	return Error{.what = "load the module",
		     .device = BLKCOPY_MODULE,
		     .why = "the kernel has no '" BLKCOPY_TARGET
			    "' target and modprobe found no module for it",
		     .next = "make -C kernel && insmod kernel/" BLKCOPY_MODULE ".ko"};
}

} // namespace blkctl::volume
