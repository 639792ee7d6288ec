// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"

namespace blkctl::cli::verb_remove
{

namespace
{

Status run(const Arguments &args)
{
	return run_operation(args, volume::remove, [](const volume::Outcome &) -> std::string {
		return "removed; the data stays on the device below";
	});
}

const Register entry{Verb{
	.name = "remove",
	.group = Group::volumes,
	.rank = 4,
	.summary = "take a created volume away; its device keeps the data",
	.description =
		{"Undoes blkctl-create(8). The volume must not be mounted or open, and must "
		 "have no job.",
		 "A volume that was made by blkctl-attach(8) is given back with "
		 "blkctl-detach(8) instead.",
		 "A view, made by blkctl-view(8), is removed the same way: its store is free "
		 "then, and its volume goes on without one."},
	.positionals = {volume_positional()},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl remove data", "Removes /dev/mapper/data."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_remove
