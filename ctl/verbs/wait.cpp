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

void say_ready(const std::string &name, table::Mode mode, const job::Job &job)
{
	bool merges = mode == table::Mode::stream || mode == table::Mode::commit;
	if (job.state == job::State::none)
		say(fmt::format("{}: the job is over", name));
	else if (merges)
		say(fmt::format("{}: all of it is on one device; finish it with: blkctl {} {}",
				name, table::word(mode), name));
	else if (job.state == job::State::pivoted)
		say(fmt::format("{}: the pivot is not finished yet; finish it with: blkctl pivot "
				"{}",
				name, name));
	else
		say(fmt::format("{}: ready, every block is on both devices; next: blkctl pivot {}, "
				"or blkctl abort {}",
				name, name, name));
}

Status run(const Arguments &args)
{
	bool pivot = args.flag("pivot");
	Waiting waiting = waiting_of(args, true);
	waiting.downtime = downtime_of(args, pivot);
	bool gone = args.value("for").value_or("ready") == "end";
	if (pivot && gone)
		bad_usage("--pivot ends the job by itself; leave --for out");
	auto host = take(volume::Host::open());
	auto &context = host.context();
	const std::string &name = args.at(0);
	auto copy = pivot ? check_pivot(context, name, args)
			  : volume::copy_id(take(volume::find(context, name)));

	std::string again = "blkctl wait " + name + options_again(args);
	if (gone)
		again += " --for end";
	Start since = std::chrono::steady_clock::now();
	auto job = wait_for(context, copy, gone ? Until::gone : Until::ready, waiting, again);
	if (pivot && job.state != job::State::none)
		pivot_now(context, args, copy, since);
	else if (!waiting.json)
		say_ready(name, copy.mode, job);
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
			"how it ended, as \"blkctl help\" has it."},
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
	.examples = {{"blkctl wait data", "Shows progress until the copy is ready."},
		     {"blkctl wait data --pivot", "The same, and then pivots."},
		     {"blkctl wait data --timeout 10m || blkctl abort data",
		      "Gives a copy ten minutes more."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_wait
