// SPDX-License-Identifier: GPL-2.0-or-later
// Where the words go: a line that is rewritten on a terminal, lines anywhere
// else, JSON lines on demand. Errors always go to stderr.
#ifndef BLKCTL_CLI_TERMINAL_HPP
#define BLKCTL_CLI_TERMINAL_HPP

#include <string>
#include <string_view>

namespace blkctl::cli
{

/*
 * First thing of all: takes the place of standard streams that the caller has closed. The next
 * device that is opened would be one of them, and what is printed would be written to it. False:
 * it cannot be done.
 */
bool hold_standard_streams();

bool on_terminal();
// Columns of the terminal on stdout; 80 where there is none.
unsigned terminal_width();

// Text to stdout as it is: what was asked for. Refuses (failed) if it cannot be written.
void print_all(std::string_view text);

// One line to stdout or stderr, with its newline, flushed.
void say(std::string_view line);
void complain(std::string_view line);

/*
 * A line to stdout about work that is done, or under way: the work counts, and the status is its
 * own. That lines cannot be written is said once, on stderr.
 */
void tell(std::string_view line);

// The line a terminal shows while a job runs. Leaves nothing behind.
class StatusLine
{
      public:
	StatusLine() = default;
	~StatusLine() { clear(); }
	StatusLine(const StatusLine &) = delete;
	StatusLine &operator=(const StatusLine &) = delete;

	void show(std::string_view line);
	void clear();

      private:
	bool shown_ = false;
};

// Text cut to so many columns; what is cut off is marked.
std::string fit(std::string_view line, unsigned columns);

} // namespace blkctl::cli

#endif
