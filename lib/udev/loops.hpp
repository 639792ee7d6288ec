// SPDX-License-Identifier: GPL-2.0-or-later
// Files that serve as devices. Loops is the seam for tests.
#ifndef BLKCTL_UDEV_LOOPS_HPP
#define BLKCTL_UDEV_LOOPS_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include <cstdint>
#include <string>

namespace blkctl::udev
{

class Loops
{
      public:
	virtual ~Loops() = default;

	// A new sparse file, in a folder that is made if need be, durably. Errors: busy (it is
	// there), failed.
	virtual Result<void> make(const std::string &path, uint64_t bytes) = 0;
	virtual Result<void> unmake(const std::string &path) = 0;

	// The loop device that shows a file, with direct I/O: one that is there, or a new one,
	// which goes away by itself when nobody has it open any more, once detach() was called.
	// Errors: not_found, failed.
	virtual Result<DevNo> attach(const std::string &path) = 0;
	virtual Result<void> detach(DevNo device) = 0;

	// Whether attach() has set it up: one of somebody else's is not ours to detach.
	virtual bool is_ours(DevNo device) = 0;
};

class SystemLoops final : public Loops
{
      public:
	Result<void> make(const std::string &path, uint64_t bytes) override;
	Result<void> unmake(const std::string &path) override;
	Result<DevNo> attach(const std::string &path) override;
	Result<void> detach(DevNo device) override;
	bool is_ours(DevNo device) override;
};

} // namespace blkctl::udev

#endif
