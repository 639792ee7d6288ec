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
	auto outcome = take(volume::remove(host.context(), args.at(0), run_of(args)));
	report_outcome(args, outcome, "removed; the data stays on the device below");
	return Status::ok;
}

const Register entry{Verb{
	.name = "remove",
	.group = Group::volumes,
	.rank = 4,
	.summary = "take a created volume away; its device keeps the data",
	.description = {"Undoes blkctl-create(8). The volume must not be mounted or open, and must "
			"have no job.",
			"A volume that was made by blkctl-attach(8) is given back with "
			"blkctl-detach(8) instead."},
	.positionals = {volume_positional()},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl remove data", "Removes /dev/mapper/data."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli
