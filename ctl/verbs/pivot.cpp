// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/pivoting.hpp"
#include "cli/refusal.hpp"
#include "cli/waiting.hpp"

namespace blkctl::cli::verb_pivot
{

namespace
{

Status run(const Arguments &args)
{
	bool wait = args.flag("wait") || args.value("timeout") || args.value("max-downtime");
	Waiting waiting = waiting_of(args, wait);
	waiting.downtime = downtime_of(args, wait);
	auto host = take(volume::Host::open());
	auto &context = host.context();
	const std::string &name = args.at(0);
	std::optional<Start> since;
	auto copy = volume::copy_id(take(volume::find(context, name)));
	if (wait) {
		check_pivot(context, name, args);
		std::string again = "blkctl pivot " + name + " --wait" + options_again(args);
		since = std::chrono::steady_clock::now();
		if (!args.flag("dry-run"))
			wait_for(context, copy, Until::ready, waiting, again);
	}
	pivot_now(context, args, copy, since);
	return Status::ok;
}

const Register entry{Verb{
	.name = "pivot",
	.group = Group::copy,
	.rank = 2,
	.summary = "finish a copy on its target; the source is free then",
	.description =
		{"The volume moves to the target of its copy, in use as it is: writes are held for "
		 "one flush of the target, and no longer. From then on the source is stale and may "
		 "be "
		 "taken out or overwritten.",
		 "The copy must be ready, with every block on both devices; otherwise the status "
		 "is 7 "
		 "and nothing is changed. With --wait it waits for that first.",
		 "The metadata of the volume group of an LV goes on naming the old place. With "
		 "--persist LVM is told to leave the LV to blkctl (lvchange "
		 "--setactivationskip y), "
		 "and /etc/blkctltab brings it back where it is; with --until-reboot the next "
		 "activation goes back to the old place. One of the two is needed."},
	.positionals = {volume_positional()},
	.options =
		join({{{.name = "wait",
			.value = "",
			.help = "wait until the copy is ready, showing progress, and then pivot"},
		       {.name = "no-wait",
			.value = "",
			.help = "refuse a copy that is not ready: so it is if not given"},
		       downtime_option(),
		       until_reboot_option(),
		       persist_option()},
		      wait_options(),
		      {dry_run_option(), json_option()}}),
	.rules = join_rules({{.options = {"max-downtime"}, .excludes = {"no-wait"}},
			     {.options = {"interval"},
			      .needs = {"wait", "timeout", "max-downtime"},
			      .why = "nothing is shown otherwise"}},
			    wait_choice_rules()),
	.examples = {{"blkctl pivot data", "Moves the volume to the target of its finished copy."},
		     {"blkctl pivot data --wait", "The same, as soon as the copy is ready."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_pivot
