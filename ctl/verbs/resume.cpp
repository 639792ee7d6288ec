// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"

namespace blkctl::cli::verb_resume
{

namespace
{

Status run(const Arguments &args)
{
	return run_operation(
		args, volume::resume, [](const volume::Outcome &outcome) -> std::string {
			return "it goes on; follow it with: blkctl watch " + outcome.name;
		});
}

const Register entry{Verb{
	.name = "resume",
	.group = Group::copy,
	.rank = 5,
	.summary = "let a paused copy go on",
	.description =
		{"After blkctl-pause(8), and after an error policy stopped the copy: once the "
		 "cause is mended, what failed is tried again. Of a snapshot: writes that wait for "
		 "room in its store are tried at once.",
		 "Of a volume that has a view, or a backup: what its store has not taken is "
		 "written again, see --on-store-error of blkctl-view(8), and its --fill goes on, "
		 "or "
		 "begins. After an error of the store that takes the same blkctl view, or backup, "
		 "again, with --fill."},
	.positionals = {volume_positional()},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl resume data",
		      "The copy goes on where it was, or the store of its view is tried again."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_resume
