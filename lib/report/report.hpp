// SPDX-License-Identifier: GPL-2.0-or-later
// Reports with lvm's grammar (libdevmapper's dm_report), and the same as JSON.
#ifndef BLKCTL_REPORT_REPORT_HPP
#define BLKCTL_REPORT_REPORT_HPP

#include "job/backup.hpp"
#include "job/job.hpp"
#include <optional>
#include <string>
#include <vector>

namespace blkctl::report
{

// A hidden layer of a volume.
struct LayerRow {
	unsigned number = 0;
	volume::Volume volume = {};
	std::string base_path = {};
	std::string target_path = {};
	std::string meta_path = {};
};

// One line of a report.
struct Row {
	volume::Volume volume = {};
	job::Job job = {};
	std::string base_path = {};
	std::string target_path = {};  // empty without a target
	std::string meta_path = {};    // empty without a metadata device
	std::string bitmaps_path = {}; // the same of the bitmaps
	bool at_boot = false;          // it comes back by itself
	// What to do about a job whose metadata cannot be read; empty: it can.
	std::string to_mend = {};
	// What is below it, the lowest first; a commit of each may be under way.
	std::vector<LayerRow> layers = {};
	std::optional<volume::LastSwitch> last = {};
	std::optional<job::BackupLeft> backup = {};
};

// Looks up what a row needs beyond the volume.
Row make_row(volume::Context &context, const volume::Volume &volume);

struct Options {
	std::string output = {}; // -o: fields, "+field", "help"; empty: the default fields
	std::string sort = {};   // -O: keys, "-key" for descending
	std::string select = {}; // -S: lvm's selection grammar
	bool headings = true;
	std::string units = "h";    // --units: rRhHbBsSkKmMgGtTpPeE
	bool suffix = true;         // --nosuffix
	std::string separator = {}; // --separator: put between fields; empty: columns lined up
};

/*
 * The report as text, ready to print. With "help" as output or selection, the list of fields.
 * Errors: usage (field, key, selection or units it does not know).
 */
Result<std::string> render(const std::vector<Row> &rows, const Options &options);

/*
 * {"schema":1,"volumes":[...]}. Selection and sort order apply. Without output fields each object
 * has all its members, and sizes are bytes; with them it has these alone, flat, by their names,
 * and sizes are numbers in the units asked for, bytes for hHrR. Errors: as above.
 */
Result<std::string> render_json(const std::vector<Row> &rows, const Options &options);

// {"schema":1,"volume":{...}}.
std::string json(const Row &row);

// {"schema":1,"name":...,"bitmaps":[...]}: those of one volume.
std::string json_bitmaps(const volume::Volume &volume);

// JSON lines for --json of the long verbs: one compact object each, no newline at the end.
std::string json_progress(const volume::Volume &volume, const job::Job &job,
			  const job::Meter &meter);
std::string json_outcome(const std::string &verb, const std::string &name, bool dry_run,
			 bool already, const std::vector<std::string> &steps,
			 const std::optional<double> &stall_ms,
			 const std::optional<double> &freeze_ms = {},
			 const std::optional<uint64_t> &to_copy_bytes = {});
std::string json_error(const Error &error);

// The fields there are: for completion and man pages.
struct FieldHelp {
	std::string name = {};
	std::string text = {};
};
std::vector<FieldHelp> fields();

} // namespace blkctl::report

#endif
