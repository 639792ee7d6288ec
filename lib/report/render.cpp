// SPDX-License-Identifier: GPL-2.0-or-later
// Reports through libdevmapper's dm_report.
#include "dm/log.hpp"
#include "report/fields.hpp"
#include "report/json.hpp"
#include "report/report.hpp"
#include <algorithm>
#include <charconv>
#include <memory>
#include <sstream>

namespace blkctl::report
{

namespace
{

struct FreeReport {
	void operator()(dm_report *report) const { dm_report_free(report); }
};
using Report = std::unique_ptr<dm_report, FreeReport>;

void *same_object(void *object)
{
	return object;
}

const dm_report_object_type object_types[] = {
	{1, "Volume", "", same_object},
	{0, "", "", nullptr},
};

Error bad_report(const std::string &why, const char *what)
{
	return {.status = Status::usage,
		.what = what,
		.why = why.empty() ? "cannot be made from these options" : why,
		.next = "blkctl list -o help"};
}

std::vector<std::string> split(const std::string &text)
{
	std::vector<std::string> parts;
	std::istringstream stream(text);
	std::string part;

	while (std::getline(stream, part, ','))
		if (!part.empty())
			parts.push_back(part);
	return parts;
}

std::string join(const std::vector<std::string> &parts)
{
	std::string text;

	for (const auto &part : parts)
		text += (text.empty() ? "" : ",") + part;
	return text;
}

// lvm's "+field" adds to the default fields, "-field" takes away from them.
Result<std::string> output_fields(const std::string &given)
{
	if (given.empty())
		return std::string(default_fields);
	if (given[0] == '+')
		return std::string(default_fields) + "," + given.substr(1);
	if (given[0] != '-')
		return given;

	auto left = split(default_fields);
	for (const auto &gone : split(given.substr(1))) {
		const auto at = std::find(left.begin(), left.end(), gone);
		if (at == left.end())
			return bad_report("'" + gone + "' is none of the default fields", "report");
		left.erase(at);
	}
	if (left.empty())
		return bad_report("no field is left", "report");
	return join(left);
}

Result<Units> parse_units(const Options &options)
{
	Units units{.suffix = options.suffix};

	units.factor = dm_units_to_factor(options.units.c_str(), &units.type, 1, nullptr);
	if (units.factor == 0)
		return Error{
			.status = Status::usage,
			.what = "units",
			.device = "'" + options.units + "'",
			.why = "not one of rRhHbBsSkKmMgGtTpPeE, with a number before it or not"};
	return units;
}

// Each size in a unit of its own, with that behind it.
bool is_for_people(const Units &units)
{
	return std::string_view("hHrR").find(units.type) != std::string_view::npos;
}

uint32_t output_flags(const Options &options)
{
	uint32_t flags = DM_REPORT_OUTPUT_BUFFERED;

	if (options.headings)
		flags |= DM_REPORT_OUTPUT_HEADINGS;
	if (options.separator.empty())
		flags |= DM_REPORT_OUTPUT_ALIGNED;
	return flags;
}

// Runs a report and returns what it prints.
Result<std::string> run(const std::vector<Row> &rows, const Options &options,
			const std::string &fields, bool with_index)
{
	dm::LogCapture log;
	BLKCTL_TRY(auto units, parse_units(options));
	const auto types = field_types(with_index);
	const std::string sort = options.sort.empty() ? default_sort : options.sort;
	const std::string separator = options.separator.empty() ? " " : options.separator;
	uint32_t used_types = 0;

	const Report report(dm_report_init_with_selection(
		&used_types, object_types, types.data(), fields.c_str(), separator.c_str(),
		output_flags(options), sort.c_str(),
		options.select.empty() ? nullptr : options.select.c_str(), nullptr, &units));
	if (!report)
		return bad_report(log.errors(), "report");

	std::vector<Object> objects;
	objects.reserve(rows.size());
	for (const auto &row : rows) {
		objects.push_back({&row, objects.size()});
		if (!dm_report_object(report.get(), &objects.back()))
			return bad_report(log.errors(), "report");
	}
	if (!dm_report_output(report.get()))
		return bad_report(log.errors(), "report");
	// "help" answers on the side and reports nothing.
	return log.output().empty() ? log.warnings() : log.output();
}

// No name has it.
constexpr char cell_end = '\x1f';

std::vector<std::string> cells_of(const std::string &line)
{
	std::vector<std::string> cells{""};

	for (const char c : line) {
		if (c == cell_end)
			cells.emplace_back();
		else
			cells.back() += c;
	}
	return cells;
}

// The fields that were chosen, as dm_report prints them.
Result<std::string> render_chosen(const std::vector<Row> &rows, const Options &options)
{
	Options plain = options;
	plain.headings = true;
	plain.separator = cell_end;
	plain.suffix = false;
	BLKCTL_TRY(const auto units, parse_units(options));
	if (is_for_people(units))
		plain.units = "b";
	BLKCTL_TRY(const auto fields, output_fields(options.output));
	BLKCTL_TRY(const auto text, run(rows, plain, fields, false));

	std::vector<Column> columns;
	std::vector<std::vector<std::string>> lines;
	std::istringstream stream(text);
	std::string line;
	while (std::getline(stream, line)) {
		// Without alignment there is still a margin.
		line.erase(0, line.find_first_not_of(' '));
		if (!columns.empty()) {
			lines.push_back(cells_of(line));
			continue;
		}
		for (const auto &heading : cells_of(line))
			columns.push_back(column_of(heading).value_or(Column{heading, true}));
	}
	return json_list(columns, lines);
}

} // namespace

Result<std::string> render(const std::vector<Row> &rows, const Options &options)
{
	BLKCTL_TRY(const auto fields, output_fields(options.output));
	return run(rows, options, fields, false);
}

Result<std::string> render_json(const std::vector<Row> &rows, const Options &options)
{
	BLKCTL_CHECK(parse_units(options));
	if (!options.output.empty())
		return render_chosen(rows, options);
	// dm_report selects and sorts; all we need back is which rows, in which order.
	Options plain;
	plain.sort = options.sort;
	plain.select = options.select;
	plain.headings = false;
	plain.separator = ",";
	BLKCTL_TRY(const auto order, run(rows, plain, "row_index", true));

	std::vector<const Row *> picked;
	std::istringstream lines(order);
	std::string line;
	while (std::getline(lines, line)) {
		size_t index = rows.size();
		const auto start = line.find_first_not_of(' ');
		if (start != std::string::npos)
			std::from_chars(line.data() + start, line.data() + line.size(), index);
		if (index < rows.size())
			picked.push_back(&rows[index]);
	}
	return json_list(picked);
}

} // namespace blkctl::report
