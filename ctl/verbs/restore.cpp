// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.hpp"
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/interrupt.hpp"
#include "cli/metadata.hpp"
#include "cli/refusal.hpp"
#include "cli/showing.hpp"
#include "job/apply.hpp"
#include <fmt/format.h>
#include <optional>

namespace blkctl::cli::verb_restore
{

namespace
{

Status restore_metadata(const Arguments &args)
{
	volume::RestoreRequest request{.meta = args.at(0), .force = args.flag("force")};
	auto text = read_file(args.at(1));
	if (!text)
		refuse({.status = Status::not_found,
			.what = "restore",
			.device = args.at(1),
			.why = "the dump cannot be read"});
	request.dump = std::move(*text);
	auto host = open_offline();
	auto outcome = take(volume::restore(host.offline(), request, run_of(args)));
	report_outcome(args, outcome, "restored from " + args.at(1));
	return Status::ok;
}

Status restore_image(const Arguments &args, const std::string &image)
{
	auto host = take(volume::Host::open());
	Showing showing(args);
	job::ApplyRequest request{.image = image,
				  .device = args.at(0),
				  .force = args.flag("force"),
				  .verify = args.flag("verify")};
	job::ApplyOptions options;
	std::optional<Interrupt> interrupt;

	if (auto format = args.value("format"))
		request.format =
			*format == "qcow2" ? transport::Format::qcow2 : transport::Format::raw;
	options.interval = showing.interval();
	options.on_progress = [&](bool verifying, const job::Job &job, const job::Meter &meter) {
		showing.show(args.at(0), verifying ? "verifying" : "copying", job, meter);
	};
	interrupt.emplace();
	options.cancelled = [&] { return interrupt->came() || showing.over(); };
	auto result = job::apply(host.context(), request, options, run_of(args));
	interrupt.reset();
	showing.clear();
	const auto done = take(std::move(result));
	volume::Outcome outcome;
	outcome.steps = done.steps;
	outcome.name = args.at(0);
	report_outcome(args, outcome,
		       fmt::format("holds what {} holds: {}, of which {} are data", image,
				   format_size(done.bytes), format_size(done.data)));
	return Status::ok;
}

Status run(const Arguments &args)
{
	const auto image = args.value("image");

	if (image && args.count() != 1)
		bad_usage("with --image it is: blkctl restore DEVICE --image FILE");
	if (!image && args.count() != 2)
		bad_usage("it is: blkctl restore META DUMP, or blkctl restore DEVICE --image FILE");
	return image ? restore_image(args, *image) : restore_metadata(args);
}

const Register entry{Verb{
	.name = "restore",
	.group = Group::metadata,
	.rank = 4,
	.summary = "put a backup on a device; or make a metadata device from a dump",
	.description =
		{"With --image: makes DEVICE, which nobody may have in use, read as FILE does, a "
		 "backup made by blkctl-backup(8), raw or qcow2. With a qcow2 that is over others "
		 "all of the chain is applied, so that DEVICE is what the volume was at the "
		 "instant of the last one. If a backup into one of these was begun and not "
		 "finished it is refused.",
		 "Else: writes metadata that says what DUMP says, which was made by "
		 "blkctl-dump(8): dumped again it is the same text, but for bitmaps. META is "
		 "refused as by blkctl-format(8).",
		 "A dump that is older than the last write to the volume names wrong places: what "
		 "is read then is not what was written. Blocks that were unreadable stay so. Of "
		 "bitmaps a dump does not say what has changed since: restored, with --force "
		 "too, they are inconsistent, and the next backup with one is a full one."},
	.positionals = {{.name = "META",
			 .help = "the metadata device or file; or, with --image, the device",
			 .offer = Offer::block_device},
			{.name = "DUMP", .help = "the file with the dump", .optional = true}},
	.options = {{.name = "image", .value = "FILE", .help = "the backup to put on the device"},
		    {.name = "format",
		     .value = "FORMAT",
		     .help = "of FILE: raw or qcow2; by its name if not given",
		     .words = {"raw", "qcow2"}},
		    {.name = "verify", .value = "", .help = "read it back and compare"},
		    {.name = "force",
		     .value = "",
		     .help = "overwrite what carries something; overrides no other refusal"},
		    end_option("the same command with --force begins again, over the part of the "
			       "backup that the device holds"),
		    wait_anyway_option(),
		    interval_option(),
		    dry_run_option(),
		    json_option()},
	.rules = {{.options = {"format", "verify", "wait", "timeout", "interval"},
		   .needs = {"image"}}},
	.examples = {{"blkctl restore /dev/vde --image /backup/mon.qcow2 --verify",
		      "The chain that ends there, onto a device."},
		     {"blkctl restore /dev/vdn data.json", "Moves metadata to another device."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_restore
