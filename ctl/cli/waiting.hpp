// SPDX-License-Identifier: GPL-2.0-or-later
// Waiting for a job with its progress on the screen, for every verb that may take long.
#ifndef BLKCTL_CLI_WAITING_HPP
#define BLKCTL_CLI_WAITING_HPP

#include "cli/arguments.hpp"
#include "cli/verb.hpp"
#include "job/job.hpp"
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::cli
{

// --wait, --no-wait and the rest of wait_options(); `wait` itself takes only the latter.
std::vector<Option> wait_choice_options();
std::vector<Option> wait_options();
// Of the former: a choice leaves some of them without a meaning.
std::vector<Rule> wait_choice_rules();

struct Waiting {
	std::string verb; // for the error
	bool wait = true;
	bool json = false;
	std::optional<std::chrono::milliseconds> timeout;
	std::chrono::milliseconds interval{};
	// What is left to copy at which a background copy turns dual; none: never.
	std::optional<std::chrono::milliseconds> downtime;
};

// --max-downtime, of the verbs that may pivot after the wait.
Option downtime_option();

// What the options ask for. Without --wait and --no-wait: on a terminal it waits, or when
// `must` says that there is work left for after the wait.
Waiting waiting_of(const Arguments &args, bool must);

// Until when a background copy stays one: --max-downtime, or a second if a pivot follows, or a
// steady writer keeps it from ever being ready.
std::optional<std::chrono::milliseconds> downtime_of(const Arguments &args, bool pivots);

// The options of this command that hold for the command that comes back to it, with a space each.
std::string options_again(const Arguments &args);

enum class Until { ready, gone };

/*
 * Waits, showing progress, and returns the job as it was last seen. Refuses with the library's
 * error (aborted, failed, timed out, ...), and with timed_out after Ctrl-C; `come_back` is the
 * command that takes the wait up again.
 */
job::Job wait_for(volume::Context &context, const volume::CopyId &copy, Until until,
		  const Waiting &waiting, const std::string &come_back);

} // namespace blkctl::cli

#endif
