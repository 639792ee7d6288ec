// SPDX-License-Identifier: GPL-2.0-or-later
// Another program, run as a child that does not outlive us. Internal to the library.
#ifndef BLKCTL_BASE_CHILD_HPP
#define BLKCTL_BASE_CHILD_HPP

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace blkctl
{

// What is run. No shell is involved.
struct Program {
	std::vector<std::string> words = {}; // its name, looked up in PATH, and its arguments
	std::string package = {};            // where Debian has it
	std::vector<int> pass = {};          // descriptors that it has as 3, 4, ...
	bool socket_activation = false;      // they listen, which it is told as systemd would
};

class Child
{
      public:
	/*
	 * Starts it with nothing on its input, what it says kept, no signal blocked and the
	 * terminal's signals not its own: whoever has started it decides when it ends. It gets
	 * SIGTERM when the thread that has started it ends. Errors: failed (also: there is no such
	 * program, naming its package).
	 */
	static Result<Child> start(const Program &program);
	Child(Child &&other) noexcept;
	Child &operator=(Child &&) = delete;
	~Child(); // of one that was not waited for: terminated, and killed if that does not help

	pid_t pid() const { return pid_; }
	// Readable once it has ended.
	int ended_fd() const { return ended_.get(); }

	// Asks it to end.
	void terminate();
	/*
	 * Waits for its end, which is to be exit status 0. Errors: failed (another end; the reason
	 * is what it has said), timed_out, after it was killed.
	 */
	Result<void> finish(std::chrono::milliseconds patience);

	// The error of something that did not work as the child has ended, or may just be about
	// to: the reason is what it says, or `why` if it says nothing.
	Error error(const std::string &what, const std::string &device, const std::string &why);

	std::string output() const;
	std::string complaint() const; // its last words on stderr, in one line

      private:
	Child() = default;
	bool wait(std::chrono::milliseconds patience);
	void kill_now();

	std::string name_;
	pid_t pid_ = -1; // -1: reaped
	int status_ = 0;
	UniqueFd ended_, output_, complaints_;
};

// Runs it to its end. What it has printed; errors: as start() and finish().
Result<std::string> run_program(const Program &program, std::chrono::milliseconds patience);

} // namespace blkctl

#endif
