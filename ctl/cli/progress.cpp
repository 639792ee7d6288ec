// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/progress.hpp"
#include "base/size.hpp"
#include <cmath>
#include <fmt/format.h>

namespace blkctl::cli
{

std::string percent_text(double percent)
{
	return fmt::format("{:.1f}%", std::floor(percent * 10) / 10);
}

std::string clock_text(std::chrono::seconds time)
{
	auto seconds = time.count();
	auto hours = seconds / 3600;
	auto minutes = seconds / 60 % 60;
	if (hours != 0)
		return fmt::format("{}:{:02}:{:02}", hours, minutes, seconds % 60);
	return fmt::format("{}:{:02}", minutes, seconds % 60);
}

std::string span_text(std::chrono::milliseconds time)
{
	double seconds = static_cast<double>(time.count()) / 1000;
	if (seconds < 10)
		return fmt::format("{:.2f} s", seconds);
	if (seconds < 60)
		return fmt::format("{:.1f} s", seconds);
	return format_duration(static_cast<uint64_t>(time.count()) / 1000);
}

std::string stall_text(double ms)
{
	if (ms < 1)
		return fmt::format("{:.2f} ms", ms);
	if (ms < 1000)
		return fmt::format("{:.1f} ms", ms);
	return fmt::format("{:.2f} s", ms / 1000);
}

std::string progress_line(std::string_view name, const job::Job &job, const job::Meter &meter)
{
	if (job.state == job::State::none)
		return fmt::format("{}: no job", name);
	std::string line = fmt::format("{}: {} {}, {} of {}", name, job::word(job.state),
				       percent_text(job.percent()), format_size(job.done_bytes),
				       format_size(job.total_bytes));
	if (job.state != job::State::copying)
		return line;
	// Before there are two samples the kernel's own figure is the better one.
	double rate = meter.bytes_per_second();
	line += ", " + format_rate(rate > 0 ? rate : static_cast<double>(job.rate_bytes));
	if (auto left = meter.left())
		return line + ", ETA " + clock_text(*left);
	return line + ", ETA unknown";
}

} // namespace blkctl::cli
