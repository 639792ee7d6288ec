// SPDX-License-Identifier: GPL-2.0-or-later
#include "lvm/commands.hpp"
#include "base/child.hpp"
#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <map>
#include <optional>

namespace blkctl::lvm
{

namespace
{

namespace json = boost::json;

// LVM waits for its locks as long as it takes; a boot does not.
constexpr auto patience = std::chrono::seconds(60);

constexpr size_t uuid_length = 32; // without its dashes

constexpr const char *lv_columns = "vg_uuid,lv_uuid,vg_name,lv_name,lv_dm_path,lv_skip_activation,"
				   "segtype,seg_size,stripe_size,vg_extent_size,devices";
constexpr const char *pv_columns = "pv_name,pe_start";
constexpr std::string_view mapper_folder = "/dev/mapper/";

// As few of lvm.conf's settings as can be are to change what is read.
constexpr const char *report_settings = "report{list_item_separator=\",\"}";

Error bad(const std::string &why)
{
	return {.what = "read", .device = "what LVM says", .why = why};
}

Program program(std::vector<std::string> words)
{
	words.insert(words.begin(), "lvm");
	return {.words = std::move(words), .package = "lvm2"};
}

std::string text_of(const json::object &row, std::string_view key)
{
	const auto *const value = row.if_contains(key);
	const auto *const text = value ? value->if_string() : nullptr;

	return text ? std::string(text->begin(), text->end()) : std::string();
}

std::optional<uint64_t> number_in(std::string_view text)
{
	uint64_t value = 0;
	const auto *const last = text.data() + text.size();
	const auto [end, error] = std::from_chars(text.data(), last, value);

	return error == std::errc() && end == last ? std::optional(value) : std::nullopt;
}

// {"report": [{"seg": [...]}]}: the rows of all of them.
Result<std::vector<json::object>> rows_of(const std::string &text, std::string_view table)
{
	boost::system::error_code error;
	const auto parsed = json::parse(text, error);
	std::vector<json::object> rows;

	const auto *const whole = error ? nullptr : parsed.if_object();
	const auto *const report = whole ? whole->if_contains("report") : nullptr;
	if (!report || !report->is_array())
		return bad("it is no report");
	for (const auto &part : report->get_array()) {
		const auto *const object = part.if_object();
		const auto *const list = object ? object->if_contains(table) : nullptr;
		if (!list || !list->is_array())
			return bad("it has no rows of '" + std::string(table) + "'");
		for (const auto &row : list->get_array()) {
			if (!row.is_object())
				return bad("a row is none");
			rows.push_back(row.get_object());
		}
	}
	return rows;
}

using Starts = std::map<std::string, uint64_t, std::less<>>;

// Where the extents of each PV begin, sectors.
Result<Starts> starts_of(const std::string &text)
{
	BLKCTL_TRY(const auto rows, rows_of(text, "pv"));
	Starts starts;

	for (const auto &row : rows)
		if (const auto start = number_in(text_of(row, "pe_start")))
			starts[text_of(row, "pv_name")] = *start;
	return starts;
}

// "/dev/vda(8),/dev/vdb(0)": a PV and the extent on it. Empty if it is on something else, as it is
// while LVM moves it.
std::vector<Stripe> stripes_of(std::string_view text, uint64_t extent, const Starts &starts)
{
	std::vector<Stripe> stripes;

	while (!text.empty()) {
		const auto end = std::min(text.find(','), text.size());
		const auto word = text.substr(0, end);
		const auto open = word.rfind('(');
		text.remove_prefix(std::min(end + 1, text.size()));
		if (open == std::string_view::npos || !word.ends_with(')'))
			return {};
		const auto number = number_in(word.substr(open + 1, word.size() - open - 2));
		const auto start = starts.find(word.substr(0, open));
		if (!number || start == starts.end())
			return {};
		stripes.push_back({start->first, start->second + *number * extent});
	}
	return stripes;
}

Result<Segment> segment_of(const json::object &row, const Starts &starts)
{
	const auto size = number_in(text_of(row, "seg_size"));
	const auto extent = number_in(text_of(row, "vg_extent_size"));
	Segment segment{.type = text_of(row, "segtype")};

	if (!size || !extent)
		return bad("a segment has no size");
	segment.sectors = *size;
	if (segment.type != "linear" && segment.type != "striped")
		return segment;
	segment.stripe_sectors = number_in(text_of(row, "stripe_size")).value_or(0);
	segment.stripes = stripes_of(text_of(row, "devices"), *extent, starts);
	return segment;
}

std::string without_dashes(std::string text)
{
	std::erase(text, '-');
	return text;
}

Result<LogicalVolume> volume_of(const json::object &row)
{
	const auto group = without_dashes(text_of(row, "vg_uuid"));
	const auto own = without_dashes(text_of(row, "lv_uuid"));
	const auto path = text_of(row, "lv_dm_path");
	const auto skipped = text_of(row, "lv_skip_activation");

	if (group.size() != uuid_length || own.size() != uuid_length ||
	    !path.starts_with(mapper_folder))
		return bad("an LV has no UUID, or no path");
	if (skipped != "0" && skipped != "1")
		return bad("it does not say whether the activation of an LV is skipped");
	return LogicalVolume{.id = group + own,
			     .group = text_of(row, "vg_name"),
			     .name = text_of(row, "lv_name"),
			     .mapper_name = path.substr(mapper_folder.size()),
			     .is_skipped = skipped == "1"};
}

} // namespace

uint64_t LogicalVolume::sectors() const
{
	uint64_t sum = 0;

	for (const auto &segment : segments)
		sum += segment.sectors;
	return sum;
}

Result<std::vector<LogicalVolume>> parse_report(const std::string &lvs, const std::string &pvs)
{
	BLKCTL_TRY(const auto starts, starts_of(pvs));
	BLKCTL_TRY(const auto rows, rows_of(lvs, "seg"));
	std::vector<LogicalVolume> all;

	// The segments of an LV are in order, and nothing is between them.
	for (const auto &row : rows) {
		BLKCTL_TRY(auto lv, volume_of(row));
		BLKCTL_TRY(auto segment, segment_of(row, starts));
		if (all.empty() || all.back().id != lv.id)
			all.push_back(std::move(lv));
		all.back().segments.push_back(std::move(segment));
	}
	return all;
}

Result<std::vector<LogicalVolume>> Commands::list()
{
	const auto report = [](std::vector<std::string> words) {
		for (const auto *word : {"--reportformat", "json", "--units", "s", "--nosuffix",
					 "--binary", "--config", report_settings})
			words.emplace_back(word);
		return run_program(program(std::move(words)), patience);
	};

	const auto lvs = report({"lvs", "--segments", "-o", lv_columns, "-O", "lv_uuid,seg_start"});
	if (!lvs && lvs.error().sys_errno == ENOENT)
		return std::vector<LogicalVolume>();
	if (!lvs)
		return lvs.error();
	BLKCTL_TRY(const auto pvs, report({"pvs", "-o", pv_columns}));
	return parse_report(*lvs, pvs);
}

Result<void> Commands::set_skipped(const LogicalVolume &lv, bool skipped)
{
	BLKCTL_CHECK(run_program(
		program({"lvchange", "-qq", "--setactivationskip", skipped ? "y" : "n", lv.path()}),
		patience));
	return {};
}

} // namespace blkctl::lvm
