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
	const std::string &word = args.at(0);
	auto equals = word.find('=');
	if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
		bad_usage(fmt::format("\"{}\" is not NAME=STORE", word));
	volume::SnapshotRequest request;
	request.name = word.substr(0, equals);
	request.store = word.substr(equals + 1);
	request.metadata = args.value("metadata").value_or("");
	request.no_freeze = args.flag("no-freeze");
	request.force = args.flag("force");
	auto host = take(volume::Host::open());
	auto outcome = take(volume::snapshot(host.context(), request, run_of(args)));
	report_outcome(args, outcome,
		       fmt::format("snapshot taken; writes go to {} from now on; next: blkctl "
				   "commit {}, or blkctl stream {}",
				   request.store, outcome.name, outcome.name));
	return Status::ok;
}

const Register entry{Verb{
	.name = "snapshot",
	.group = Group::snapshots,
	.rank = 1,
	.summary = "freeze what is on a volume, and keep writing elsewhere",
	.description =
		{"From one instant on all writes to the volume go to STORE. Its device stays as it "
		 "was at that instant, and can be read and copied. The filesystem on the volume is "
		 "frozen for that instant, so that it is found whole there.",
		 "STORE is a device at least as large as the volume, or the full path of a file: "
		 "one "
		 "that is not there is made, sparse.",
		 "blkctl-commit(8) ends it and keeps what was written; blkctl-stream(8) leaves the "
		 "old device for the store."},
	.positionals = {{.name = "NAME=STORE", .help = "the volume, and where its writes go"}},
	.options = {metadata_option(),
		    {.name = "no-freeze",
		     .value = "",
		     .help = "do not freeze the filesystem: what is found is as after a power cut"},
		    {.name = "force",
		     .value = "",
		     .help = "overwrite a STORE that carries a signature"},
		    dry_run_option(),
		    json_option()},
	.examples = {{"blkctl snapshot data=/dev/vdc", "Keeps /dev/vdb as it is now."},
		     {"blkctl snapshot data=/var/tmp/data.store", "The same with a sparse file."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli
