// SPDX-License-Identifier: GPL-2.0-or-later
#include "udev/loops.hpp"
#include "base/files.hpp"
#include "base/paths.hpp"
#include "base/unique_fd.hpp"
#include "udev/sysfs.hpp"
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <linux/loop.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace blkctl::udev
{

namespace
{

// Somebody else may take the free one first.
constexpr int attach_tries = 10;

// The file's name in the device's own record, which nobody reads: losetup asks sysfs.
constexpr std::string_view our_mark = "blkctl:";

// What a filesystem over it may expect of a store; the metadata is written in 4 KiB anyway.
constexpr uint32_t loop_block = 512;

Result<DevNo> devno_of(int fd, const std::string &path)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno_error("look at", path, errno);
	return DevNo::from(st.st_rdev);
}

/*
 * Whether a file can be read directly. An overlay filesystem of Linux 6.1 says that it can, and
 * so does a loop device over it then, whatever is below it: all I/O would fail.
 */
bool takes_direct_io(const std::string &path)
{
	constexpr size_t block = 4096;
	alignas(block) std::array<char, block> bytes;
	const UniqueFd file(open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));

	return file && pread(file.get(), bytes.data(), bytes.size(), 0) >= 0;
}

} // namespace

Result<void> SystemLoops::make(const std::string &path, uint64_t bytes)
{
	BLKCTL_CHECK(make_folder(std::filesystem::path(path).parent_path().string()));
	BLKCTL_TRY(const auto fd, make_file(path));
	if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 || fsync(fd.get()) != 0) {
		auto error = errno_error("make the file", path, errno);
		unlink(path.c_str());
		return error;
	}
	return sync_folder_of(path);
}

Result<void> SystemLoops::unmake(const std::string &path)
{
	if (unlink(path.c_str()) != 0 && errno != ENOENT)
		return errno_error("remove the file", path, errno);
	return {};
}

Result<DevNo> SystemLoops::attach(const std::string &path)
{
	for (const auto &[devno, file] : sysfs::loops())
		if (is_same_file(file, path))
			return devno;

	const UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
	const UniqueFd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	if (!file)
		return errno_error("open", path, errno);
	if (!control)
		return errno_error("open", "/dev/loop-control", errno);
	const bool direct = takes_direct_io(path);
	for (int i = 0; i < attach_tries; i++) {
		const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
		if (number < 0)
			break;
		const auto node = "/dev/loop" + std::to_string(number);
		const UniqueFd loop(open(node.c_str(), O_RDWR | O_CLOEXEC));
		loop_config config = {};
		config.fd = static_cast<uint32_t>(file.get());
		config.block_size = loop_block;
		config.info.lo_flags = direct ? LO_FLAGS_DIRECT_IO : 0;
		const auto mark = std::string(our_mark) + path;
		std::strncpy(reinterpret_cast<char *>(config.info.lo_file_name), mark.c_str(),
			     LO_NAME_SIZE - 1);
		if (loop && ioctl(loop.get(), LOOP_CONFIGURE, &config) == 0)
			return devno_of(loop.get(), node);
		// The loop driver may want more of it than we do: then without it.
		config.info.lo_flags = 0;
		if (loop && errno == EINVAL && ioctl(loop.get(), LOOP_CONFIGURE, &config) == 0)
			return devno_of(loop.get(), node);
		if (errno != EBUSY)
			break;
	}
	return errno_error("set up a loop device for", path, errno);
}

Result<void> SystemLoops::detach(DevNo device)
{
	const auto node = "/dev/" + sysfs::kernel_name(device);
	const UniqueFd loop(open(node.c_str(), O_RDWR | O_CLOEXEC));

	if (!loop)
		return errno_error("open", node, errno);
	if (ioctl(loop.get(), LOOP_CLR_FD) != 0 && errno != ENXIO)
		return errno_error("let go of", node, errno);
	return {};
}

bool SystemLoops::is_ours(DevNo device)
{
	const auto node = "/dev/" + sysfs::kernel_name(device);
	const UniqueFd loop(open(node.c_str(), O_RDONLY | O_CLOEXEC));
	loop_info64 info = {};

	if (!loop || ioctl(loop.get(), LOOP_GET_STATUS64, &info) != 0)
		return false;
	return std::string_view(reinterpret_cast<const char *>(info.lo_file_name))
		.starts_with(our_mark);
}

} // namespace blkctl::udev
