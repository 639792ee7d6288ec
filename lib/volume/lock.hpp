// SPDX-License-Identifier: GPL-2.0-or-later
// One changing command a volume at a time.
#ifndef BLKCTL_VOLUME_LOCK_HPP
#define BLKCTL_VOLUME_LOCK_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <chrono>
#include <string>

namespace blkctl::volume
{

// An flock; the kernel drops it when its holder dies.
class Lock
{
      public:
	// The lock of a volume: RUN_DIR/MAJ-MIN.lock. Errors: busy after the timeout, failed.
	static Result<Lock> volume(const std::string &run_dir, DevNo device,
				   std::chrono::milliseconds timeout);
	// The lock of a name that has no device yet: RUN_DIR/name-NAME.lock.
	static Result<Lock> name(const std::string &run_dir, const std::string &name,
				 std::chrono::milliseconds timeout);
	// The same, held together with others that take it so.
	static Result<Lock> shared_name(const std::string &run_dir, const std::string &name,
					std::chrono::milliseconds timeout);

	// The lock of the file that says which volumes come back: RUN_DIR/tab.lock.
	static Result<Lock> tab(const std::string &run_dir, std::chrono::milliseconds timeout);

      private:
	explicit Lock(UniqueFd fd) : fd_(std::move(fd)) {}

	UniqueFd fd_;
};

} // namespace blkctl::volume

#endif
