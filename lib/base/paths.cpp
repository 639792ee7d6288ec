// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/paths.hpp"
#include "base/unique_fd.hpp"
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace blkctl
{

namespace
{

constexpr off_t page = 4096;
constexpr size_t piece = size_t{1} << 20;

// The first offset from `at` on that something was written to; nothing: none was.
std::optional<off_t> next_data(int fd, off_t at)
{
	const off_t data = lseek(fd, at, SEEK_DATA);

	if (data >= 0)
		return data;
	return errno == ENXIO ? std::nullopt : std::optional(at); // not every filesystem knows
}

} // namespace

bool is_same_file(const std::string &a, const std::string &b)
{
	std::error_code ignored;

	return a == b || std::filesystem::equivalent(a, b, ignored);
}

std::string canonical_path(const std::string &path)
{
	std::error_code error;
	const auto canonical = std::filesystem::weakly_canonical(path, error);

	return error ? path : canonical.string();
}

std::optional<std::string> content_identity(const std::string &path)
{
	struct stat st = {};

	if (stat(path.c_str(), &st) != 0)
		return std::nullopt;
	return fmt::format("file {} {} {}.{:09}", st.st_ino, st.st_size, st.st_mtim.tv_sec,
			   st.st_mtim.tv_nsec);
}

Result<std::optional<uint64_t>> first_content(const std::string &path)
{
	const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
	std::vector<char> bytes(piece);

	if (!fd)
		return errno_error("open", path, errno);
	for (auto at = next_data(fd.get(), 0); at; at = next_data(fd.get(), *at)) {
		const auto n = pread(fd.get(), bytes.data(), bytes.size(), *at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno_error("read", path, errno);
		if (n == 0)
			break;
		const auto end = bytes.begin() + n;
		const auto found = std::find_if(bytes.begin(), end, [](char c) { return c != 0; });
		if (found != end)
			return std::optional(static_cast<uint64_t>((*at + (found - bytes.begin())) /
								   page * page));
		*at += n;
	}
	return std::optional<uint64_t>();
}

} // namespace blkctl
