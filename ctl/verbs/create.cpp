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
	request.waits_for_space = waits_for_space(args);
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
	if (args.value("from"))
		return run_from(args);
	const auto metadata = args.value("metadata");
	const auto bitmaps = args.value("bitmaps");
	const auto segment = args.value("segment");
	volume::CreateRequest request;
	request.name = args.at(0);
	request.device = args.at(1);
	request.block_sectors = block_sectors_of(args);
	request.metadata = metadata.value_or("");
	if (bitmaps)
		request.bitmaps = bitmaps_of(*bitmaps);
	if (segment)
		request.segment_mib = segment_mib_of(*segment);
	// Bitmaps that survive a crash are of no use to a volume that does not.
	request.boot = args.flag("boot") || (metadata && !args.flag("no-boot"));
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
		 "Bitmaps of changed blocks, see blkctl-bitmap(8), are in memory. With --metadata "
		 "they are on that device, or in that file: they are right after a power cut too, "
		 "when they have more than has changed, but never less. Then the volume comes back "
		 "at boot unless --no-boot is given.",
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
		 {.name = "metadata",
		  .value = "META",
		  .help = "the device, or the file, for bitmaps that survive a crash; with --from "
			  "it remembers which blocks are where, and is a file in /var/lib/blkctl "
			  "if "
			  "not given",
		  .words = {},
		  .offer = Offer::block_device},
		 bitmaps_option(),
		 segment_option(),
		 {.name = "copy-on-read",
		  .value = "",
		  .help = "keep on DEVICE what a read has brought from BASE"},
		 {.name = "no-hydrate",
		  .value = "",
		  .help = "fill nothing in the background until blkctl resume"},
		 when_full_option(),
		 {.name = "force",
		  .value = "",
		  .help = "overwrite what is known to be on DEVICE: a signature, metadata, or a "
			  "volume that is not active"},
		 {.name = "boot",
		  .value = "",
		  .help = "write in /etc/blkctltab that it comes back at boot; with --from that is "
			  "done anyway"},
		 {.name = "no-boot",
		  .value = "",
		  .help = "write nothing in /etc/blkctltab, or, without --from, that it comes back "
			  "when it is named, by blkctl activate NAME"},
		 dry_run_option(),
		 json_option()},
	.rules = {{.options = {"boot"},
		   .excludes = {"from"},
		   .why = "that comes back unless --no-boot is given"},
		  {.options = {"boot"}, .excludes = {"no-boot"}},
		  {.options = {"no-boot"}, .needs = {"from", "metadata"}},
		  {.options = {"bitmaps", "segment"}, .needs = {"metadata"}, .excludes = {"from"}},
		  {.options = {"copy-on-read", "no-hydrate", "when-full", "force"},
		   .needs = {"from"}}},
	.examples = {{"blkctl create data /dev/vdc --from /dev/nbd0",
		      "Uses what is on /dev/nbd0 at once, and brings it to /dev/vdc meanwhile."},
		     {"blkctl create data /dev/vdb", "Makes /dev/mapper/data over /dev/vdb."},
		     {"blkctl create data /dev/vdb --boot", "The same, and again at every boot."},
		     {"blkctl create data /dev/vdb --metadata /var/lib/blkctl/data.bitmaps",
		      "The same, with bitmaps that survive a crash."},
		     {"blkctl create data /dev/vdb --dry-run", "Only says what would be done."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_create
