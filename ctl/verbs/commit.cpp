// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/merging.hpp"

namespace blkctl::cli
{

namespace
{

Status run(const Arguments &args)
{
	return run_merge(args, volume::commit, "merged; all of it is on the base again");
}

const Register entry{Verb{
	.name = "commit",
	.group = Group::snapshots,
	.rank = 2,
	.summary = "merge what was written since a snapshot down into the base",
	.description = {"The volume stays in use. When all is merged it is on the base alone, and "
			"the store "
			"is free; a metadata file in /var/lib/blkctl is removed.",
			"From the first merged block until the end the base alone is no image of "
			"anything: "
			"neither of the instant of the snapshot nor of now.",
			"The merge runs in the kernel. What was left with Ctrl-C or --no-wait is "
			"finished by "
			"the same command again."},
	.positionals = {volume_positional()},
	.options = merge_options(),
	.examples = {{"blkctl commit data", "Ends the snapshot and keeps what was written."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli
