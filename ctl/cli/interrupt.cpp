// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/interrupt.hpp"
#include <array>

namespace blkctl::cli
{

namespace
{

constexpr std::array<int, 3> watched{SIGINT, SIGTERM, SIGHUP};

// A handler can reach nothing but a static object.
volatile std::sig_atomic_t arrived = 0;

void note(int)
{
	arrived = 1;
}

} // namespace

Interrupt::Interrupt()
{
	sigset_t held;

	arrived = 0;
	sigemptyset(&held);
	for (int signal : watched)
		sigaddset(&held, signal);
	sigprocmask(SIG_BLOCK, &held, &mask_before_);
	struct sigaction action = {};
	action.sa_handler = note;
	for (size_t i = 0; i < watched.size(); ++i)
		sigaction(watched.at(i), &action, &before_[i]);
}

Interrupt::~Interrupt()
{
	// What is pending ends the wait that has ended anyway, not the process.
	sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
	for (size_t i = 0; i < watched.size(); ++i)
		sigaction(watched.at(i), &before_[i], nullptr);
}

bool Interrupt::came() const
{
	sigset_t pending;

	if (arrived != 0)
		return true;
	// Of work that has no wait in which it could come through.
	sigpending(&pending);
	for (int signal : watched)
		if (sigismember(&pending, signal) == 1)
			return true;
	return false;
}

} // namespace blkctl::cli
