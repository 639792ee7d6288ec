// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_deactivate
{

namespace
{

Status run(const Arguments &args)
{
	return run_operation(args, volume::deactivate, [](const volume::Outcome &outcome) {
		return fmt::format("not active any more; blkctl activate {} brings it back",
				   outcome.name);
	});
}

const Register entry{Verb{
	.name = "deactivate",
	.group = Group::volumes,
	.rank = 6,
	.summary = "take a volume away in good order; it can come back as it is",
	.description =
		{"Removes /dev/mapper/NAME and its layers. What was written is on its devices, its "
		 "metadata says where and is closed in good order, and /etc/blkctltab goes on "
		 "naming it: blkctl-activate(8), or the next boot, brings it back.",
		 "It must not be mounted or open. A copy whose state is in memory alone would be "
		 "lost and is refused; so is a volume that was made by blkctl-attach(8), whose "
		 "device is somebody else's."},
	.positionals = {volume_positional()},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl deactivate data", "Its devices are free then."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_deactivate
