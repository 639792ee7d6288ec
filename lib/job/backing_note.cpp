// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/backing_note.hpp"
#include "base/files.hpp"
#include "base/paths.hpp"
#include "volume/operations.hpp"
#include "volume/steps.hpp"
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>

namespace blkctl::job
{

namespace
{

std::string size_and_time(const struct stat &st)
{
	return fmt::format("{} {}.{:09}", st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

// Whether QEMU reaches it by a protocol, not by a path.
bool is_address(const std::string &backing)
{
	return backing.find(':') < backing.find('/');
}

} // namespace

Result<std::vector<std::string>> chain_of(const std::string &verb, const std::string &image,
					  transport::Format format)
{
	std::vector<std::string> files{canonical_path(image)};
	std::filesystem::path path = image;

	while (format == transport::Format::qcow2) {
		BLKCTL_TRY(const auto info, transport::look_at_image(path.string(), format));
		if (!info.backing || is_address(info.backing->path))
			break;
		// As it was reached: a link's folder is not that of what it leads to.
		path = path.parent_path() / info.backing->path;
		format = info.backing->format;
		const auto next = canonical_path(path.string());
		if (std::find(files.begin(), files.end(), next) != files.end())
			return volume::refusal(Status::usage, verb, image,
					       "the chain below it has no end");
		files.push_back(next);
	}
	return files;
}

std::string over_of(const std::string &image)
{
	return image + ".over";
}

Result<void> note_over(const std::string &image, const std::string &backing)
{
	struct stat st = {};

	if (stat(backing.c_str(), &st) != 0)
		return errno_error("look at", backing, errno);
	return replace_file_durably(over_of(image), size_and_time(st) + "\n");
}

bool has_moved_on(const std::string &note, const std::string &backing)
{
	struct stat st = {};
	const auto then = read_line(note);

	if (!then || stat(backing.c_str(), &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	// A copy may be where times have whole seconds only.
	const auto coarse = then->substr(0, then->find('.')) + ".000000000";
	const auto now = size_and_time(st);
	return now != *then && now != coarse;
}

Result<void> check_not_moved_on(const std::string &verb, const std::vector<std::string> &files)
{
	for (size_t i = 0; i + 1 < files.size(); i++) {
		const auto note = over_of(files[i]);
		if (has_moved_on(note, files[i + 1]))
			return volume::refusal(
				Status::failed, verb, files[i],
				"it is over " + files[i + 1] +
					", which has been written to since: of no one "
					"instant",
				"that image as it was; or rm " + note +
					", to take it all the same");
	}
	return {};
}

} // namespace blkctl::job
