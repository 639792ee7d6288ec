// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/map_view.hpp"
#include "cli/refusal.hpp"
#include "cli/reporting.hpp"
#include "cli/show_text.hpp"
#include "cli/terminal.hpp"

namespace blkctl::cli::verb_show
{

namespace
{

std::vector<Rule> rules()
{
	auto all = report_rules();
	Rule map{.options = {"map"}, .why = "it is a picture"};
	for (const Option &option : report_options())
		map.excludes.push_back(option.name);
	all.push_back(std::move(map));
	return all;
}

Status run(const Arguments &args)
{
	if (wants_field_list(args)) {
		print_all(render_report(args, {}));
		return Status::ok;
	}
	auto host = take(volume::Host::open());
	auto &context = host.context();
	auto volume = take(volume::find(context, args.at(0)));
	if (args.flag("map")) {
		auto map = take(volume::read_block_map(context, volume));
		print_all(draw_map(volume, map, terminal_width()));
		return Status::ok;
	}
	auto row = report::make_row(context, volume);
	if (shapes_report(args))
		print_all(render_report(args, {row}));
	else
		print_all(wants_json(args) ? report::json(row) + "\n" : show_text(row));
	return Status::ok;
}

const Register entry{Verb{
	.name = "show",
	.group = Group::look,
	.rank = 2,
	.summary = "show one volume whole: its devices, its job, its last switch",
	.description =
		{"\"last switch\" is how long the last change of the volume's table took: the most "
		 "a "
		 "read or write waited for it (\"stall_ms\" in JSON). Before a pivot's, writes are "
		 "held for as long as TARGET "
		 "takes for those that are on their way, and a flush. It is kept until the next "
		 "boot.",
		 "With --map a picture is drawn of which blocks are where; each sign stands for a "
		 "range of them.",
		 "JSON is an object with the member \"volume\". With other report options than "
		 "that the volume is shown as by blkctl-list(8), in JSON too."},
	.positionals = {volume_positional()},
	.options = join({{{.name = "map",
			   .value = "",
			   .help = "draw the block map: what is on the source, on both, on the "
				   "target"}},
			 report_options()}),
	.rules = rules(),
	.examples = {{"blkctl show data", "All of one volume."},
		     {"blkctl show data --map", "How far the copy is, block by block."},
		     {"blkctl show data --json", "The same for a program."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_show
