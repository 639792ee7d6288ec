// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/error.hpp"
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace blkctl
{

std::string Error::message() const
{
	std::string text = what.empty() ? "blkctl" : what;
	if (!device.empty())
		text += " " + device;
	text += ": " + (why.empty() ? std::string("failed") : why);
	if (!next.empty())
		text += " (try: " + next + ")";
	for (auto &c : text)
		if (c == '\n')
			c = ' ';
	return text;
}

void throw_exception_from_error(const Error &error, const boost::source_location &where)
{
	std::fprintf(stderr, "bug: %s:%u: value() of an error: %s\n", where.file_name(),
		     static_cast<unsigned>(where.line()), error.message().c_str());
	std::abort();
}

Error errno_error(std::string what, std::string device, int err)
{
	Error error{.what = std::move(what), .device = std::move(device), .sys_errno = err};
	error.why = std::generic_category().message(err);
	if (err == EPERM || err == EACCES) {
		error.why += "; this needs root";
		error.next = "run it as root";
	} else if (err == EBUSY) {
		error.status = Status::busy;
	} else if (err == ENXIO || err == ENODEV || err == ENOENT) {
		error.status = Status::not_found;
	} else if (err == ETIME || err == ETIMEDOUT) {
		error.status = Status::timed_out;
	}
	return error;
}

} // namespace blkctl
