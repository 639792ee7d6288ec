// SPDX-License-Identifier: GPL-2.0-or-later
// A file descriptor with one owner.
#ifndef BLKCTL_BASE_UNIQUE_FD_HPP
#define BLKCTL_BASE_UNIQUE_FD_HPP

#include <unistd.h>
#include <utility>

namespace blkctl
{

class UniqueFd
{
      public:
	UniqueFd() = default;
	explicit UniqueFd(int fd) : fd_(fd) {}
	UniqueFd(UniqueFd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
	UniqueFd &operator=(UniqueFd &&other) noexcept
	{
		reset(std::exchange(other.fd_, -1));
		return *this;
	}
	UniqueFd(const UniqueFd &) = delete;
	UniqueFd &operator=(const UniqueFd &) = delete;
	~UniqueFd() { reset(); }

	int get() const { return fd_; }
	explicit operator bool() const { return fd_ >= 0; }
	// To whoever closes it from here on.
	int release() { return std::exchange(fd_, -1); }
	void reset(int fd = -1)
	{
		if (fd_ >= 0)
			::close(fd_);
		fd_ = fd;
	}

      private:
	int fd_ = -1;
};

} // namespace blkctl

#endif
