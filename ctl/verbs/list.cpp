// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"
#include "cli/reporting.hpp"
#include "cli/terminal.hpp"

namespace blkctl::cli::verb_list
{

namespace
{

Status run(const Arguments &args)
{
	if (wants_field_list(args)) {
		print_all(render_report(args, {}));
		return Status::ok;
	}
	auto host = take(volume::Host::open());
	auto &context = host.context();
	volume::Listing found;
	if (args.count() == 0)
		found = take(volume::list(context));
	auto &volumes = found.volumes;
	for (const std::string &name : args.rest(0))
		volumes.push_back(take(volume::find(context, name)));
	std::vector<report::Row> rows;
	rows.reserve(volumes.size());
	for (const auto &volume : volumes)
		rows.push_back(report::make_row(context, volume));
	print_all(render_report(args, rows));
	for (const auto &each : found.unreadable)
		complain("blkctl: list: " + each.error.message());
	return found.unreadable.empty() ? Status::ok : found.unreadable.front().error.status;
}

const Register entry{Verb{
	.name = "list",
	.group = Group::look,
	.rank = 1,
	.summary = "show all volumes and their jobs, one a line",
	.description = {"The fields, their order, which volumes and the units can be chosen with "
			"the options of lvs(8) and the other reports of LVM; their grammar is the "
			"same, see lvmreport(7).",
			"A volume that cannot be read is told of on stderr, and by the status, "
			"after the others.",
			"Sizes and progress are what the kernel says at this moment."},
	.positionals = {{.name = "NAME",
			 .help = "only these volumes",
			 .offer = Offer::volume,
			 .optional = true,
			 .repeated = true}},
	.options = report_options(),
	.rules = report_rules(),
	.examples = {{"blkctl list", "All volumes."},
		     {"blkctl list -o help", "The fields there are."},
		     {"blkctl list -o name,progress -S 'state=copying' --noheadings",
		      "The running copies, for a script."},
		     {"blkctl list --json", "Everything known of all volumes."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_list
