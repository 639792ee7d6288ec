// SPDX-License-Identifier: GPL-2.0-or-later
// Devices and raw files.
#include "base/files.hpp"
#include "base/unique_fd.hpp"
#include "transport/image.hpp"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace blkctl::transport
{

namespace
{

constexpr size_t bounce_bytes = size_t{1} << 20;

// Those that say that there is no such way, not that it has failed.
bool is_no_way(int err)
{
	return err == EOPNOTSUPP || err == EINVAL || err == ENOTTY || err == ENOSYS;
}

struct Opened {
	UniqueFd fd = {};
	uint64_t bytes = 0;
	bool device = false;
	// What direct I/O goes by: whole blocks of the device. One byte: there is none.
	uint32_t block = 1;
};

class RawImage final : public Image
{
      public:
	RawImage(const std::string &path, Opened opened, Access access)
		: Image(path, opened.bytes, access), fd_(std::move(opened.fd)),
		  device_(opened.device), block_(opened.block),
		  bounce_(opened.block > 1 ? bounce_bytes : 0)
	{
	}

	Result<void> close() override
	{
		if (access() == Access::write)
			BLKCTL_CHECK(do_flush());
		fd_.reset();
		return {};
	}

      private:
	Result<void> do_read(uint64_t offset, std::span<std::byte> to) override;
	Result<void> do_write(uint64_t offset, std::span<const std::byte> from) override;
	Result<void> do_zero(uint64_t offset, uint64_t length) override;
	Result<void> do_flush() override;
	Result<void> do_extents(uint64_t offset, uint64_t length,
				std::vector<Extent> &extents) override;

	bool goes_direct(uint64_t offset, std::span<const std::byte> memory) const;
	// The blocks around a range, as many as fit, in the bounce buffer.
	std::span<std::byte> bounce_for(uint64_t offset, size_t length);
	// All of it, as the system takes it.
	Result<void> read_all(uint64_t offset, std::span<std::byte> to);
	Result<void> write_all(uint64_t offset, std::span<const std::byte> from);

	UniqueFd fd_;
	bool device_;
	uint32_t block_;
	Buffer bounce_;
};

Result<void> RawImage::read_all(uint64_t offset, std::span<std::byte> to)
{
	while (!to.empty()) {
		const auto n = pread(fd_.get(), to.data(), to.size(), off_t(offset));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno_error("read", name(), n < 0 ? errno : EIO);
		to = to.subspan(size_t(n));
		offset += uint64_t(n);
	}
	return {};
}

Result<void> RawImage::write_all(uint64_t offset, std::span<const std::byte> from)
{
	while (!from.empty()) {
		const auto n = pwrite(fd_.get(), from.data(), from.size(), off_t(offset));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno_error("write", name(), n < 0 ? errno : ENOSPC);
		from = from.subspan(size_t(n));
		offset += uint64_t(n);
	}
	return {};
}

bool RawImage::goes_direct(uint64_t offset, std::span<const std::byte> memory) const
{
	return block_ == 1 ||
	       (reinterpret_cast<uintptr_t>(memory.data()) % Buffer::alignment == 0 &&
		offset % block_ == 0 && memory.size() % block_ == 0);
}

std::span<std::byte> RawImage::bounce_for(uint64_t offset, size_t length)
{
	const auto whole = (offset % block_ + length + block_ - 1) / block_ * block_;

	return bounce_.span().first(std::min<size_t>(whole, bounce_bytes));
}

Result<void> RawImage::do_read(uint64_t offset, std::span<std::byte> to)
{
	if (goes_direct(offset, to))
		return read_all(offset, to);
	while (!to.empty()) {
		const auto before = offset % block_;
		const auto blocks = bounce_for(offset, to.size());
		const auto now = std::min(to.size(), blocks.size() - before);
		BLKCTL_CHECK(read_all(offset - before, blocks));
		std::memcpy(to.data(), &blocks[before], now);
		to = to.subspan(now);
		offset += now;
	}
	return {};
}

Result<void> RawImage::do_write(uint64_t offset, std::span<const std::byte> from)
{
	if (goes_direct(offset, from))
		return write_all(offset, from);
	while (!from.empty()) {
		const auto before = offset % block_;
		const auto blocks = bounce_for(offset, from.size());
		const auto now = std::min(from.size(), blocks.size() - before);
		// The rest of the blocks at both ends is not ours to change.
		if (now != blocks.size())
			BLKCTL_CHECK(read_all(offset - before, blocks));
		std::memcpy(&blocks[before], from.data(), now);
		BLKCTL_CHECK(write_all(offset - before, blocks));
		from = from.subspan(now);
		offset += now;
	}
	return {};
}

Result<void> RawImage::do_zero(uint64_t offset, uint64_t length)
{
	// Of a device too: unlike a discard it promises zeroes, or says that it cannot.
	if (fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off_t(offset),
		      off_t(length)) == 0)
		return {};
	if (!is_no_way(errno))
		return errno_error("zero", name(), errno);
	uint64_t range[2] = {offset, length};
	if (device_ && ioctl(fd_.get(), BLKZEROOUT, range) == 0)
		return {};
	if (device_ && !is_no_way(errno))
		return errno_error("zero", name(), errno);
	return write_zeroes(offset, length);
}

Result<void> RawImage::do_flush()
{
	if (fsync(fd_.get()) != 0)
		return errno_error("flush", name(), errno);
	return {};
}

Result<void> RawImage::do_extents(uint64_t offset, uint64_t length, std::vector<Extent> &extents)
{
	const auto end = offset + length;

	while (!device_ && offset < end) {
		const auto found = lseek(fd_.get(), off_t(offset), SEEK_DATA);
		if (found < 0 && errno != ENXIO)
			break;
		// A sector that has some data is data.
		const auto data = found < 0 ? end : uint64_t(found) / sector_bytes * sector_bytes;
		add_extent(extents, {offset, std::min(data, end) - offset, true});
		offset = std::min(data, end);
		if (offset == end)
			break;
		const auto hole = lseek(fd_.get(), found, SEEK_HOLE);
		if (hole < 0)
			break;
		const auto after =
			(uint64_t(hole) + sector_bytes - 1) / sector_bytes * sector_bytes;
		add_extent(extents, {offset, std::min(after, end) - offset, false});
		offset = std::min(after, end);
	}
	if (offset < end)
		add_extent(extents, {offset, end - offset, false});
	return {};
}

Error no_image(const std::string &path, std::string why)
{
	return {.status = Status::usage, .what = "open", .device = path, .why = std::move(why)};
}

Result<Opened> open_path(const std::string &path, Access access)
{
	struct stat st;
	Opened opened;

	if (stat(path.c_str(), &st) != 0)
		return errno_error("open", path, errno);
	opened.device = S_ISBLK(st.st_mode);
	if (!opened.device && !S_ISREG(st.st_mode))
		return no_image(path, "neither a file nor a block device");
	int flags = (access == Access::write ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	if (opened.device)
		flags |= O_DIRECT | (access == Access::write ? O_EXCL : 0);
	opened.fd.reset(open(path.c_str(), flags));
	if (!opened.fd && errno == EBUSY)
		return Error{.status = Status::busy,
			     .what = "open",
			     .device = path,
			     .why = "it is in use",
			     .next = "blkctl list",
			     .sys_errno = EBUSY};
	if (!opened.fd)
		return errno_error("open", path, errno);
	if (!opened.device) {
		opened.bytes = uint64_t(st.st_size);
		return opened;
	}
	int block = 0;
	if (ioctl(opened.fd.get(), BLKGETSIZE64, &opened.bytes) != 0 ||
	    ioctl(opened.fd.get(), BLKSSZGET, &block) != 0)
		return errno_error("ask for the size of", path, errno);
	opened.block = uint32_t(block);
	return opened;
}

Result<void> make_file(const std::string &path, uint64_t bytes)
{
	const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));

	if (!fd)
		return errno_error("make the file", path, errno);
	if (ftruncate(fd.get(), off_t(bytes)) != 0 || fsync(fd.get()) != 0) {
		auto error = errno_error("make the file", path, errno);
		unlink(path.c_str());
		return error;
	}
	return sync_folder_of(path);
}

} // namespace

