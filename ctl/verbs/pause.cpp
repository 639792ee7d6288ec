// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"

namespace blkctl::cli::verb_pause
{

namespace
{

Status run(const Arguments &args)
{
	return run_operation(
		args, volume::pause, [](const volume::Outcome &outcome) -> std::string {
			return "the copy is paused; go on with: blkctl resume " + outcome.name;
		});
}

const Register entry{Verb{
	.name = "pause",
	.group = Group::copy,
	.rank = 4,
	.summary = "hold a copy",
	.description =
		{"No more blocks are copied until blkctl-resume(8). The volume itself is not "
		 "held: reads and writes go on, and writes to blocks that are on both devices "
		 "still go to both (unless the copy is in background mode). A copy that comes back "
		 "at boot comes back paused.",
		 "Of a volume that has a view, or a backup, it holds the --fill of that, see "
		 "blkctl-view(8). What is about to be overwritten goes to the store all the same, "
		 "and without --fill there is nothing to hold. One that comes back at boot comes "
		 "back without it."},
	.positionals = {volume_positional()},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl pause data", "Leaves the disks alone for a while."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_pause
