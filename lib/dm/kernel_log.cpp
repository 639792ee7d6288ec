// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/kernel_log.hpp"
#include <cerrno>
#include <fcntl.h>

namespace blkctl::dm
{

KernelLog::KernelLog() : fd_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC))
{
	if (fd_)
		lseek(fd_.get(), 0, SEEK_END);
}

std::string KernelLog::reason()
{
	char buffer[8192];
	std::string last;

	while (fd_) {
		const auto n = read(fd_.get(), buffer, sizeof(buffer));
		if (n < 0 && errno != EPIPE && errno != EINTR)
			break;
		if (n <= 0)
			continue;
		auto reason = reason_in_record({buffer, static_cast<size_t>(n)});
		// "error adding target to table" follows the line that says why.
		if (!reason.empty() && reason.find("adding target to table") == std::string::npos)
			last = std::move(reason);
	}
	return last;
}

std::string reason_in_record(std::string_view record)
{
	const auto text_at = record.find(';');

	if (text_at == std::string_view::npos)
		return {};
	auto text = record.substr(text_at + 1);
	text = text.substr(0, text.find('\n'));
	for (const std::string_view prefix :
	     {"device-mapper: table: ", "device-mapper: ioctl: ", "device-mapper: blkcopy: "}) {
		if (!text.starts_with(prefix))
			continue;
		text.remove_prefix(prefix.size());
		// "253:0: blkcopy: REASON"; the number and the target are in our own line already.
		if (const auto at = text.find("blkcopy: "); at != std::string_view::npos)
			text.remove_prefix(at + 9);
		return std::string(text);
	}
	return {};
}

} // namespace blkctl::dm