Result<std::unique_ptr<Image>> open_raw(const std::string &path, Access access)
{
	BLKCTL_TRY(auto opened, open_path(path, access));
	if (opened.bytes % sector_bytes != 0)
		return no_image(path, "its length is no multiple of 512 bytes");
	return std::unique_ptr<Image>(new RawImage(path, std::move(opened), access));
}

Result<std::unique_ptr<Image>> make_raw(const std::string &path, uint64_t bytes)
{
	struct stat st;

	if (bytes % sector_bytes != 0)
		return no_image(path, "its length would be no multiple of 512 bytes");
	if (stat(path.c_str(), &st) != 0 && errno == ENOENT)
		BLKCTL_CHECK(make_file(path, bytes));
	BLKCTL_TRY(auto opened, open_path(path, Access::write));
	if (opened.device && opened.bytes < bytes)
		return no_image(path, fmt::format("it has {} bytes, and is to take {}",
						  opened.bytes, bytes));
	if (!opened.device && opened.bytes != bytes) {
		if (ftruncate(opened.fd.get(), off_t(bytes)) != 0)
			return errno_error("make longer or shorter", path, errno);
		opened.bytes = bytes;
	}
	return std::unique_ptr<Image>(new RawImage(path, std::move(opened), Access::write));
}

} // namespace blkctl::transport
