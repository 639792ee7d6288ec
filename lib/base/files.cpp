// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.hpp"
#include "base/unique_fd.hpp"
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

namespace blkctl
{

std::optional<std::string> read_file(const std::string &path)
{
	UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
	std::string content;
	char buffer[4096];

	while (fd) {
		const auto n = read(fd.get(), buffer, sizeof(buffer));
		if (n == 0)
			return content;
		if (n > 0)
			content.append(buffer, static_cast<size_t>(n));
		else if (errno != EINTR)
			break;
	}
	return std::nullopt;
}

std::optional<std::string> read_line(const std::string &path)
{
	auto content = read_file(path);

	if (content)
		content->resize(std::min(content->find('\n'), content->size()));
	return content;
}

Result<Replacement> Replacement::open(const std::string &path, mode_t mode)
{
	const auto temporary = path + ".new";
	Replacement file;

	file.path_ = path;
	file.fd_.reset(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
	if (!file.fd_)
		return errno_error("write", temporary, errno);
	return file;
}

Replacement::~Replacement()
{
	if (fd_)
		unlink((path_ + ".new").c_str());
}

Result<void> Replacement::add(std::string_view text)
{
	while (!text.empty()) {
		const auto n = write(fd_.get(), text.data(), text.size());
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno_error("write", path_ + ".new", errno);
		text.remove_prefix(static_cast<size_t>(n));
	}
	return {};
}

Result<void> Replacement::sync()
{
	if (fsync(fd_.get()) != 0)
		return errno_error("write", path_ + ".new", errno);
	return {};
}

Result<void> Replacement::finish()
{
	if (std::rename((path_ + ".new").c_str(), path_.c_str()) != 0)
		return errno_error("write", path_, errno);
	fd_.reset();
	return {};
}

Result<void> replace_file(const std::string &path, const std::string &content)
{
	BLKCTL_TRY(auto file, Replacement::open(path));
	BLKCTL_CHECK(file.add(content));
	return file.finish();
}

Result<void> replace_file_durably(const std::string &path, const std::string &content)
{
	BLKCTL_TRY(auto file, Replacement::open(path, 0644));
	BLKCTL_CHECK(file.add(content));
	BLKCTL_CHECK(file.sync());
	BLKCTL_CHECK(file.finish());
	return sync_folder_of(path);
}

Result<void> sync_folder_of(const std::string &path)
{
	const auto slash = path.find_last_of('/');
	const auto folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
	const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (!fd || fsync(fd.get()) != 0)
		return errno_error("flush", folder, errno);
	return {};
}

Result<UniqueFd> make_file(const std::string &path)
{
	UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));

	if (!fd && errno == EEXIST)
		return Error{.status = Status::busy,
			     .what = "make the file",
			     .device = path,
			     .why = "it is there already",
			     .sys_errno = EEXIST};
	if (!fd)
		return errno_error("make the file", path, errno);
	return fd;
}

Result<void> make_folder(const std::string &path)
{
	if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
		auto error = errno_error("make the folder", path, errno);
		error.status = Status::failed;
		return error;
	}
	return {};
}

} // namespace blkctl
