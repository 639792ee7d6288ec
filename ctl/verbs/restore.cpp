// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.hpp"
#include "cli/common.hpp"
#include "cli/metadata.hpp"
#include "cli/refusal.hpp"

namespace blkctl::cli::verb_restore
{

namespace
{

Status run(const Arguments &args)
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

const Register entry{Verb{
	.name = "restore",
	.group = Group::metadata,
	.rank = 4,
	.summary = "make a metadata device from a dump",
	.description =
		{"Writes metadata that says what DUMP says, which was made by blkctl-dump(8): "
		 "dumped again it is the same text. META is refused as by blkctl-format(8).",
		 "A dump that is older than the last write to the volume names wrong places: what "
		 "is read then is not what was written. Blocks that were unreadable stay so."},
	.positionals = {meta_positional(), {.name = "DUMP", .help = "the file with the dump"}},
	.options = {{.name = "force",
		     .value = "",
		     .help = "overwrite a META that carries something; overrides no other refusal"},
		    dry_run_option(),
		    json_option()},
	.examples = {{"blkctl restore /dev/vdn data.json", "Moves metadata to another device."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_restore
