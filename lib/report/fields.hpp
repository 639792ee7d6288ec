// SPDX-License-Identifier: GPL-2.0-or-later
// The fields of a report in dm_report's terms. Internal to the library.
#ifndef BLKCTL_REPORT_FIELDS_HPP
#define BLKCTL_REPORT_FIELDS_HPP

#include "report/report.hpp"
#include <libdevmapper.h>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::report
{

constexpr const char *default_fields = "name,size,state,progress,rate,eta,source,target";
constexpr const char *default_sort = "name";

// How sizes are printed; every field function gets it.
struct Units {
	char type = 'h';
	uint64_t factor = 1;
	bool suffix = true;
};

// What a field function sees.
struct Object {
	const Row *row;
	uint64_t index;
};

// A column of a report, told by its heading; nullopt for none of ours.
struct Column {
	std::string id = {};
	bool is_text = true; // numbers, sizes and percentages are not
};
std::optional<Column> column_of(const std::string &heading);

// Ends with the zeroed entry that dm_report wants. with_index: also `row_index`, the position of a
// row in the input, by which others sort and select.
std::vector<dm_report_field_type> field_types(bool with_index);

} // namespace blkctl::report

#endif
