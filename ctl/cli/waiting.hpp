// SPDX-License-Identifier: GPL-2.0-or-later
// Waiting for a job with its progress on the screen, for every verb that may take long.
#ifndef BLKCTL_CLI_WAITING_HPP
#define BLKCTL_CLI_WAITING_HPP

#include "cli/arguments.hpp"
#include "cli/verb.hpp"
#include "job/job.hpp"
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::cli
{

// --wait, --no-wait and the rest of wait_options(); `wait` itself takes only the latter.
std::vector<Option> wait_choice_options();
std::vector<Option> wait_options();

struct Waiting {
	std::string verb; // for the error
	bool wait = true;
	bool json = false;
	std::optional<std::chrono::milliseconds> timeout;
	std::chrono::milliseconds interval{};
};

// What the options ask for. Without --wait and --no-wait: on a terminal it waits, or when
// `must` says that there is work left for after the wait.
Waiting waiting_of(const Arguments &args, bool must);

enum class Until { ready, gone };

using Progress = std::function<void(const volume::Volume &, const job::Job &, const job::Meter &)>;

/*
 * Waits, showing progress, and returns the job as it was last seen. Refuses with the library's
 * error (aborted, failed, timed out, ...), and with timed_out after Ctrl-C; `come_back` is the
 * command that takes the wait up again. `also` is called with every progress, after it is shown.
 */
job::Job wait_for(volume::Context &context, const volume::CopyId &copy, Until until,
		  const Waiting &waiting, const std::string &come_back,
		  const Progress &also = nullptr);

} // namespace blkctl::cli

#endif
