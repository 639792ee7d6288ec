// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/reporting.hpp"
#include "cli/refusal.hpp"

namespace blkctl::cli
{

std::vector<Option> report_options()
{
	return {
		{.name = "options",
		 .letter = 'o',
		 .value = "FIELDS",
		 .help = "the fields to show, with commas; +FIELD adds one to the usual ones; help "
			 "lists them all",
		 .offer = Offer::field},
		{.name = "sort",
		 .letter = 'O',
		 .value = "FIELDS",
		 .help = "the fields to sort by; -FIELD sorts downwards",
		 .offer = Offer::field},
		{.name = "select",
		 .letter = 'S',
		 .value = "EXPRESSION",
		 .help = "only volumes for which this holds, as in \"percent<50 && "
			 "state=copying\"; "
			 "help explains",
		 .may_be_empty = true},
		{.name = "noheadings", .value = "", .help = "leave the line of headings out"},
		{.name = "units",
		 .value = "UNIT",
		 .help = "of sizes: one of rRhHbBsSkKmMgGtTpPeE; h, readable, if not given"},
		{.name = "nosuffix", .value = "", .help = "leave the unit off sizes"},
		{.name = "separator",
		 .value = "TEXT",
		 .help = "put this between fields instead of lining them up",
		 .may_be_empty = true},
		{.name = "reportformat",
		 .value = "FORMAT",
		 .help = "basic, or json: an object with \"schema\": 1; all there is of a volume, "
			 "sizes in bytes, or with --options just these, sizes in --units",
		 .words = {"basic", "json"}},
		{.name = "json", .value = "", .help = "the same as --reportformat json"},
	};
}

std::vector<Rule> report_rules()
{
	// What is of the text alone may be given with JSON, too, as with LVM's own reports.
	return {{.options = {"json"}, .excludes = {"reportformat basic"}}};
}

bool shapes_report(const Arguments &args)
{
	for (const Option &option : report_options())
		if (option.name != "json" && option.name != "reportformat" &&
		    args.given(option.name))
			return true;
	return args.given("reportformat basic");
}

bool wants_json(const Arguments &args)
{
	return args.given("json") || args.given("reportformat json");
}

bool wants_field_list(const Arguments &args)
{
	return args.given("options help") || args.given("select help");
}

std::string render_report(const Arguments &args, const std::vector<report::Row> &rows)
{
	report::Options options;
	options.output = args.value("options").value_or("");
	options.sort = args.value("sort").value_or("");
	options.select = args.value("select").value_or("");
	options.headings = !args.flag("noheadings");
	options.units = args.value("units").value_or("h");
	options.suffix = !args.flag("nosuffix");
	options.separator = args.value("separator").value_or("");
	if (wants_json(args) && !wants_field_list(args))
		return take(report::render_json(rows, options)) + "\n";
	return take(report::render(rows, options));
}

} // namespace blkctl::cli
