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

class Showing
{
      public:
	explicit Showing(const Arguments &args);

	std::chrono::milliseconds interval() const { return interval_; }
	// `stage`: "copying", "verifying".
	void show(const std::string &name, const std::string &stage, const job::Job &job,
		  const job::Meter &meter);
	void clear() { line_.clear(); }

      private:
	bool json_;
	std::chrono::milliseconds interval_;
	StatusLine line_;
};

} // namespace blkctl::cli

#endif
