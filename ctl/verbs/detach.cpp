// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"

namespace blkctl::cli
{

namespace
{

Status run(const Arguments &args)
{
	return run_operation(args, volume::detach, [](const volume::Outcome &) -> std::string {
		return "detached; it is a plain device-mapper device again";
	});
}

const Register entry{Verb{
	.name = "detach",
	.group = Group::volumes,
	.rank = 3,
	.summary = "give an attached device back, with the table it had",
	.description =
		{"Undoes blkctl-attach(8) while the device stays in use. A volume with a job "
		 "is refused: finish the job first, with blkctl-pivot(8) or blkctl-abort(8).",
		 "A volume that was made by blkctl-create(8) has nothing to go back to; see "
		 "blkctl-remove(8)."},
	.positionals = {volume_positional()},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl detach /dev/vg0/data", "Gives the LV back to LVM."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli
