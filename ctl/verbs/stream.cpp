// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/merging.hpp"

namespace blkctl::cli::verb_stream
{

namespace
{

Status run(const Arguments &args)
{
	return run_merge(args, volume::stream, "", "filled; all of it is on its top now");
}

const Register entry{Verb{
	.name = "stream",
	.group = Group::snapshots,
	.rank = 3,
	.summary = "bring what is still in the base up, and let go of the base",
	.description =
		{"Of an overlay: copies to the store what was not written since the snapshot. Of a "
		 "volume made by \"blkctl create --from\": finishes that once it is filled. The "
		 "volume "
		 "stays in use, and is on the upper device alone then; the base is not written to "
		 "and "
		 "stays as it is. A metadata file in /var/lib/blkctl is removed.",
		 "The fill runs in the kernel. What was left with Ctrl-C or --no-wait is finished "
		 "by "
		 "the same command again."},
	.positionals = {volume_positional()},
	.options = merge_options(),
	.rules = merge_rules(),
	.examples = {{"blkctl stream data", "Makes the volume independent of its base."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_stream
