// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"

namespace blkctl::cli::verb_attach
{

namespace
{

Status run(const Arguments &args)
{
	volume::AttachRequest request;
	request.device = args.at(0);
	request.block_sectors = block_sectors_of(args);
	request.metadata = args.value("metadata").value_or("");
	if (const auto bitmaps = args.value("bitmaps"))
		request.bitmaps = bitmaps_of(*bitmaps);
	if (const auto segment = args.value("segment"))
		request.segment_mib = segment_mib_of(*segment);
	auto host = take(volume::Host::open());
	auto outcome = take(volume::attach(host.context(), request, run_of(args)));
	report_outcome(args, outcome, "attached; its name, number and users are what they were");
	return Status::ok;
}

const Register entry{Verb{
	.name = "attach",
	.group = Group::volumes,
	.rank = 2,
	.summary = "turn a live device-mapper device, mounted or not, into a volume",
	.description =
		{"Takes over a device-mapper device in place, while it is in use: its name, "
		 "number, "
		 "UUID and data stay, and nothing is unmounted. blkctl-detach(8) gives it back. "
		 "A bare disk or partition is no device-mapper device and cannot be taken over "
		 "while it is in use; see blkctl-create(8).",
		 "A device that is one linear range of another (most LVs) is absorbed: the volume "
		 "names the lower device itself. Several linear ranges, striped, crypt and thin "
		 "devices are stacked: their table moves to a hidden device NAME-blkreal below the "
		 "volume. Snapshots and their origins, thin pools, caches, RAID, integrity, verity "
		 "and multipath devices, and any device that is an LVM physical volume are "
		 "refused, "
		 "with the reason. "
		 "A LUKS2 device keeps its key in a kernel keyring, where it cannot be had again; "
		 "\"cryptsetup refresh --disable-keyring NAME\" first puts it into the table.",
		 "Bitmaps of changed blocks, see blkctl-bitmap(8), are in memory. With --metadata, "
		 "which an LV can have, they are on that device, or in that file, and survive a "
		 "crash: from then on LVM passes over the LV, and blkctl-activate(8) brings it "
		 "back at boot, bitmaps and all. If LVM was made to activate it all the same, "
		 "attaching it again brings them back, inconsistent: the next backup with one is a "
		 "full one.",
		 "While an LV is attached, leave it alone with lvextend, lvcreate -s, pvmove and "
		 "lvchange --refresh: they replace the table, and blkctl is gone from the device. "
		 "What is done to it that a boot must not lose is written in /etc/blkctltab, and "
		 "LVM is told to pass over the LV meanwhile; see blkctltab(5)."},
	.positionals = {{.name = "DMDEV",
			 .help = "the device: /dev/VG/LV, /dev/mapper/X, its name, or MAJ:MIN",
			 .offer = Offer::dm_device}},
	.options = {block_size_option(),
		    {.name = "metadata",
		     .value = "META",
		     .help = "the device, or the file, for bitmaps that survive a crash; of an LV",
		     .words = {},
		     .offer = Offer::block_device},
		    bitmaps_option(),
		    segment_option(),
		    dry_run_option(),
		    json_option()},
	.rules = {{.options = {"bitmaps", "segment"}, .needs = {"metadata"}}},
	.examples = {{"blkctl attach /dev/vg0/data", "Takes over an LV, mounted or not."},
		     {"blkctl attach /dev/vg0/data --metadata /var/lib/blkctl/data.bitmaps",
		      "The same, with bitmaps that survive a crash, now and after a boot."},
		     {"blkctl attach /dev/vg0/data --dry-run",
		      "Says whether it would be absorbed or stacked, step by step."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_attach
