// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.hpp"
#include "base/random.hpp"
#include "base/unique_fd.hpp"
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
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

namespace
{

constexpr int most_links = 40; // as the kernel follows

// What a name stands for, through links, of which the last may lead to nothing yet.
Result<std::string> behind_links(std::filesystem::path path)
{
	for (int i = 0; i < most_links; i++) {
		std::error_code none;
		const auto link = std::filesystem::read_symlink(path, none);
		if (none)
			return path.string();
		path = path.parent_path() / link;
	}
	return errno_error("write", path.string(), ELOOP);
}

Error no_place(const std::string &path, std::string why)
{
	return {.status = Status::usage, .what = "write", .device = path, .why = std::move(why)};
}

} // namespace

Result<Replacement> Replacement::open(const std::string &path, mode_t mode)
{
	Replacement file;
	struct stat st = {};

	// The kernel says first whether these links may be followed: not another user's in /tmp.
	if (stat(path.c_str(), &st) != 0 && errno != ENOENT)
		return errno_error("write", path, errno);
	if (S_ISBLK(st.st_mode))
		return no_place(path, "it is a block device, and all of it would be lost");
	if (S_ISDIR(st.st_mode))
		return no_place(path, "it is a folder");
	BLKCTL_TRY(file.path_, behind_links(path));
	if (st.st_mode != 0 && !S_ISREG(st.st_mode)) {
		file.written_ = path;
		file.fd_.reset(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
	} else {
		BLKCTL_TRY(const auto random, random_hex());
		file.written_ = file.path_ + "." + random.substr(0, 8) + ".new";
		file.fd_.reset(::open(file.written_.c_str(),
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
		file.is_new_ = static_cast<bool>(file.fd_);
	}
	if (!file.fd_)
		return errno_error("write", file.written_, errno);
	return file;
}

Replacement::~Replacement()
{
	if (fd_ && is_new_)
		unlink(written_.c_str());
}

Result<void> Replacement::add(std::string_view text)
{
	while (!text.empty()) {
		const auto n = write(fd_.get(), text.data(), text.size());
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno_error("write", written_, errno);
		text.remove_prefix(static_cast<size_t>(n));
	}
	return {};
}

Result<void> Replacement::sync()
{
	if (is_new_ && fsync(fd_.get()) != 0)
		return errno_error("write", written_, errno);
	return {};
}

Result<void> Replacement::finish()
{
	if (is_new_ && std::rename(written_.c_str(), path_.c_str()) != 0)
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
	return sync_folder_of(file.path());
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

namespace
{

Error is_there_already(std::string what, const std::string &path)
{
	return {.status = Status::busy,
		.what = std::move(what),
		.device = path,
		.why = "it is there already",
		.sys_errno = EEXIST};
}

// Where the filesystem does not know of RENAME_NOREPLACE, NFS and 9p for two: a link replaces
// nothing either. Where there are no links a look has to do. An errno, or 0.
int rename_by_link(const std::string &from, const std::string &to)
{
	struct stat st;

	if (link(from.c_str(), to.c_str()) == 0) {
		(void)unlink(from.c_str());
		return 0;
	}
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return errno;
	if (lstat(to.c_str(), &st) == 0)
		return EEXIST;
	return std::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

} // namespace

Result<void> rename_to_new(const std::string &from, const std::string &to)
{
	int err = 0;

	if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0)
		err = errno;
	if (err == EINVAL || err == ENOSYS || err == EOPNOTSUPP)
		err = rename_by_link(from, to);
	if (err == EEXIST)
		return is_there_already("rename", to);
	if (err != 0)
		return errno_error("rename", from, err);
	return {};
}

Result<UniqueFd> make_file(const std::string &path)
{
	UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));

	if (!fd && errno == EEXIST)
		return is_there_already("make the file", path);
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
