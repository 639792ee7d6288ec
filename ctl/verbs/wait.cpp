// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/pivoting.hpp"
#include "cli/progress.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "cli/waiting.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_wait
{

namespace
{

void say_ready(const std::string &name, const job::Found &found, const job::Job &job)
{
	const auto mode = found.copy.mode;
	const auto option = found.layer ? fmt::format(" --layer {}", found.layer) : "";
	bool merges = mode == table::Mode::stream || mode == table::Mode::commit;
	if (job.state == job::State::none)
		tell(fmt::format("{}: the job is over", name));
	else if (merges)
		tell(fmt::format("{}: all of it is on one device; finish it with: blkctl {} {}{}",
				 name, table::word(mode), name, option));
	else if (job.state == job::State::pivoted)
		tell(fmt::format("{}: the pivot is not finished yet; finish it with: blkctl pivot "
				 "{}",
				 name, name));
	else
		tell(fmt::format(
			"{}: ready, every block is on both devices; next: blkctl pivot {}, "
			"or blkctl abort {}",
			name, name, name));
}

Status run(const Arguments &args)
{
	bool pivot = args.flag("pivot");
	Waiting waiting = waiting_of(args, true);
	waiting.downtime = downtime_of(args, pivot);
	bool gone = args.value("for").value_or("ready") == "end";
	auto host = take(volume::Host::open());
	auto &context = host.context();
	const std::string &name = args.at(0);
	auto job = job::find_job(context, name);
	if (pivot && !job && job.error().status == Status::not_found &&
	    finish_pivot(context, args, name))
		return Status::ok;
	const auto found = take(std::move(job));
	const auto &copy = found.copy;
	for (const char *option : {"pivot", "max-downtime"})
		if (args.given(option) && copy.mode != table::Mode::mirror)
			bad_usage(fmt::format("--{} is for a copy, and its job is a {}", option,
					      table::word(copy.mode)),
				  "blkctl wait " + name);
	if (pivot)
		check_pivot(context, name, args);

	std::string again = "blkctl wait " + name + options_again(args);
	if (gone)
		again += " --for end";
	Start since = std::chrono::steady_clock::now();
	const auto ended =
		wait_for(context, copy, gone ? Until::gone : Until::ready, waiting, again);
	if (pivot && ended.state != job::State::none)
		pivot_now(context, args, copy, since);
	else if (!waiting.json)
		say_ready(name, found, ended);
	return Status::ok;
}

const Register entry{Verb{
	.name = "wait",
	.group = Group::look,
	.rank = 3,
	.summary = "wait for a job, showing its progress",
	.description = {"Comes back to a job that goes on in the kernel: one that was left with "
			"Ctrl-C, or "
			"started with --no-wait, or by somebody else. Returns when the copy is "
			"ready to be "
			"pivoted, or, with --for end, when the volume has no job any more. The "
			"status says "
			"how it ended, as \"blkctl help\" has it.",
			"A volume that has no job to begin with is status 3: so is one with a "
			"snapshot, or with a view, which last until somebody ends them."},
	.positionals = {volume_positional()},
	.options = join({{{.name = "for",
			   .value = "WHAT",
			   .help = "what to wait for: ready if not given",
			   .words = {"ready", "end"}},
			  {.name = "pivot",
			   .value = "",
			   .help = "when the copy is ready, finish it on its target"},
			  downtime_option(),
			  until_reboot_option(),
			  persist_option()},
			 wait_options(),
			 {json_option()}}),
	.rules = {{.options = {"until-reboot", "persist"}, .needs = {"pivot"}},
		  {.options = {"pivot"},
		   .excludes = {"for end"},
		   .why = "it ends the job by itself"}},
	.examples = {{"blkctl wait data", "Shows progress until the copy is ready."},
		     {"blkctl wait data --pivot", "The same, and then pivots."},
		     {"blkctl wait data --timeout 10m || blkctl abort data",
		      "Gives a copy ten minutes more."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_wait
