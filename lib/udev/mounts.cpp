// SPDX-License-Identifier: GPL-2.0-or-later
#include "udev/mounts.hpp"

namespace blkctl::udev
{

namespace
{

bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

// procfs writes blanks and backslashes as \ooo.
std::string unescape(std::string_view text)
{
	std::string plain;

	for (size_t i = 0; i < text.size(); i++) {
		if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
		    is_octal(text[i + 2]) && is_octal(text[i + 3])) {
			plain += static_cast<char>((text[i + 1] - '0') * 64 +
						   (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
			i += 3;
		} else {
			plain += text[i];
		}
	}
	return plain;
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
	std::vector<std::string_view> parts;

	while (!text.empty()) {
		const auto end = std::min(text.find(separator), text.size());
		if (end > 0)
			parts.push_back(text.substr(0, end));
		text.remove_prefix(std::min(end + 1, text.size()));
	}
	return parts;
}

} // namespace

// "36 35 98:0 /root /mnt/point rw,noatime master:1 - ext3 /dev/root rw"
std::vector<Mount> parse_mountinfo(std::string_view text)
{
	std::vector<Mount> mounts;

	for (const auto line : split(text, '\n')) {
		const auto words = split(line, ' ');
		size_t dash = 6;
		while (dash < words.size() && words[dash] != "-")
			dash++;
		if (dash + 2 >= words.size())
			continue;
		mounts.push_back({parse_devno(words[2]), unescape(words[dash + 2]),
				  unescape(words[4]), std::string(words[dash + 1])});
	}
	return mounts;
}

const Mount *mount_of(const std::vector<Mount> &mounts, std::string_view path)
{
	const Mount *found = nullptr;

	for (const auto &mount : mounts) {
		const std::string_view point = mount.point;
		const bool is_on = point == "/" ||
				   (path.starts_with(point) &&
				    (path.size() == point.size() || path[point.size()] == '/'));
		// Of two at one point the later one is what is seen there.
		if (is_on && (!found || point.size() >= found->point.size()))
			found = &mount;
	}
	return found;
}

// "nodev\ttmpfs", or "\text4"; of "fuse.sshfs" only "fuse" is listed.
bool is_on_devices(std::string_view filesystems, std::string_view type)
{
	type = type.substr(0, type.find('.'));
	for (const auto line : split(filesystems, '\n'))
		if (line.starts_with('\t') && line.substr(1) == type)
			return true;
	return false;
}

// "Filename Type Size Used Priority", then one line an area.
std::vector<std::string> parse_swaps(std::string_view text)
{
	std::vector<std::string> paths;

	for (const auto line : split(text, '\n'))
		if (line.starts_with('/'))
			paths.push_back(unescape(line.substr(0, line.find_first_of(" \t"))));
	return paths;
}

} // namespace blkctl::udev
