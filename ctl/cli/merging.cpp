// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/merging.hpp"
#include "cli/refusal.hpp"
#include "cli/waiting.hpp"

namespace blkctl::cli
{

Status run_merge(const Arguments &args, const Merge &operation, const std::string &option,
		 const std::string &said)
{
	auto waiting = waiting_of(args, false);
	auto host = take(volume::Host::open());
	auto &context = host.context();
	const std::string &name = args.at(0);
	auto again = "blkctl " + args.verb().name + " " + name + option;

	auto outcome = take(operation(context, name, run_of(args)));
	// Without a job that runs it was the end of one.
	if (args.flag("dry-run") || !outcome.copy) {
		report_outcome(args, outcome, said);
		return Status::ok;
	}
	if (!waiting.wait) {
		report_outcome(args, outcome, "it runs; to finish it: " + again);
		return Status::ok;
	}
	auto job = wait_for(context, *outcome.copy, Until::ready, waiting, again);
	if (job.state != job::State::none)
		outcome = take(operation(context, name, volume::Run::doit));
	report_outcome(args, outcome, said);
	return Status::ok;
}

std::vector<Option> merge_options()
{
	return join({wait_choice_options(), {dry_run_option(), json_option()}});
}

std::vector<Rule> merge_rules()
{
	return wait_choice_rules();
}

} // namespace blkctl::cli
