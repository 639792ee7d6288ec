// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/showing.hpp"
#include "base/size.hpp"
#include "cli/pace.hpp"
#include <boost/json.hpp>
#include <fmt/format.h>

namespace blkctl::cli
{

namespace
{

std::string json_line(const std::string &name, const std::string &stage, const job::Job &job,
		      const job::Meter &meter)
{
	boost::json::object object{{"schema", 1},
				   {"event", "progress"},
				   {"name", name},
				   {"state", stage},
				   {"percent", job.percent()},
				   {"done_bytes", job.done_bytes},
				   {"total_bytes", job.total_bytes},
				   {"rate_bytes", static_cast<uint64_t>(meter.bytes_per_second())}};
	if (auto left = meter.left())
		object["eta_seconds"] = left->count();
	return boost::json::serialize(object);
}

} // namespace

Option end_option(const std::string &then)
{
	return {.name = "timeout",
		.value = "TIME",
		.help = "end after so long (30, 500ms, 5m, 2h), with status 7, as by Ctrl-C; " +
			then};
}

Showing::Showing(const Arguments &args)
	: json_(args.flag("json")), pace_(pace_of(args, progress_interval(args)))
{
}

void Showing::show(const std::string &name, const std::string &stage, const job::Job &job,
		   const job::Meter &meter)
{
	if (json_) {
		tell(json_line(name, stage, job, meter));
		return;
	}
	auto line = fmt::format("{}: {} {}, {} of {}", name, stage, percent_text(job.percent()),
				format_size(job.done_bytes), format_size(job.total_bytes));
	if (meter.bytes_per_second() > 0)
		line += ", " + format_rate(meter.bytes_per_second());
	if (auto left = meter.left())
		line += ", ETA " + clock_text(*left);
	if (on_terminal())
		line_.show(line);
	else
		tell(line);
}

} // namespace blkctl::cli
