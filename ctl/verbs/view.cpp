// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_view
{

namespace
{

Status run(const Arguments &args)
{
	volume::ViewRequest request;

	const auto store = args.value("store");
	if (!store)
		bad_usage("--store is missing: old data has to go somewhere");
	request.name = args.at(0);
	request.view = args.at(1);
	request.store = *store;
	request.no_freeze = args.flag("no-freeze");
	request.force = args.flag("force");
	auto host = take(volume::Host::open());
	const auto outcome = take(volume::view(host.context(), request, run_of(args)));
	const auto stall = outcome.stall_ms ? fmt::format(" (it took {:.1f} ms)", *outcome.stall_ms)
					    : std::string();
	report_outcome(
		args, outcome,
		fmt::format("/dev/mapper/{} holds what {} held at that instant{}; next, when "
			    "it has been read: blkctl remove {}",
			    request.view, outcome.name, stall, request.view));
	return Status::ok;
}

const Register entry{Verb{
	.name = "view",
	.group = Group::snapshots,
	.rank = 4,
	.summary = "a read-only device that keeps what is on a volume now",
	.description =
		{"Makes /dev/mapper/VIEW, which reads as the volume does at this instant, for as "
		 "long as it is there, while the volume goes on being written to. Any tool can "
		 "back it up. The filesystem on the volume is frozen for the instant, so that it "
		 "is found whole.",
		 "Before a part of the volume is written to for the first time, what it held is "
		 "read into memory, and goes from there to STORE: a device at least as large as "
		 "the volume, or the full path of a file, made sparse if it is not there. The "
		 "writer waits for the reading alone. If STORE fails or is full the view breaks, "
		 "and reads of it fail from then on; the volume never notices.",
		 "blkctl-remove(8) of VIEW ends it and frees STORE. blkctl-abort(8) of the volume "
		 "does so while somebody still reads the view, who gets errors then. What is where "
		 "is in memory alone: after a boot the view is gone and the volume as it is "
		 "without one.",
		 "The view has none of the links by label or UUID in /dev/disk: those go on "
		 "meaning the volume. Mount it with options like ro,norecovery."},
	.positionals = {volume_positional(),
			{.name = "VIEW", .help = "what the view is called in /dev/mapper"}},
	.options = {{.name = "store",
		     .value = "STORE",
		     .help = "where old data goes; must be given"},
		    no_freeze_option(),
		    force_store_option(),
		    dry_run_option(),
		    json_option()},
	.examples = {{"blkctl view data data-now --store /dev/vdc",
		      "Then, for example: dd if=/dev/mapper/data-now of=/backup/data.img bs=1M "
		      "iflag=direct; and blkctl remove data-now."},
		     {"blkctl view data data-now --store /var/tmp/data.store",
		      "The same with a sparse file."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_view
