// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/terminal.hpp"

#include "cli/refusal.hpp"
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace blkctl::cli
{

namespace
{

// Whether all of it is where it goes; errno says why not.
bool put(std::FILE *to, std::string_view text)
{
	return std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0;
}

Error output_error(int err)
{
	auto error = errno_error("write to", "standard output", err);

	error.status = Status::failed;
	return error;
}

} // namespace

bool hold_standard_streams()
{
	// The lowest that is free is taken. Only to be read: what is printed fails, and is told.
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDONLY) != fd)
			return false;
	return true;
}

bool on_terminal()
{
	return isatty(STDOUT_FILENO) != 0;
}

unsigned terminal_width()
{
	// Asked for each time: a resized window is then right by the next line.
	winsize size{};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

void print_all(std::string_view text)
{
	if (!put(stdout, text))
		refuse(output_error(errno));
}

void say(std::string_view line)
{
	print_all(std::string(line) + "\n");
}

void tell(std::string_view line)
{
	const bool told_before = std::ferror(stdout) != 0;

	if (put(stdout, std::string(line) + "\n") || told_before)
		return;
	complain("blkctl: " + output_error(errno).message() +
		 "; the exit status is that of the work");
}

void complain(std::string_view line)
{
	put(stderr, std::string(line) + "\n");
}

void StatusLine::show(std::string_view line)
{
	// The last column stays free: writing it wraps on some terminals.
	put(stdout, "\r" + fit(line, terminal_width() - 1) + "\x1b[K");
	shown_ = true;
}

void StatusLine::clear()
{
	if (shown_)
		put(stdout, "\r\x1b[K");
	shown_ = false;
}

std::string fit(std::string_view line, unsigned columns)
{
	if (line.size() <= columns)
		return std::string(line);
	if (columns < 4)
		return std::string(line.substr(0, columns));
	return std::string(line.substr(0, columns - 3)) + "...";
}

} // namespace blkctl::cli
