// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/device.hpp"
#include "meta/layout.hpp"
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace blkctl::meta
{

namespace
{

constexpr size_t buffer_bytes = size_t{1} << 20;

Result<uint64_t> size_of(int fd, const struct stat &st, const std::string &path)
{
	uint64_t bytes = 0;

	if (S_ISREG(st.st_mode))
		return static_cast<uint64_t>(st.st_size);
	if (ioctl(fd, BLKGETSIZE64, &bytes) != 0)
		return errno_error("ask for the size of", path, errno);
	return bytes;
}

} // namespace

void FileDevice::Free::operator()(uint8_t *memory) const
{
	std::free(memory);
}

Result<std::unique_ptr<FileDevice>> FileDevice::open(const std::string &path, Access access)
{
	struct stat st;

	if (stat(path.c_str(), &st) != 0)
		return errno_error("open", path, errno);
	const bool block = S_ISBLK(st.st_mode);
	if (!block && !S_ISREG(st.st_mode))
		return Error{.status = Status::usage,
			     .what = "open",
			     .device = path,
			     .why = "neither a file nor a block device"};

	int flags = (access == Access::write ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	if (block && access == Access::write)
		flags |= O_EXCL;
	UniqueFd fd(::open(path.c_str(), flags | O_DIRECT));
	// Not every filesystem has direct I/O.
	if (!fd && errno == EINVAL)
		fd.reset(::open(path.c_str(), flags));
	if (!fd && errno == EBUSY)
		return Error{.status = Status::busy,
			     .what = "open",
			     .device = path,
			     .why = "it is in use",
			     .next = "blkctl list",
			     .sys_errno = EBUSY};
	if (!fd)
		return errno_error("open", path, errno);

	std::unique_ptr<FileDevice> device(new FileDevice);
	device->path_ = path;
	BLKCTL_TRY(device->bytes_, size_of(fd.get(), st, path));
	device->fd_ = std::move(fd);
	device->buffer_.reset(
		static_cast<uint8_t *>(std::aligned_alloc(sector_bytes, buffer_bytes)));
	if (!device->buffer_)
		return errno_error("open", path, ENOMEM);
	return device;
}

Result<std::unique_ptr<Device>> open_device(const std::string &path, Access access)
{
	BLKCTL_TRY(auto device, FileDevice::open(path, access));
	return std::unique_ptr<Device>(std::move(device));
}

Result<void> FileDevice::read(uint64_t sector, std::span<uint8_t> to)
{
	auto at = static_cast<off_t>(sector * sector_bytes);

	while (!to.empty()) {
		const auto now = to.first(std::min(to.size(), buffer_bytes));
		const auto n = pread(fd_.get(), buffer_.get(), now.size(), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != static_cast<ssize_t>(now.size()))
			return errno_error("read", path_, n < 0 ? errno : EIO);
		std::memcpy(now.data(), buffer_.get(), now.size());
		to = to.subspan(now.size());
		at += n;
	}
	return {};
}

Result<void> FileDevice::write(uint64_t sector, std::span<const uint8_t> from)
{
	auto at = static_cast<off_t>(sector * sector_bytes);

	while (!from.empty()) {
		const auto now = from.first(std::min(from.size(), buffer_bytes));
		std::memcpy(buffer_.get(), now.data(), now.size());
		const auto n = pwrite(fd_.get(), buffer_.get(), now.size(), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != static_cast<ssize_t>(now.size()))
			return errno_error("write", path_, n < 0 ? errno : ENOSPC);
		from = from.subspan(now.size());
		at += n;
	}
	return {};
}

Result<void> FileDevice::flush()
{
	if (fsync(fd_.get()) != 0)
		return errno_error("flush", path_, errno);
	return {};
}

} // namespace blkctl::meta
