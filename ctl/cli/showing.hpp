// SPDX-License-Identifier: GPL-2.0-or-later
// The progress of what this process does by itself.
#ifndef BLKCTL_CLI_SHOWING_HPP
#define BLKCTL_CLI_SHOWING_HPP

#include "cli/arguments.hpp"
#include "cli/pace.hpp"
#include "cli/progress.hpp"
#include "cli/terminal.hpp"
#include "cli/verb.hpp"
#include "job/job.hpp"
#include <chrono>
#include <string>

namespace blkctl::cli
{

// --timeout of what goes on in this process alone. `then`: what the same command does after it.
Option end_option(const std::string &then);

class Showing
{
      public:
	explicit Showing(const Arguments &args);

	std::chrono::milliseconds interval() const { return pace_.interval; }
	// Whether the time of --timeout is up.
	bool over() const { return pace_.over(); }
	// `stage`: "copying", "verifying".
	void show(const std::string &name, const std::string &stage, const job::Job &job,
		  const job::Meter &meter);
	void clear() { line_.clear(); }

      private:
	bool json_;
	Pace pace_;
	StatusLine line_;
};

} // namespace blkctl::cli

#endif
