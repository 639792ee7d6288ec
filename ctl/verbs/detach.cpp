// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"

namespace blkctl::cli::verb_detach
{

namespace
{

Status run(const Arguments &args)
{
	auto host = take(volume::Host::open());
	auto outcome = take(volume::detach(host.context(),
					   {.name = args.at(0), .to_copy = args.flag("to-copy")},
					   run_of(args)));
	report_outcome(args, outcome, "detached; it is a plain device-mapper device again");
	return Status::ok;
}

const Register entry{Verb{
	.name = "detach",
	.group = Group::volumes,
	.rank = 3,
	.summary = "give an attached device back, with the table it had",
	.description =
		{"Undoes blkctl-attach(8) while the device stays in use. A volume with a job "
		 "is refused: finish the job first, with blkctl-pivot(8) or blkctl-abort(8).",
		 "After a pivot the table it had leads to data that is stale: with --to-copy it "
		 "gets a linear table on the device it was moved to instead, without it is "
		 "refused. "
		 "LVM does not know of that place: the next lvchange(8), lvextend(8) or activation "
		 "of such an LV goes back to the stale data, as the next boot does.",
		 "A volume that was made by blkctl-create(8) has nothing to go back to; see "
		 "blkctl-remove(8)."},
	.positionals = {volume_positional()},
	.options = {{.name = "to-copy",
		     .value = "",
		     .help = "leave it where a pivot has moved it to"},
		    dry_run_option(),
		    json_option()},
	.examples = {{"blkctl detach /dev/vg0/data", "Gives the LV back to LVM."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_detach
