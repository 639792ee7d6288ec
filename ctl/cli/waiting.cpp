// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/waiting.hpp"
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/interrupt.hpp"
#include "cli/pace.hpp"
#include "cli/progress.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "job/catch_up.hpp"
#include "report/report.hpp"
#include <fmt/format.h>

namespace blkctl::cli
{

namespace
{

constexpr std::chrono::milliseconds default_downtime{1000};

class Screen
{
      public:
	explicit Screen(const Waiting &waiting) : json_(waiting.json) {}

	void show(const volume::Volume &volume, const job::Job &job, const job::Meter &meter)
	{
		if (json_)
			tell(report::json_progress(volume, job, meter));
		else if (on_terminal())
			line_.show(progress_line(volume.name(), job, meter));
		else
			tell(progress_line(volume.name(), job, meter));
	}
	void clear() { line_.clear(); }

      private:
	bool json_;
	StatusLine line_;
};

Error left_error(const std::string &name, const std::string &come_back)
{
	Error error;
	error.status = Status::timed_out;
	error.device = name;
	error.why = "left; the job goes on in the kernel";
	error.next = come_back;
	return error;
}

} // namespace

std::vector<Option> wait_options()
{
	return {
		{.name = "timeout",
		 .value = "TIME",
		 .help = "stop waiting after so long (30, 500ms, 5m, 2h), with status 7; the job "
			 "goes on"},
		interval_option(),
	};
}

std::vector<Option> wait_choice_options()
{
	std::vector<Option> all{
		{.name = "wait",
		 .value = "",
		 .help = "stay until it is done, showing progress: the default on a terminal, and "
			 "with --timeout or --interval"},
		{.name = "no-wait",
		 .value = "",
		 .help = "return once it runs: the default otherwise"},
	};
	for (Option &option : wait_options())
		all.push_back(std::move(option));
	return all;
}

std::vector<Rule> wait_choice_rules()
{
	return {{.options = {"wait", "timeout", "interval"}, .excludes = {"no-wait"}}};
}

Option downtime_option()
{
	return {.name = "max-downtime",
		.value = "MS",
		.help = "turn a background copy to dual once what is left takes at most this many "
			"milliseconds (or 500ms, 2s) to copy, so that a steady writer cannot keep "
			"it from ending; 1000 if not given and a pivot follows"};
}

std::optional<std::chrono::milliseconds> downtime_of(const Arguments &args, bool pivots)
{
	auto text = args.value("max-downtime");
	if (!text)
		return pivots ? std::optional(default_downtime) : std::nullopt;
	// Milliseconds where other times are seconds: so has the field, and its value's name.
	const bool bare = text->find_first_not_of("0123456789") == std::string::npos;
	std::optional<uint64_t> ms;
	if (bare)
		ms = parse_count(*text);
	else if (const auto time = parse_duration_ms(*text))
		ms = *time;
	if (!ms || *ms == 0)
		bad_usage(fmt::format("--max-downtime \"{}\": no time (milliseconds, or 500ms, 2s)",
				      *text));
	return std::chrono::milliseconds(*ms);
}

std::string options_again(const Arguments &args)
{
	std::string words;
	for (const char *flag : {"pivot", "until-reboot", "persist"})
		if (args.flag(flag))
			words += std::string(" --") + flag;
	if (auto text = args.value("max-downtime"))
		words += " --max-downtime " + *text;
	return words;
}

Waiting waiting_of(const Arguments &args, bool must)
{
	Waiting waiting;
	waiting.verb = args.verb().name;
	// Whoever says how long to wait, or how often to show something, wants to wait.
	for (const char *option : {"wait", "timeout", "interval"})
		must = must || args.given(option);
	waiting.wait = !args.flag("no-wait") && (must || on_terminal());
	waiting.json = args.flag("json");
	if (auto text = args.value("timeout"))
		waiting.timeout = std::chrono::milliseconds(
			take_value("timeout", *text, parse_duration_ms(*text)));
	waiting.interval = progress_interval(args);
	return waiting;
}

job::Job wait_for(volume::Context &context, const volume::CopyId &copy, Until until,
		  const Waiting &waiting, const std::string &come_back)
{
	Screen screen(waiting);
	Interrupt interrupt;
	job::WaitOptions options;
	options.timeout = waiting.timeout;
	options.interval = waiting.interval;
	options.on_progress = [&](const volume::Volume &volume, const job::Job &job,
				  const job::Meter &meter) {
		screen.show(volume, job, meter);
		if (!waiting.downtime)
			return;
		if (auto done = job::catch_up(context, volume, job, *waiting.downtime); !done)
			refuse(done.error());
	};
	options.cancelled = [&] { return interrupt.came(); };

	auto result = until == Until::ready ? job::wait_ready(context, copy, options)
					    : job::wait_gone(context, copy, options);
	screen.clear();
	if (!result) {
		Error error = result.error();
		error.what = waiting.verb;
		if (error.status == Status::timed_out)
			error.next = come_back;
		refuse(std::move(error));
	}
	if (result->cancelled)
		refuse(left_error(copy.name, come_back));
	return result->job;
}

} // namespace blkctl::cli
