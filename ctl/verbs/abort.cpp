// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"

namespace blkctl::cli::verb_abort
{

namespace
{

Status run(const Arguments &args)
{
	return run_operation(args, volume::abort, [](const volume::Outcome &) -> std::string {
		return "the copy is ended; the volume is on its source, the target is free";
	});
}

const Register entry{Verb{
	.name = "abort",
	.group = Group::copy,
	.rank = 3,
	.summary = "end a copy and stay on the source",
	.description =
		{"Ends a copy at any point before the pivot. The volume goes on as it was; "
		 "what is on the target so far is of no use. Also clears a copy that failed.",
		 "Writes go to the source alone at once. What is on its way to the target still "
		 "has "
		 "to be answered: a target that hangs is waited for ten seconds, while the volume "
		 "goes on; then the status is 7, and the same command clears the rest away once "
		 "the target answers or is gone."},
	.positionals = {volume_positional()},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl abort data", "Gives the copy up and frees its target."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_abort
