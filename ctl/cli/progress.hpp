// SPDX-License-Identifier: GPL-2.0-or-later
// A job in one line: the phase, how far, how fast, how long still.
#ifndef BLKCTL_CLI_PROGRESS_HPP
#define BLKCTL_CLI_PROGRESS_HPP

#include "job/job.hpp"
#include <chrono>
#include <string>
#include <string_view>

namespace blkctl::cli
{

// Cut, not rounded: 100.0% only when nothing is left.
std::string percent_text(double percent);

// "0:07", "12:44", "3:05:09".
std::string clock_text(std::chrono::seconds time);

// "0.84 s", "12.3 s", "2m05s".
std::string span_text(std::chrono::milliseconds time);

// "3.2 ms", "0.41 ms".
std::string stall_text(double ms);

// "data: copying 37.1%, 47.50 MiB of 128.00 MiB, 21.0 MiB/s, ETA 0:04"
std::string progress_line(std::string_view name, const job::Job &job, const job::Meter &meter);

} // namespace blkctl::cli

#endif
