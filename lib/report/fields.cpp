// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/fields.hpp"
#include "base/size.hpp"
#include <cmath>
#include <cstdio>

namespace blkctl::report
{

namespace
{

constexpr uint32_t object_type = 1;
constexpr uint32_t sector_bytes = 512;

using FieldFunction = int (*)(dm_report *, dm_pool *, dm_report_field *, const void *, void *);

int put_text(dm_report *report, dm_report_field *field, const std::string &text)
{
	const char *value = text.c_str();
	return dm_report_field_string(report, field, &value); // makes a copy
}

int put_number(dm_report *report, dm_report_field *field, uint64_t value)
{
	return dm_report_field_uint64(report, field, &value); // makes a copy
}

// A size in the units asked for; dm_report compares sizes as numbers of sectors.
int put_size(dm_pool *pool, dm_report_field *field, uint64_t bytes, const Units &units)
{
	const auto sectors = bytes / sector_bytes;
	auto *const sort = static_cast<double *>(dm_pool_alloc(pool, sizeof(double)));
	const char *const text = dm_size_to_string(pool, sectors, units.type, 1, units.factor,
						   units.suffix ? 1 : 0, DM_SIZE_UNIT);

	if (!sort || !text)
		return 0;
	*sort = static_cast<double>(sectors);
	dm_report_field_set_value(field, text, sort);
	return 1;
}

// Nothing to show: sorts first, and no number selects it.
int put_nothing(dm_report_field *field)
{
	static const double none = 0;
	dm_report_field_set_value(field, "", &none);
	return 1;
}

int put_percent(dm_report *report, dm_report_field *field, double percent)
{
	const dm_percent_t value =
		static_cast<dm_percent_t>(std::floor(percent * static_cast<double>(DM_PERCENT_1)));
	return dm_report_field_percent(report, field, &value);
}

bool has_job(const Row &row)
{
	return row.job.state != job::State::none;
}

std::string yes(bool value, const char *word)
{
	return value ? word : "";
}

std::string milliseconds(const Row &row)
{
	char text[32] = "";

	if (row.last)
		std::snprintf(text, sizeof(text), "%.3f", row.last->stall_ms);
	return text;
}

// "nightly=64k,weekly=1M"; of a module that does not say what a bit stands for, names alone.
std::string bitmaps(const Row &row)
{
	std::string text;

	for (const auto &bitmap : row.volume.status.bitmaps) {
		const auto bytes = bitmap.granule_bytes();
		text += (text.empty() ? "" : ",") + bitmap.name;
		text += bytes ? "=" + typed_size(*bytes) : "";
	}
	return text;
}

// At the rate of this moment; nothing unless it is copying at some.
std::string eta(const Row &row)
{
	const auto &job = row.job;

	if (job.state != job::State::copying || job.rate_bytes == 0)
		return "";
	return format_duration((job.total_bytes - job.done_bytes + job.rate_bytes - 1) /
			       job.rate_bytes);
}

// One field function for each getter: dm_report takes plain functions.
template <std::string (*get)(const Row &)>
int text_field(dm_report *report, dm_pool *, dm_report_field *field, const void *data, void *)
{
	return put_text(report, field, get(*static_cast<const Object *>(data)->row));
}

template <uint64_t (*get)(const Row &)>
int number_field(dm_report *report, dm_pool *, dm_report_field *field, const void *data, void *)
{
	return put_number(report, field, get(*static_cast<const Object *>(data)->row));
}

template <uint64_t (*get)(const Row &)>
int size_field(dm_report *, dm_pool *pool, dm_report_field *field, const void *data, void *units)
{
	return put_size(pool, field, get(*static_cast<const Object *>(data)->row),
			*static_cast<const Units *>(units));
}

template <uint64_t (*get)(const Row &)>
int job_size_field(dm_report *report, dm_pool *pool, dm_report_field *field, const void *data,
		   void *units)
{
	if (!has_job(*static_cast<const Object *>(data)->row))
		return put_nothing(field);
	return size_field<get>(report, pool, field, data, units);
}

int progress_field(dm_report *report, dm_pool *, dm_report_field *field, const void *data, void *)
{
	const auto &row = *static_cast<const Object *>(data)->row;

	if (!has_job(row)) {
		const dm_percent_t none = DM_PERCENT_INVALID;
		return dm_report_field_percent(report, field, &none);
	}
	return put_percent(report, field, row.job.percent());
}

int index_field(dm_report *report, dm_pool *, dm_report_field *field, const void *data, void *)
{
	return put_number(report, field, static_cast<const Object *>(data)->index);
}

// clang-format off
std::string name(const Row &r) { return r.volume.name(); }
std::string uuid(const Row &r) { return r.volume.info.uuid; }
std::string devno(const Row &r) { return r.volume.devno().str(); }
std::string kind(const Row &r) { return std::string(word(r.volume.kind)); }
std::string lvm(const Row &r) { return yes(r.volume.lvm, "lvm"); }
std::string read_only(const Row &r) { return yes(r.volume.info.read_only, "read-only"); }
std::string suspended(const Row &r) { return yes(r.volume.info.suspended, "suspended"); }
std::string mode(const Row &r) { return std::string(word(r.volume.table.mode)); }
std::string state(const Row &r) { return std::string(job::word(r.job.state)); }
std::string phase(const Row &r) { return std::string(word(r.volume.status.phase)); }
std::string health(const Row &r) { return std::string(word(r.volume.status.health)); }
std::string source(const Row &r) { return r.base_path; }
std::string target(const Row &r) { return r.target_path; }
std::string source_devno(const Row &r) { return r.volume.table.base.device.str(); }
std::string target_devno(const Row &r) { return r.job.target ? r.job.target->str() : ""; }
std::string metadata(const Row &r) { return r.meta_path; }
std::string bitmaps_metadata(const Row &r) { return r.bitmaps_path; }
std::string at_boot(const Row &r) { return yes(r.at_boot, "at boot"); }
std::string copy_mode(const Row &r)
{
	return has_job(r) ? std::string(word(r.volume.table.params.copy_mode.value_or(table::CopyMode::dual)))
	                  : "";
}
std::string last_verb(const Row &r) { return r.last ? r.last->verb : ""; }
uint64_t open_count(const Row &r) { return static_cast<uint64_t>(std::max(r.volume.info.open_count, 0)); }
uint64_t size(const Row &r) { return r.volume.sectors * sector_bytes; }
uint64_t block_size(const Row &r) { return uint64_t(r.volume.table.block_sectors) * sector_bytes; }
uint64_t source_offset(const Row &r) { return r.volume.table.base.offset * sector_bytes; }
uint64_t done(const Row &r) { return r.job.done_bytes; }
uint64_t copied(const Row &r) { return r.job.copied_bytes; }
uint64_t inflight(const Row &r) { return r.job.inflight_bytes; }
uint64_t rate(const Row &r) { return r.job.rate_bytes; }
uint64_t rate_limit(const Row &r) { return r.job.rate_limit_bytes.value_or(0); }
uint64_t base_only(const Row &r) { return r.volume.status.base_only; }
uint64_t both(const Row &r) { return r.volume.status.both; }
uint64_t top_only(const Row &r) { return r.volume.status.top_only; }
uint64_t meta_commits(const Row &r) { return r.volume.status.meta_commits; }
uint64_t meta_torn(const Row &r) { return r.volume.status.meta_torn; }
uint64_t zero(const Row &r) { return r.volume.status.zero; }
uint64_t blocks(const Row &r) { return r.volume.status.total; }
uint64_t source_errors(const Row &r) { return r.job.base_errors; }
uint64_t target_errors(const Row &r) { return r.job.top_errors; }

struct Field {
	uint32_t flags;
	const char *id;
	const char *heading;
	int32_t width;
	FieldFunction function;
	const char *help;
};

// No alignment bits: with them dm_report 1.02.185 does not take sizes in a selection.
constexpr uint32_t string_type = DM_REPORT_FIELD_TYPE_STRING;
constexpr uint32_t number_type = DM_REPORT_FIELD_TYPE_NUMBER;
constexpr uint32_t size_type = DM_REPORT_FIELD_TYPE_SIZE;
constexpr uint32_t percent_type = DM_REPORT_FIELD_TYPE_PERCENT;

constexpr Field all_fields[] = {
	{string_type, "name", "Name", 4, text_field<name>, "Name of the volume."},
	{string_type, "uuid", "UUID", 4, text_field<uuid>, "UUID of its device-mapper device."},
	{string_type, "devno", "Dev", 3, text_field<devno>, "Its device number, MAJOR:MINOR."},
	{string_type, "kind", "Kind", 4, text_field<kind>, "created, absorbed or stacked."},
	{string_type, "lvm", "LVM", 3, text_field<lvm>, "Set if the volume is an LV."},
	{size_type, "size", "Size", 4, size_field<size>, "Size of the volume."},
	{size_type, "block_size", "Block", 5, size_field<block_size>, "Unit in which it is copied."},
	{number_type, "open_count", "Open", 4, number_field<open_count>, "How often it is open."},
	{string_type, "read_only", "RO", 2, text_field<read_only>, "Set if it is read-only."},
	{string_type, "suspended", "Suspended", 9, text_field<suspended>, "Set if it is suspended."},
	{string_type, "mode", "Mode", 4, text_field<mode>, "Mode of its table: track, mirror, stream, overlay, commit or backup."},
	{string_type, "state", "State", 5, text_field<state>, "State of its copy."},
	{string_type, "phase", "Phase", 5, text_field<phase>, "Phase the kernel is in."},
	{string_type, "health", "Health", 6, text_field<health>, "Health of its metadata."},
	{percent_type, "progress", "Done%", 5, progress_field, "How much needs no copying any more."},
	{string_type, "source", "Source", 6, text_field<source>, "Device the volume is on."},
	{string_type, "source_devno", "SDev", 4, text_field<source_devno>, "Its number."},
	{size_type, "source_offset", "SOffset", 7, size_field<source_offset>, "Where the volume starts on it."},
	{string_type, "target", "Target", 6, text_field<target>, "Device it is copied to."},
	{string_type, "target_devno", "TDev", 4, text_field<target_devno>, "Its number."},
	{string_type, "metadata", "Meta", 4, text_field<metadata>, "Device its state is kept on."},
	{string_type, "bitmaps", "Bitmaps", 7, text_field<bitmaps>, "Its bitmaps, each with what one bit of it stands for."},
	{string_type, "bitmaps_metadata", "BitmapsMeta", 11, text_field<bitmaps_metadata>, "Device its bitmaps are kept on."},
	{string_type, "at_boot", "Boot", 4, text_field<at_boot>, "Set if it comes back at boot, by /etc/blkctltab."},
	{string_type, "copy_mode", "CopyMode", 8, text_field<copy_mode>, "dual or background."},
	{size_type, "done", "Done", 4, job_size_field<done>, "How much needs no copying any more, in bytes."},
	{size_type, "copied", "Copied", 6, job_size_field<copied>, "Moved by the copier since the copy began."},
	{size_type, "inflight", "InFlight", 8, job_size_field<inflight>, "On its way in the copier."},
	{size_type, "rate", "Rate", 4, job_size_field<rate>, "What the copier moves a second."},
	{string_type, "eta", "ETA", 3, text_field<eta>, "How long it still takes at that rate."},
	{size_type, "rate_limit", "Limit", 5, job_size_field<rate_limit>, "What it may move a second; 0 is no limit."},
	{number_type, "base_only", "BaseOnly", 8, number_field<base_only>, "Blocks only in the source."},
	{number_type, "both", "Both", 4, number_field<both>, "Blocks in both devices."},
	{number_type, "top_only", "TopOnly", 7, number_field<top_only>, "Blocks only in the target."},
	{number_type, "zero", "Zero", 4, number_field<zero>, "Blocks that read as zeros."},
	{number_type, "blocks", "Blocks", 6, number_field<blocks>, "All blocks."},
	{number_type, "source_errors", "SErr", 4, number_field<source_errors>, "I/O errors of the source."},
	{number_type, "target_errors", "TErr", 4, number_field<target_errors>, "I/O errors of the target."},
	{number_type, "meta_commits", "Commits", 7, number_field<meta_commits>, "How often its state was written down."},
	{number_type, "meta_torn", "Torn", 4, number_field<meta_torn>, "Metadata sectors that a stop without warning tore."},
	{string_type, "stall_ms", "Stall", 5, text_field<milliseconds>, "How long the last switch held I/O, in ms."},
	{string_type, "last_switch", "Last", 4, text_field<last_verb>, "The verb that made the last switch."},
};
// clang-format on

template <size_t... I> dm_report_field_type make_type(const Field &field, std::index_sequence<I...>)
{
	// The arrays are constant members: they can only be filled where they are made.
	char id[DM_REPORT_FIELD_TYPE_ID_LEN] = {}, heading[DM_REPORT_FIELD_TYPE_HEADING_LEN] = {};
	std::snprintf(id, sizeof(id), "%s", field.id);
	std::snprintf(heading, sizeof(heading), "%s", field.heading);
	return {object_type,     field.flags,    0,         field.width, {id[I]...},
		{heading[I]...}, field.function, field.help};
}

dm_report_field_type make_type(const Field &field)
{
	static_assert(DM_REPORT_FIELD_TYPE_ID_LEN == DM_REPORT_FIELD_TYPE_HEADING_LEN);
	return make_type(field, std::make_index_sequence<DM_REPORT_FIELD_TYPE_ID_LEN>());
}

} // namespace

std::vector<dm_report_field_type> field_types(bool with_index)
{
	std::vector<dm_report_field_type> types;

	for (const auto &field : all_fields)
		types.push_back(make_type(field));
	if (with_index)
		types.push_back(
			make_type({number_type, "row_index", "Row", 3, index_field, "Row."}));
	types.push_back(dm_report_field_type{});
	return types;
}

std::optional<Column> column_of(const std::string &heading)
{
	for (const auto &field : all_fields)
		if (heading == field.heading)
			return Column{field.id, field.flags == string_type};
	return std::nullopt;
}

std::vector<FieldHelp> fields()
{
	std::vector<FieldHelp> found;

	for (const auto &field : all_fields)
		found.push_back({field.id, field.help});
	return found;
}

} // namespace blkctl::report
