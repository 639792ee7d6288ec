// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"

namespace blkctl::cli
{

namespace
{

Status run(const Arguments &args)
{
	auto host = take(volume::Host::open());
	auto outcome = take(volume::pause(host.context(), args.at(0), run_of(args)));
	report_outcome(args, outcome,
		       "the copy is paused; go on with: blkctl resume " + outcome.name);
	return Status::ok;
}

const Register entry{Verb{
	.name = "pause",
	.group = Group::copy,
	.rank = 4,
	.summary = "hold a copy",
	.description =
		{"No more blocks are copied until blkctl-resume(8). The volume itself is not "
		 "held: reads and writes go on, and writes to blocks that are on both devices "
		 "still go to both (unless the copy is in background mode)."},
	.positionals = {volume_positional()},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl pause data", "Leaves the disks alone for a while."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli
