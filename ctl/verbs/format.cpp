// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/metadata.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_format
{

namespace
{

uint64_t sectors_of(const std::string &text)
{
	auto bytes = take_value("size", text, parse_size(text));
	if (bytes == 0 || bytes % 512 != 0)
		bad_usage(
			fmt::format("--size \"{}\": not a whole number of 512-byte sectors", text));
	return bytes / 512;
}

Status run(const Arguments &args)
{
	volume::FormatRequest request;
	request.meta = args.at(0);
	if (auto size = args.value("size"))
		request.sectors = sectors_of(*size);
	if (auto size = args.value("segment"))
		request.segment_mib = segment_mib_of(*size);
	request.base = args.value("base").value_or("");
	request.top = args.value("top").value_or("");
	request.name = args.value("name").value_or("");
	request.mode = *meta::mode_from(args.value("mode").value_or("overlay"));
	if (auto number = args.value("bitmaps"))
		request.bitmaps = bitmaps_of(*number);
	request.block_sectors = block_sectors_of(args);
	request.force = args.flag("force");
	auto host = open_offline();
	auto outcome = take(volume::format(host.offline(), request, run_of(args)));
	report_outcome(args, outcome, "formatted");
	return Status::ok;
}

const Register entry{Verb{
	.name = "format",
	.group = Group::metadata,
	.rank = 1,
	.summary = "make a metadata device for a volume",
	.description =
		{"Writes metadata that says: every block of the volume is on its base; of mode "
		 "track: there is no bitmap. What was on META is lost. The verbs that need a "
		 "metadata device make one by themselves; this "
		 "is for tables that are loaded by hand, and for a device of one's own.",
		 "META is refused while it is in use, and, unless --force is given, if it carries "
		 "a signature or metadata. One that is too small is told how many bytes are "
		 "needed: of a volume of 1 TiB in blocks of 64 KiB, 8.2 MiB.",
		 "In mode track it is room for bitmaps, which record what changes: for each as "
		 "much as its bits may take, twice. Of that volume 64 take 261 MiB. Nothing is "
		 "written to what reads as zeroes already, so a sparse file stays sparse.",
		 "The legs are written down by names that last over a boot: the UUID of a "
		 "device-mapper device, the one of a partition, a name in /dev/disk/by-id, the "
		 "file "
		 "behind a loop device."},
	.positionals = {meta_positional()},
	.options =
		{{.name = "size",
		  .value = "SIZE",
		  .help = "the size of the volume; that of the base if not given"},
		 {.name = "base",
		  .value = "DEVICE",
		  .help = "the device the volume's data is on",
		  .words = {},
		  .offer = Offer::block_device},
		 {.name = "top",
		  .value = "DEVICE",
		  .help = "the device that takes what is written or copied",
		  .words = {},
		  .offer = Offer::block_device},
		 {.name = "name", .value = "NAME", .help = "what the volume is called"},
		 {.name = "mode",
		  .value = "MODE",
		  .help = "what the volume will do with them: overlay if not given",
		  .words = {"mirror", "stream", "overlay", "backup", "track"}},
		 {.name = "bitmaps",
		  .value = "NUMBER",
		  .help = "of mode track: how many bitmaps there is room for; 64, the most there "
			  "can be, if not given"},
		 block_size_option(),
		 {.name = "segment",
		  .value = "SIZE",
		  .help = "the unit of the marks for what is being written: whole MiB; 64M if not "
			  "given"},
		 {.name = "force",
		  .value = "",
		  .help = "overwrite a META that carries something; overrides no other refusal"},
		 dry_run_option(),
		 json_option()},
	.examples = {{"blkctl format /dev/vdm --base /dev/vdb --top /dev/vdc",
		      "Metadata for an overlay of /dev/vdc over /dev/vdb."},
		     {"blkctl format data.meta --size 1T --dry-run",
		      "Whether the file is large enough, and how large it has to be."},
		     {"blkctl format bits.meta --base /dev/vdb --mode track --bitmaps 4",
		      "Room for four bitmaps that record what changes on /dev/vdb."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_format
