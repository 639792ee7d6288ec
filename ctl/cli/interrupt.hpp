// SPDX-License-Identifier: GPL-2.0-or-later
// Ctrl-C while waiting: it ends the wait, not the job. Only waits install this; a change in the
// kernel is cut by a signal like by any other end of the process, which the library allows for.
#ifndef BLKCTL_CLI_INTERRUPT_HPP
#define BLKCTL_CLI_INTERRUPT_HPP

#include <csignal>

namespace blkctl::cli
{

class Interrupt
{
      public:
	// From here SIGINT, SIGTERM and SIGHUP only end a wait for events, and come through in it
	// alone: one that arrives between a look at came() and the wait is not lost.
	Interrupt();
	~Interrupt();
	Interrupt(const Interrupt &) = delete;
	Interrupt &operator=(const Interrupt &) = delete;

	bool came() const;

      private:
	struct sigaction before_[3];
	sigset_t mask_before_;
};

} // namespace blkctl::cli

#endif
