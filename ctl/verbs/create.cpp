// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_create
{

namespace
{

Status run_from(const Arguments &args)
{
	volume::CreateFromRequest request;
	request.name = args.at(0);
	request.device = args.at(1);
	request.base = *args.value("from");
	request.metadata = args.value("metadata").value_or("");
	request.block_sectors = block_sectors_of(args);
	request.copy_on_read = args.flag("copy-on-read");
	request.no_hydrate = args.flag("no-hydrate");
	request.force = args.flag("force");
	request.boot = !args.flag("no-boot");
	auto host = take(volume::Host::open());
	auto outcome = take(volume::create_from(host.context(), request, run_of(args)));
	report_outcome(
		args, outcome,
		fmt::format("created; {} is filled from {}; to finish that: blkctl stream {}",
			    request.device, request.base, outcome.name));
	return Status::ok;
}

Status run(const Arguments &args)
{
	if (args.value("from") && args.flag("boot"))
		bad_usage("--boot goes without --from: that comes back unless --no-boot is given");
	if (args.value("from"))
		return run_from(args);
	for (const char *option : {"metadata", "copy-on-read", "no-hydrate", "force", "no-boot"})
		if (args.value(option) || args.flag(option))
			bad_usage(fmt::format("--{} goes with --from", option));
	volume::CreateRequest request;
	request.name = args.at(0);
	request.device = args.at(1);
	request.block_sectors = block_sectors_of(args);
	request.boot = args.flag("boot");
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
		 "The volume lives in the kernel only. With --boot it is written down in "
		 "/etc/blkctltab and comes back at boot, before /etc/fstab is mounted; without, "
		 "create it again before what is on it is mounted.",
		 "A device that is mounted, or used as swap, or held by another device is refused. "
		 "A "
		 "live LV or other device-mapper device can be taken over with blkctl-attach(8) "
		 "instead."},
	.positionals = {{.name = "NAME", .help = "what the volume will be called"},
			{.name = "DEVICE",
			 .help = "the block device the data is on, or will be",
			 .offer = Offer::block_device}},
	.options =
		{block_size_option(),
		 {.name = "from",
		  .value = "BASE",
		  .help = "the data is still on this device: /dev/mapper/NAME has it at once, and "
			  "DEVICE is filled from BASE, which is only read; what was on DEVICE is "
			  "lost",
		  .words = {},
		  .offer = Offer::block_device},
		 metadata_option(),
		 {.name = "copy-on-read",
		  .value = "",
		  .help = "with --from: keep on DEVICE what a read has brought from BASE"},
		 {.name = "no-hydrate",
		  .value = "",
		  .help = "with --from: fill nothing in the background until blkctl resume"},
		 {.name = "force",
		  .value = "",
		  .help = "with --from: overwrite a DEVICE that carries a signature"},
		 {.name = "boot",
		  .value = "",
		  .help = "write in /etc/blkctltab that it comes back at boot; with --from that is "
			  "done anyway"},
		 no_boot_option(),
		 dry_run_option(),
		 json_option()},
	.examples = {{"blkctl create data /dev/vdc --from /dev/nbd0",
		      "Uses what is on /dev/nbd0 at once, and brings it to /dev/vdc meanwhile."},
		     {"blkctl create data /dev/vdb", "Makes /dev/mapper/data over /dev/vdb."},
		     {"blkctl create data /dev/vdb --boot", "The same, and again at every boot."},
		     {"blkctl create data /dev/vdb --dry-run", "Only says what would be done."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_create
