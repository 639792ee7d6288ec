// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli
{

namespace
{

Status run(const Arguments &args)
{
	volume::CreateRequest request;
	request.name = args.at(0);
	request.device = args.at(1);
	request.block_sectors = block_sectors_of(args);
	auto host = take(volume::Host::open());
	auto outcome = take(volume::create(host.context(), request, run_of(args)));
	report_outcome(args, outcome,
		       fmt::format("created over {}; use /dev/mapper/{} in its place from now on",
				   request.device, outcome.name));
	return Status::ok;
}

const Register entry{Verb{
	.name = "create",
	.group = Group::volumes,
	.rank = 1,
	.summary = "make a volume over a device that is not in use",
	.description =
		{"Makes the device /dev/mapper/NAME, as long as DEVICE and with the same data: "
		 "what "
		 "is on DEVICE stays. Mount or use /dev/mapper/NAME in its place; it can then be "
		 "copied elsewhere at any time without being unmounted.",
		 "The volume lives in the kernel only. After a boot, create it again before what "
		 "is "
		 "on it is mounted.",
		 "A device that is mounted, or used as swap, or held by another device is refused. "
		 "A "
		 "live LV or other device-mapper device can be taken over with blkctl-attach(8) "
		 "instead."},
	.positionals = {{.name = "NAME", .help = "what the volume will be called"},
			{.name = "DEVICE",
			 .help = "the block device the data is on, or will be",
			 .offer = Offer::block_device}},
	.options = {block_size_option(), dry_run_option(), json_option()},
	.examples = {{"blkctl create data /dev/vdb", "Makes /dev/mapper/data over /dev/vdb."},
		     {"blkctl create data /dev/vdb --dry-run", "Only says what would be done."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli
